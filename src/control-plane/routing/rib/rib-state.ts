import { DEFAULT_BEST_PATH } from '../../../policy/route/best-path.ts'
import type { Family } from '../../../protocols/bgp/message.ts'
import { AttributeStore } from './attribute-store.ts'
import type { RibListener, RibOptions } from './contract.ts'
import { Decision } from './decision.ts'
import { NextHopTable } from './next-hop-table.ts'
import type { RibPeer } from './rib-peer.ts'
import { RouteTable } from './route-table.ts'

/** What the parts of a RIB share. */
export interface RibState {
  readonly attributes: AttributeStore
  readonly nextHops: NextHopTable
  readonly tables: Readonly<Record<Family, RouteTable>>
  /** By handle; 0 (local routes) has none. */
  readonly peers: (RibPeer | undefined)[]
  readonly decision: Decision
  readonly maximumPaths: number
  readonly listener: RibListener
  readonly identity: { readonly localAs: number; readonly routerId: number; readonly clusterId: number }
  readonly counters: { decisions: number; bestPathChanges: number }
}

export const FAMILIES: readonly Family[] = [4, 6]

export function createRibState(options: RibOptions): RibState {
  const nextHops = new NextHopTable(options.resolver)
  const { hashSeed = 0 } = options
  const attributes = new AttributeStore(nextHops, hashSeed)
  const peers: (RibPeer | undefined)[] = [undefined]
  const maximumPaths = options.maximumPaths ?? 1
  const { localAs, routerId, clusterId = routerId } = options
  return {
    attributes,
    nextHops,
    peers,
    tables: { 4: new RouteTable(4, hashSeed), 6: new RouteTable(6, hashSeed) },
    decision: new Decision({
      attributes,
      nextHops,
      peers,
      options: { ...DEFAULT_BEST_PATH, ...options.bestPath },
      maximumPaths,
      multipathRelax: options.multipathRelax ?? false,
    }),
    maximumPaths,
    listener: options.listener,
    identity: { localAs, routerId, clusterId },
    counters: { decisions: 0, bestPathChanges: 0 },
  }
}
