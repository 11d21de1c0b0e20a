import type { Namespace } from '../../generated/types.ts'
import { defineKind, type KindDefinition, type Strategy } from '../../kind.ts'
import { checkQualifiedName } from '../../meta/names.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { isKnownFinalizer } from '../../validation/object-meta.ts'

/** Keeps a namespace until everything in it is gone. */
const FINALIZER = 'kubernetes'

const strategy: Strategy<Namespace> = {
  setDefaults: labelWithName,
  prepareForCreate(namespace) {
    // a generated name came after the defaults
    labelWithName(namespace)
    namespace.status = { phase: 'Active' }
    const finalizers = namespace.spec?.finalizers ?? []
    if (!finalizers.includes(FINALIZER)) namespace.spec = { ...namespace.spec, finalizers: [...finalizers, FINALIZER] }
  },
  prepareForUpdate(next, previous, { subresource }) {
    // only the finalize subresource takes finalizers away
    if (subresource === '') next.spec = { ...next.spec, finalizers: previous.spec?.finalizers }
  },
  validate: ({ spec }) =>
    collectErrors((errors) => {
      for (const finalizer of spec?.finalizers ?? []) {
        errors.invalidEach('spec.finalizers', finalizer, checkQualifiedName(finalizer))
        if (isKnownFinalizer(finalizer)) continue
        errors.invalid('spec.finalizers', finalizer, 'name is neither a standard finalizer name nor is it fully qualified')
      }
    }),
  validateUpdate: (next, _previous, { subresource }) =>
    collectErrors((errors) => {
      if (subresource !== 'status') return
      const phase = next.status?.phase ?? ''
      const deleted = next.metadata.deletionTimestamp !== undefined
      if (!deleted && phase !== 'Active') {
        errors.invalid('status.Phase', phase, "may only be 'Active' if `deletionTimestamp` is empty")
      } else if (deleted && phase !== 'Terminating') {
        errors.invalid('status.Phase', phase, "may only be 'Terminating' if `deletionTimestamp` is not empty")
      }
    }),
}

/** By this label policies select a namespace by its name. */
function labelWithName({ metadata }: Namespace): void {
  if (metadata.name) metadata.labels = { ...metadata.labels, 'kubernetes.io/metadata.name': metadata.name }
}

export const namespaces: KindDefinition<Namespace> = defineKind({
  group: '',
  version: 'v1',
  kind: 'Namespace',
  plural: 'namespaces',
  namespaced: false,
  shortNames: ['ns'],
  schema: 'io.k8s.api.core.v1.Namespace',
  status: true,
  nameRule: 'label',
  verbs: ['create', 'delete', 'get', 'list', 'patch', 'update', 'watch'],
  columns: [{ name: 'Status', type: 'string', description: 'The status of the namespace', value: ({ status }) => status?.phase ?? '' }],
  fieldSelectors: { 'status.phase': ({ status }) => status?.phase ?? '' },
  strategy,
})
