import type { Role } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { roleColumns } from '../../print/rbac-columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkRules } from '../../validation/rbac.ts'

export const roles: KindDefinition<Role> = defineKind<Role>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'Role',
  plural: 'roles',
  namespaced: true,
  schema: 'io.k8s.api.rbac.v1.Role',
  nameRule: 'path',
  ownColumns: true,
  columns: roleColumns,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (role) =>
      collectErrors((errors) => {
        checkRules(errors, role.rules, { namespaced: true })
      }),
  },
})
