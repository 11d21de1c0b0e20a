import type { ClusterRoleBinding } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { bindingColumns } from '../../print/rbac-columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBinding, checkBindingUpdate } from '../../validation/rbac.ts'

export const clusterRoleBindings: KindDefinition<ClusterRoleBinding> = defineKind<ClusterRoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
  nameRule: 'path',
  columns: bindingColumns,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (binding) => collectErrors((errors) => checkBinding(errors, binding, { namespaced: false })),
    validateUpdate: (next, previous) => collectErrors((errors) => checkBindingUpdate(errors, next, previous)),
  },
})
