import type { RoleBinding } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const roleBindings: KindDefinition<RoleBinding> = defineKind({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'RoleBinding',
  plural: 'rolebindings',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.RoleBinding',
})
