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
  columns: [
    { name: 'Secrets', type: 'string', description: 'Number of secrets of the account.', value: ({ secrets }) => secrets?.length ?? 0 },
  ],
})
