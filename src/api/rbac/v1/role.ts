import type { Role } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const roles: KindDefinition<Role> = defineKind({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.Role',
})
