import type { Endpoint, SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { UpstreamEndpoint } from '../contract.ts'
import { HealthState } from './health-state.ts'
import { OutlierState } from './outlier-detector.ts'

/** What the connections of an endpoint speak. */
export type HostProtocol = 'http1' | 'http2' | 'alpn'

/** One endpoint of a cluster, with what is known of it. Stays the same object while its address and identity do. */
export class Host {
  endpoint: Endpoint
  /** `address:port`, as logs and sessions name it. */
  readonly name: string
  readonly outlier: OutlierState = new OutlierState()
  readonly health: HealthState = new HealthState()
  /** Requests that have not ended. */
  active = 0
  /** Effective weight grows from here on, under slow start. */
  warmFromMs: number
  /** Of smooth round robin. */
  credit = 0
  /** No longer part of the cluster. */
  removed = false
  readonly upstreams: Map<HostProtocol, UpstreamEndpoint> = new Map()

  constructor(endpoint: Endpoint, nowMs: number) {
    this.endpoint = endpoint
    this.name = nameOf(endpoint.address)
    this.warmFromMs = nowMs
  }

  get weight(): number {
    return this.endpoint.weight ?? 1
  }

  /** Takes new requests, unless the whole cluster is in panic. */
  get usable(): boolean {
    return !this.removed && this.endpoint.state === 'ready' && this.health.healthy && !this.outlier.ejected
  }

  /** May be tried in panic: not healthy, but not going either. */
  get present(): boolean {
    return !this.removed && this.endpoint.state !== 'draining'
  }
}

export const nameOf = ({ address, port }: SocketAddress): string => (address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`)

/** Endpoints with the same key keep their connections. */
export function hostKey(endpoint: Endpoint): string {
  return `${nameOf(endpoint.address)} ${endpoint.identity ?? ''} ${endpoint.meshPort ?? ''}`
}
