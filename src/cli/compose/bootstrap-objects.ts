import { isIPv6 } from 'node:net'
import { isStatus } from '../../base/errors.ts'
import { endpoints } from '../../api/core/v1/endpoints.ts'
import { namespaces } from '../../api/core/v1/namespace.ts'
import { services } from '../../api/core/v1/service.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import { serviceCIDRs } from '../../api/networking/v1/service-cidr.ts'
import type { Draft, KubeObject } from '../../api/meta/object.ts'
import type { KindDefinition } from '../../api/kind.ts'
import type { Client } from '../../client/client.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import { kubeDnsAddresses, planKubeDnsService } from '../../data-plane/dns/index.ts'

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease', 'biplane-system']

/** Makes what every cluster has: its namespaces and the service `kubernetes` with the API server behind it. Idempotent. */
export async function ensureBootstrapObjects(
  client: Client,
  options: {
    readonly apiServiceIp: string
    readonly address: string
    readonly port: number
    readonly serviceRanges: readonly string[]
    /** Nodes have a network in the kernel, and with it cluster DNS. */
    readonly hasPodNetwork: boolean
  },
): Promise<void> {
  for (const name of NAMESPACES) await ensure(client, namespaces, { metadata: { name } })
  // how nodes learn the ranges
  await ensureServiceRanges(client, options.serviceRanges)
  if (options.hasPodNetwork) await ensureKubeDns(client, options.serviceRanges)
  const labels = { component: 'apiserver', provider: 'kubernetes' }
  const ports = [{ name: 'https', port: options.port, protocol: 'TCP' }]
  await ensure(client, services, {
    metadata: { name: 'kubernetes', namespace: 'default', labels },
    spec: {
      type: 'ClusterIP',
      clusterIP: options.apiServiceIp,
      clusterIPs: [options.apiServiceIp],
      ipFamilies: [isIPv6(options.apiServiceIp) ? 'IPv6' : 'IPv4'],
      ipFamilyPolicy: 'SingleStack',
      ports: [{ name: 'https', port: 443, protocol: 'TCP', targetPort: options.port }],
      sessionAffinity: 'None',
    },
  })
  await ensure(client, endpoints, {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'endpointslice.kubernetes.io/skip-mirror': 'true' } },
    subsets: [{ addresses: [{ ip: options.address }], ports }],
  })
  await ensure(client, endpointSlices, {
    metadata: { name: 'kubernetes', namespace: 'default', labels: { 'kubernetes.io/service-name': 'kubernetes' } },
    addressType: isIPv6(options.address) ? 'IPv6' : 'IPv4',
    endpoints: [{ addresses: [options.address], conditions: { ready: true } }],
    ports,
  })
}

/** Creates an object, or replaces everything but its metadata when it differs: the port may be another one than last time. */
async function ensure<T extends KubeObject>(client: Client, kind: KindDefinition<T>, draft: Draft<T>): Promise<void> {
  const api = client.of(kind)
  const current = await api
    .get(draft.metadata.name ?? '', { namespace: draft.metadata.namespace })
    .catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error)))
  if (!current) return void (await api.create(draft))
  if (kind.plural === namespaces.plural) return
  const { metadata: _metadata, ...wanted } = draft
  if (Object.entries(wanted).every(([key, value]) => deepEqual((current as Record<string, unknown>)[key], value))) return
  await api.update({ ...current, ...wanted } as T)
}

/** Pods ask the server of their node by its own address: where the usual one of the service is another's, any will do. */
async function ensureKubeDns(client: Client, ranges: readonly string[]): Promise<void> {
  const { metadata, spec } = planKubeDnsService(kubeDnsAddresses(ranges))
  try {
    await ensure(client, services, { metadata, spec })
  } catch (error) {
    if (!isStatus(error, 'Invalid')) throw error
    const { items } = await client.of(services).list({ namespace: metadata.namespace })
    if (items.some(({ metadata: { name } }) => name === metadata.name)) return
    const { clusterIP: _one, clusterIPs: _all, ipFamilies: _families, ...rest } = spec ?? {}
    await client.of(services).create({ metadata, spec: { ...rest, ipFamilyPolicy: 'PreferDualStack' } })
  }
}

/** Ranges cannot be changed in place. */
async function ensureServiceRanges(client: Client, ranges: readonly string[]): Promise<void> {
  const api = client.of(serviceCIDRs)
  const current = await api.get('kubernetes').catch((error: unknown) => (isStatus(error, 'NotFound') ? undefined : Promise.reject(error)))
  if (current && deepEqual(current.spec?.cidrs, ranges)) return
  if (current) await api.delete('kubernetes')
  await api.create({ metadata: { name: 'kubernetes' }, spec: { cidrs: [...ranges] } })
}
