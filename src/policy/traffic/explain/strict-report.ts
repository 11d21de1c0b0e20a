import type { StrictAnswer } from '../../../protocols/mesh-view.ts'
import { serviceKey, type MeshWorld } from '../input/index.ts'

/** Somebody who was seen to call in plain text. */
export interface PlaintextCaller {
  /** `namespace/pod`, or an address where nobody knows whose it is. */
  readonly from: string
  /** `namespace/service:port`, or `namespace/pod`. */
  readonly to: string
  readonly count: number
  /** Milliseconds since 1970. */
  readonly lastSeenMs: number
}

/**
 * Whether strict mode would cut anybody off: callers that speak plain text to workloads of the mesh, most calls first. Calls to services whose endpoints are all
 * outside of the mesh are none of its business.
 * @param sinceMs what was last seen before counts no more; default: everything counts
 */
export function strictReport(
  observed: readonly PlaintextCaller[],
  world: MeshWorld,
  sinceMs: number = Number.NEGATIVE_INFINITY,
): StrictAnswer {
  const merged = new Map<string, PlaintextCaller>()
  for (const one of observed) {
    if (one.lastSeenMs < sinceMs || !isMeshed(one.to, world)) continue
    const key = JSON.stringify([one.from, one.to])
    const known = merged.get(key)
    merged.set(key, known ? { ...one, count: known.count + one.count, lastSeenMs: Math.max(known.lastSeenMs, one.lastSeenMs) } : one)
  }
  const plaintext = [...merged.values()]
    .sort((a, b) => b.count - a.count || compare(a.from, b.from) || compare(a.to, b.to))
    .map(({ from, to, count, lastSeenMs }) => ({ from, to, count, lastSeen: new Date(lastSeenMs).toISOString() }))
  // without identities strict mode changes nothing, but nothing is protected either
  return { safe: world.mesh.mtls && plaintext.length === 0, plaintext }
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** What is no service of the cluster is taken for a workload of the mesh: a proxy has seen the call. */
function isMeshed(to: string, { services }: MeshWorld): boolean {
  const [, namespace = '', name = '', port] = /^([^/]+)\/([^:]+)(?::(\d+))?$/.exec(to) ?? []
  const ports = services.get(serviceKey(namespace, name))?.ports.filter((one) => port === undefined || one.port === Number(port))
  if (!ports || ports.length === 0) return true
  return ports.some(({ endpoints }) => endpoints.some(({ identity }) => identity !== undefined))
}
