import type { RoleBinding } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { bindingColumns } from '../../print/rbac-columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkBinding, checkBindingUpdate } from '../../validation/rbac.ts'

export const roleBindings: KindDefinition<RoleBinding> = defineKind<RoleBinding>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
  nameRule: 'path',
  columns: bindingColumns,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (binding) => collectErrors((errors) => checkBinding(errors, binding, { namespaced: true })),
    validateUpdate: (next, previous) => collectErrors((errors) => checkBindingUpdate(errors, next, previous)),
  },
})
