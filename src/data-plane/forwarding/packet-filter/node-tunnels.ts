import type { Node } from '../../../api/generated/types.ts'
import { canonicalIp } from '../../../policy/packet/policies/index.ts'
import { VTEP_PORT } from '../../node/network/index.ts'

/**
 * Where the tunnels between nodes end, as `address . port`, of both families: what a node gets there it takes for a packet of another node's pod. The same
 * set until it changes.
 */
export class NodeTunnels {
  #known: ReadonlySet<string> = new Set()

  of(nodes: readonly Node[]): ReadonlySet<string> {
    const ends = new Set<string>()
    for (const { metadata, status } of nodes) {
      const port = metadata.annotations?.[VTEP_PORT]
      if (port === undefined || !/^[1-9]\d{0,4}$/.test(port) || Number(port) > 65_535) continue
      for (const { address } of status?.addresses ?? []) {
        const ip = canonicalIp(address)
        if (ip !== undefined) ends.add(`${ip} . ${port}`)
      }
    }
    if (ends.size !== this.#known.size || [...ends].some((end) => !this.#known.has(end))) this.#known = ends
    return this.#known
  }
}
