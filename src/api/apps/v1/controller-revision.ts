import type { ControllerRevision } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { controllerOf } from '../../meta/owner.ts'
import { collectErrors } from '../../validation/field-errors.ts'

export const controllerRevisions: KindDefinition<ControllerRevision> = defineKind({
  group: 'apps',
  version: 'v1',
  kind: 'ControllerRevision',
  plural: 'controllerrevisions',
  namespaced: true,
  schema: 'io.k8s.api.apps.v1.ControllerRevision',
  columns: [
    { name: 'Controller', type: 'string', description: 'Controller of the object', value: controllerCell },
    { name: 'Revision', type: 'string', description: 'Number of the revision.', value: (revision) => revision.revision },
  ],
  strategy: {
    validate: (revision) =>
      collectErrors((errors) => {
        errors.nonNegative('revision', revision.revision)
        if (revision.data === undefined) errors.required('data', 'data is mandatory')
      }),
    validateUpdate: (next, previous) => collectErrors((errors) => errors.immutable('data', next.data, previous.data)),
  },
})

function controllerCell(revision: ControllerRevision): string {
  const controller = controllerOf(revision)
  if (!controller) return '<none>'
  const [group, version] = controller.apiVersion.split('/')
  return `${controller.kind.toLowerCase()}${version ? `.${group}` : ''}/${controller.name}`
}
