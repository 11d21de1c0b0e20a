import type { EndpointSet, Frontend, ServiceProtocol } from '../../../policy/packet/services/index.ts'

/** One place of a frontend's table of endpoints: a random number below their count picks it. */
export interface Slot {
  readonly address: string
  readonly port: number
  /** With affinity: what the kernel remembers for a client instead of the address. Never given twice, so that a memory of a backend that went is void. */
  readonly token?: number
}

/** What the kernel is told of one frontend: its elements follow from this alone. */
export interface FrontendState {
  readonly family: 4 | 6
  readonly address: string
  readonly protocol: ServiceProtocol
  readonly port: number
  /** For logs and counters. */
  readonly service: string
  readonly outside: readonly Slot[]
  /** Only where pods of this node and the node itself are served by others. */
  readonly inside?: readonly Slot[]
  readonly affinitySeconds?: number
  readonly rewritesSource: boolean
  /** Why nobody, or nobody outside, is served. */
  readonly refusal?: 'no-endpoints' | 'no-local' | 'no-local-outside'
  readonly sourceRanges?: readonly string[]
}

/** Slots that one frontend can have: what a class number has room for. Endpoints beyond it, in the order of their addresses, get nothing. */
export const MAX_SLOTS = 4095
/** Tokens go through `skb->priority`, whose low four bits choose a band of the default queueing discipline: they stay zero. */
export const TOKEN_STEP = 16
/** Above are class numbers. */
export const MAX_TOKEN = 0x7fff_fff0

/**
 * The state a frontend is to have, as near to its present one as can be: an endpoint that stays keeps its slot, the last one moves into the place of one that
 * goes, newcomers are put behind. Pure. @param nextToken the first token that was never given
 */
export function arrangeFrontend(
  previous: FrontendState | undefined,
  wanted: Frontend,
  nextToken: number,
): { readonly state: FrontendState; readonly nextToken: number } {
  let token = nextToken
  const isSticky = wanted.affinitySeconds !== undefined
  const arrange = (old: readonly Slot[] | undefined, set: EndpointSet): readonly Slot[] => {
    const wasSticky = previous?.affinitySeconds !== undefined
    const keep = wasSticky === isSticky ? (old ?? []) : (old ?? []).map(({ address, port }): Slot => ({ address, port }))
    return arrangeSlots(keep, set).map((slot) => {
      if (!isSticky || slot.token !== undefined) return slot
      const given = { ...slot, token }
      token += TOKEN_STEP
      return given
    })
  }
  const outside = arrange(previous?.outside, wanted.outside)
  const inside = wanted.inside === wanted.outside ? undefined : arrange(previous?.inside, wanted.inside)
  const { family, address, protocol, port, service, affinitySeconds, sourceRanges } = wanted
  const refusal = refusalOf(wanted)
  const state: FrontendState = {
    family,
    address,
    protocol,
    port,
    service,
    outside,
    ...(inside ? { inside } : {}),
    ...(affinitySeconds === undefined ? {} : { affinitySeconds }),
    rewritesSource: !wanted.keepsSource,
    ...(refusal ? { refusal } : {}),
    ...(sourceRanges ? { sourceRanges } : {}),
  }
  return { state, nextToken: token }
}

function arrangeSlots(old: readonly Slot[], { backends }: EndpointSet): Slot[] {
  const missing = new Map(backends.slice(0, MAX_SLOTS).map(({ address, port }) => [`${address}|${port}`, { address, port } as Slot]))
  const slots = [...old]
  for (let i = 0; i < slots.length;) {
    const { address, port } = slots[i] as Slot
    if (missing.delete(`${address}|${port}`)) {
      i++
      continue
    }
    const last = slots.pop() as Slot
    if (i < slots.length) slots[i] = last
  }
  return [...slots, ...missing.values()]
}

function refusalOf({ inside, outside }: Frontend): FrontendState['refusal'] {
  if (outside.empty === undefined) return undefined
  if (outside.empty === 'reject') return 'no-endpoints'
  return inside.empty === undefined ? 'no-local-outside' : 'no-local'
}
