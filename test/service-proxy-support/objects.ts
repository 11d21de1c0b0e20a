import type { Endpoint, EndpointSlice, Service, ServicePort, ServiceSpec } from '../../src/api/generated/types.ts'
import type { ChangingList } from '../../src/data-plane/service-proxy/index.ts'

/** A list that tests change. */
export class Changing<T> implements ChangingList<T> {
  #items: readonly T[] = []
  readonly #listeners = new Set<() => void>()

  list(): readonly T[] {
    return this.#items
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  set(items: readonly T[]): void {
    this.#items = items
    for (const listener of this.#listeners) listener()
  }
}

let revision = 0
/** Every object gets one of its own, so that "revision N is in the kernel" means that all before are. */
export const nextRevision = (): string => String(++revision)
export const lastRevision = (): bigint => BigInt(revision)

/** A dual-stack service of TCP and UDP on port 80, unless told otherwise. @param index picks its addresses: 10.96.0.index, fd00:10:96::index */
export function service(name: string, index: number, spec: ServiceSpec = {}, balancerIps: readonly string[] = []): Service {
  const clusterIPs = [`10.96.0.${index}`, `fd00:10:96::${index.toString(16)}`]
  const ports: ServicePort[] = [
    { name: 'tcp', port: 80, protocol: 'TCP' },
    { name: 'udp', port: 80, protocol: 'UDP' },
  ]
  return {
    metadata: { name, namespace: 'default', resourceVersion: nextRevision() },
    spec: { type: 'ClusterIP', clusterIPs, ports, ...spec },
    ...(balancerIps.length > 0 ? { status: { loadBalancer: { ingress: balancerIps.map((ip) => ({ ip })) } } } : {}),
  }
}

export interface EndpointOf extends Partial<Endpoint> {
  readonly v4: string
  readonly v6: string
}

/** The slices of a service, one for each family; ports `tcp` and `udp` lead to 8080. */
export function slicesOf(name: string, endpoints: readonly EndpointOf[]): EndpointSlice[] {
  return (['v4', 'v6'] as const).map((family) => ({
    metadata: {
      name: `${name}-${family}`,
      namespace: 'default',
      labels: { 'kubernetes.io/service-name': name },
      resourceVersion: nextRevision(),
    },
    addressType: family === 'v4' ? 'IPv4' : 'IPv6',
    ports: [
      { name: 'tcp', port: 8080, protocol: 'TCP' },
      { name: 'udp', port: 8080, protocol: 'UDP' },
      { name: 'sctp', port: 8080, protocol: 'SCTP' },
    ],
    endpoints: endpoints.map(({ v4, v6, ...rest }) => ({ conditions: { ready: true }, ...rest, addresses: [family === 'v4' ? v4 : v6] })),
  }))
}
