import type { Endpoint, EndpointSlice, Service, ServiceSpec } from '../../../api/generated/types.ts'
import { parsePrefix, type IpPrefix } from '../../../base/ip.ts'
import { wireName } from '../wire/name.ts'
import type { ZoneOptions } from './zone.ts'

/** Services and slices for tests, as short as they can be. */
export const service = (name: string, spec: Partial<ServiceSpec>, namespace = 'shop'): Service => ({ metadata: { name, namespace }, spec })

export function slice(
  owner: string,
  endpoints: readonly Endpoint[],
  options: { readonly family?: string; readonly id?: string } = {},
): EndpointSlice {
  const { family = 'IPv4', id = 'x' } = options
  return {
    metadata: { name: `${owner}-${family}-${id}`, namespace: 'shop', labels: { 'kubernetes.io/service-name': owner } },
    addressType: family,
    endpoints: [...endpoints],
    ports: [
      { name: 'sql', port: 5432, protocol: 'TCP' },
      { name: '', port: 1, protocol: 'UDP' },
    ],
  }
}

export const ZONE: ZoneOptions = {
  domain: wireName('cluster.local'),
  ttl: 5,
  reverseRanges: [parsePrefix('10.96.0.0/16') as IpPrefix, parsePrefix('10.244.0.0/16') as IpPrefix],
  serverAddresses: [Uint8Array.of(169, 254, 20, 10)],
}
