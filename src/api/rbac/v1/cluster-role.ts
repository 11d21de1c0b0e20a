import type { ClusterRole } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const clusterRoles: KindDefinition<ClusterRole> = defineKind({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
})
