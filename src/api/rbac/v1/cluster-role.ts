import type { ClusterRole } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'
import { roleColumns } from '../../print/rbac-columns.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkLabelSelector } from '../../validation/labels.ts'
import { checkRules } from '../../validation/rbac.ts'

export const clusterRoles: KindDefinition<ClusterRole> = defineKind<ClusterRole>({
  group: 'rbac.authorization.k8s.io',
  version: 'v1',
  kind: 'ClusterRole',
  plural: 'clusterroles',
  namespaced: false,
  schema: 'io.k8s.api.rbac.v1.ClusterRole',
  nameRule: 'path',
  ownColumns: true,
  columns: roleColumns,
  strategy: {
    allowCreateOnUpdate: true,
    validate: (role) =>
      collectErrors((errors) => {
        checkRules(errors, role.rules, { namespaced: false })
        if (role.aggregationRule && !role.aggregationRule.clusterRoleSelectors?.length) {
          const text = 'at least one clusterRoleSelector required if aggregationRule is non-nil'
          errors.required('aggregationRule.clusterRoleSelectors', text)
        }
        role.aggregationRule?.clusterRoleSelectors?.forEach((selector, i) =>
          checkLabelSelector(errors, `aggregationRule.clusterRoleSelectors[${i}]`, selector),
        )
      }),
  },
})
