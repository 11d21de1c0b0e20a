import type { RoleRef, Subject } from '../generated/types.ts'
import type { Column } from '../kind.ts'
import type { KubeObject } from '../meta/object.ts'
import { nameColumn } from './columns.ts'

interface Binding extends KubeObject {
  roleRef: RoleRef
  subjects?: Subject[] | undefined
}

/** Roles are shown with the time they were made, not with an age. */
export const roleColumns: readonly Column<KubeObject>[] = [
  nameColumn,
  {
    name: 'Created At',
    type: 'date',
    description: 'When the object was created.',
    value: ({ metadata }) => metadata.creationTimestamp ?? null,
  },
]

export const bindingColumns: readonly Column<Binding>[] = [
  {
    name: 'Role',
    type: 'string',
    description: 'Role that is granted.',
    value: ({ roleRef }) => `${roleRef?.kind ?? ''}/${roleRef?.name ?? ''}`,
  },
  { name: 'Users', type: 'string', priority: 1, description: 'Users in the binding', value: (binding) => subjectsCell(binding, 'User') },
  { name: 'Groups', type: 'string', priority: 1, description: 'Groups in the binding', value: (binding) => subjectsCell(binding, 'Group') },
  {
    name: 'ServiceAccounts',
    type: 'string',
    priority: 1,
    description: 'ServiceAccounts in the binding',
    value: (binding) => subjectsCell(binding, 'ServiceAccount'),
  },
]

function subjectsCell({ subjects = [], metadata }: Binding, kind: string): string {
  const names = subjects
    .filter((subject) => subject.kind === kind)
    .map(({ name, namespace }) => (kind === 'ServiceAccount' ? `${namespace ?? metadata.namespace ?? ''}/${name}` : name))
  return names.join(', ')
}
