import type { IPAddress } from '../../generated/types.ts'
import { defineKind, type KindDefinition } from '../../kind.ts'

export const ipAddresses: KindDefinition<IPAddress> = defineKind({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IPAddress',
  plural: 'ipaddresses',
  namespaced: false,
  shortNames: ['ip'],
  schema: 'io.k8s.api.networking.v1.IPAddress',
})
