import type { ServiceAccount } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const serviceAccounts: KindDefinition<ServiceAccount> = defineKind({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  namespaced: true,
  shortNames: ['sa'],
  schema: 'io.k8s.api.core.v1.ServiceAccount',
})
