import type { ClusterRoleBinding } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const clusterRoleBindings: KindDefinition<ClusterRoleBinding> = defineKind({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRoleBinding',
  plural: 'clusterrolebindings',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRoleBinding',
})
