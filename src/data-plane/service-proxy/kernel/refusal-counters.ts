import { frontendKey } from '../../../policy/packet/services/index.ts'
import type { Nft } from '../../forwarding/contract.ts'
import { TABLE } from './ruleset.ts'

/** How often the first packet of a connection was turned away at one frontend, since that state of it began. */
export interface Refusal {
  /** See `frontendKey`. */
  readonly frontend: string
  readonly reason: 'no-endpoints' | 'no-local' | 'no-local-outside' | 'guarded'
  readonly packets: number
  readonly bytes: number
}

const REASONS = ['no-endpoints', 'no-local', 'no-local-outside', 'guarded'] as const

interface CountedElement {
  readonly elem: {
    readonly val: { readonly concat: readonly [address: string, protocol: string | number, port: number] }
    readonly counter?: { readonly packets: number; readonly bytes: number }
  }
}

/**
 * Reads the counters of the frontends that refuse. Those sets are small, but it takes some 80 ms: for questions, not for every look at /metrics.
 * Sender ranges (`guarded`) count all first packets to the guarded address, refused or not.
 */
export async function readRefusals(nft: Nft): Promise<readonly Refusal[]> {
  const found: Refusal[] = []
  for (const family of ['ip', 'ip6'] as const) {
    for (const reason of REASONS) {
      const answer = (await nft.list('set', family, TABLE, reason)) as {
        readonly nftables: readonly { readonly set?: { readonly elem?: readonly CountedElement[] } }[]
      }
      for (const { elem } of answer.nftables.flatMap(({ set }) => set?.elem ?? [])) {
        const [address, protocol, port] = elem.val.concat
        const { packets = 0, bytes = 0 } = elem.counter ?? {}
        found.push({ frontend: frontendKey(String(protocol).toUpperCase(), address, port), reason, packets, bytes })
      }
    }
  }
  return found
}
