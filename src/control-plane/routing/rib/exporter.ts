import { prefixContains } from '../../../base/ip.ts'
import { applyActions } from '../../../policy/route/apply-actions.ts'
import { WELL_KNOWN_COMMUNITIES } from '../../../policy/route/community-pattern.ts'
import type { CompiledActions } from '../../../policy/route/compiled-actions.ts'
import type { RouteOutcome } from '../../../policy/route/compile-route-policy.ts'
import type { RouteSource } from '../../../policy/route/route-policy.ts'
import { ATTRIBUTE, AttributeFacts, writeU32 } from '../../../protocols/bgp/attribute-block.ts'
import { BlockEditor } from '../../../protocols/bgp/block-editor.ts'
import { ATTRIBUTE_BITS, type AttributeStore } from './attribute-store.ts'
import type { SessionParameters } from './contract.ts'
import type { ImportIdentity } from './importer.ts'
import { LOCAL_PEER, type RibPeer } from './rib-peer.ts'
import type { RouteTable } from './route-table.ts'

/** Results below 0: why a route is not sent. Texts in `WITHHELD_TEXT`. */
export const WITHHELD = {
  none: -1,
  sender: -2,
  internal: -3,
  noAdvertise: -4,
  noExport: -5,
  noPolicy: -6,
  byPolicy: -7,
  noNextHop: -8,
  peersOwn: -9,
  tooLarge: -10,
} as const

export const WITHHELD_TEXT: Readonly<Record<number, string>> = {
  [WITHHELD.none]: 'there is no best path',
  [WITHHELD.sender]: 'the best path came from this peer',
  [WITHHELD.internal]: 'routes of internal peers are not sent to internal peers, unless one is a route reflector client',
  [WITHHELD.noAdvertise]: 'the community no-advertise',
  [WITHHELD.noExport]: 'the community no-export',
  [WITHHELD.noPolicy]: 'an external peer without export policy gets nothing (RFC 8212), or the session does not carry the family',
  [WITHHELD.byPolicy]: 'rejected by the export policy',
  [WITHHELD.noNextHop]: 'there is no next hop of the family to send',
  [WITHHELD.peersOwn]: "the next hop is the peer's own address",
  [WITHHELD.tooLarge]: 'the attributes do not fit a message of this session',
}

/** Header, lengths, MP_REACH_NLRI and the longest prefix beside the attributes of an UPDATE. */
const MESSAGE_OVERHEAD = 23 + 4 + 5 + 32 + 1 + 21

const MEMO = 4096

/** Judges what a peer is told. `begin` before a run of prefixes between which no attribute set is forgotten; sets met again are not judged again. */
export class Exporter {
  readonly #attributes: AttributeStore
  readonly #identity: ImportIdentity
  readonly #peers: readonly (RibPeer | undefined)[]
  readonly #facts = new AttributeFacts()
  readonly #editor = new BlockEditor()
  #peer!: RibPeer
  #session!: SessionParameters
  #run = 0
  /** Direct-mapped by attribute set: run, set, sender, and the result or UNDECIDED with the narrowed policy. */
  readonly #memoRun = new Float64Array(MEMO)
  readonly #memoSet = new Int32Array(MEMO)
  readonly #memoSender = new Int32Array(MEMO)
  readonly #memoResult = new Int32Array(MEMO)
  readonly #memoNarrowed = new Int32Array(MEMO)
  readonly #gracefulShutdown = new Uint8Array(4)

  constructor(attributes: AttributeStore, identity: ImportIdentity, peers: readonly (RibPeer | undefined)[]) {
    this.#attributes = attributes
    this.#identity = identity
    this.#peers = peers
    writeU32(this.#gracefulShutdown, 0, WELL_KNOWN_COMMUNITIES['graceful-shutdown'] as number)
  }

  begin(peer: RibPeer): void {
    this.#peer = peer
    this.#session = peer.session as SessionParameters
    this.#run++
  }

  /** @returns the attribute set to send for a prefix, without a reference, or one of `WITHHELD` */
  exportOf(table: RouteTable, prefix: number): number {
    const path = table.best[prefix] as number
    if (path < 0) return WITHHELD.none
    const sender = table.peer[path] as number
    if (sender === this.#peer.handle) return WITHHELD.sender
    const set = table.accepted[path] as number
    // local routes differ by source, which policies may look at
    const origin = sender === LOCAL_PEER ? -(table.pathId[path] as number) : sender
    const slot = set & (MEMO - 1)
    // equal sets of both families have different next hops
    const key = origin * 2 + (table.family === 6 ? 1 : 0)
    if (this.#memoRun[slot] !== this.#run || this.#memoSet[slot] !== set || this.#memoSender[slot] !== key) {
      this.#memoRun[slot] = this.#run
      this.#memoSet[slot] = set
      this.#memoSender[slot] = key
      this.#memoResult[slot] = this.#judgeSet(table, set, sender, origin, slot)
    }
    const result = this.#memoResult[slot] as number
    if (result !== UNDECIDED) return result
    const outcome = this.#decide(table, prefix, this.#memoNarrowed[slot] as number)
    return outcome.accepted ? this.#transform(table, set, sender, outcome.actions) : WITHHELD.byPolicy
  }

  /** What the export policy says of the best path, for explanations. */
  outcomeOf(table: RouteTable, prefix: number): RouteOutcome | undefined {
    const policy = this.#peer.options.exportPolicy
    const path = table.best[prefix] as number
    if (!policy || path < 0) return undefined
    const facts = this.#attributes.load(table.accepted[path] as number, this.#facts)
    return this.#decide(table, prefix, policy.narrow(facts, sourceOf(table, path)))
  }

  #decide(table: RouteTable, prefix: number, narrowed: number): RouteOutcome {
    const policy = this.#peer.options.exportPolicy as NonNullable<RibPeer['options']['exportPolicy']>
    const { prefixes, family } = table
    const word = (i: number): number => (family === 4 && i > 0 ? 0 : prefixes.word(prefix, i))
    return policy.outcome(policy.decide(narrowed, family, word(0), word(1), word(2), word(3), prefixes.length(prefix)))
  }

  #judgeSet(table: RouteTable, set: number, sender: number, origin: number, slot: number): number {
    const { options, external } = this.#peer
    const flags = this.#attributes.flags[set] as number
    if (!this.#peer.exports(table.family)) return WITHHELD.noPolicy
    if (flags & ATTRIBUTE_BITS.noAdvertise) return WITHHELD.noAdvertise
    if (external && flags & ATTRIBUTE_BITS.noExport) return WITHHELD.noExport
    const from = this.#peers[sender]
    if (!external && from && !from.external && !options.routeReflectorClient && !from.options.routeReflectorClient) return WITHHELD.internal
    const policy = options.exportPolicy
    if (!policy) return this.#transform(table, set, sender, [])
    const source = sender === LOCAL_PEER ? (SOURCES[-origin] as RouteSource) : 'BGP'
    const narrowed = policy.narrow(this.#attributes.load(set, this.#facts), source)
    const constant = policy.constantOutcome(narrowed)
    if (constant < 0) {
      this.#memoNarrowed[slot] = narrowed
      return UNDECIDED
    }
    const outcome = policy.outcome(constant)
    return outcome.accepted ? this.#transform(table, set, sender, outcome.actions) : WITHHELD.byPolicy
  }

  #transform(table: RouteTable, set: number, sender: number, actions: readonly CompiledActions[]): number {
    const { external, options } = this.#peer
    const facts = this.#attributes.load(set, this.#facts)
    const editor = this.#editor.load(facts)
    // a MED from outside is for us, not for those behind us (RFC 4271 5.1.4)
    if (external && sender !== LOCAL_PEER) editor.remove(ATTRIBUTE.med)
    const asked = applyActions(editor, facts, actions, { prependAs: this.#localAs })
    if (external) {
      editor.remove(ATTRIBUTE.localPreference).remove(ATTRIBUTE.originatorId).remove(ATTRIBUTE.clusterList)
      editor.prepend(this.#localAs, 1)
    } else this.#internal(editor, facts, sender, actions)
    if (options.gracefulShutdown) {
      editor.addCommunities(ATTRIBUTE.communities, this.#gracefulShutdown, 4)
      if (!external) editor.putU32(ATTRIBUTE.localPreference, 0)
    }
    const wrong = this.#nextHop(table, editor, facts, sender, asked)
    if (wrong !== 0) return wrong
    if (editor.overflow) return WITHHELD.tooLarge
    // two-byte speakers get AS4_PATH as well
    const length = this.#session.fourOctetAs ? editor.write().length : 2 * editor.write().length
    if (length + MESSAGE_OVERHEAD > this.#session.maxMessageBytes) return WITHHELD.tooLarge
    return this.#attributes.intern(editor.buffer, 0, editor.length)
  }

  get #localAs(): number {
    return this.#session.localAs ?? this.#identity.localAs
  }

  #internal(editor: BlockEditor, facts: AttributeFacts, sender: number, actions: readonly CompiledActions[]): void {
    const given = actions.some(({ localPreference }) => localPreference !== undefined)
    if (!facts.hasLocalPreference && !given) editor.putU32(ATTRIBUTE.localPreference, facts.localPreference)
    const from = this.#peers[sender]
    if (!from || from.external) return
    // reflection (RFC 4456 section 8)
    if (facts.originatorId === 0) editor.putU32(ATTRIBUTE.originatorId, from.session?.remoteRouterId ?? 0)
    editor.prependU32(ATTRIBUTE.clusterList, this.#identity.clusterId)
  }

  /** Puts the next hop in (RFC 4271 5.1.3, RFC 2545, RFC 8950). @returns 0, or one of `WITHHELD` */
  #nextHop(table: RouteTable, editor: BlockEditor, facts: AttributeFacts, sender: number, asked: CompiledActions['nextHop']): number {
    const { external, options } = this.#peer
    const from = this.#peers[sender]
    const reflected = !external && from !== undefined && !from.external
    const hop = facts.bytes.subarray(facts.nextHopOffset, facts.nextHopOffset + Math.min(facts.nextHopLength, 16))
    if (asked instanceof Uint8Array) return this.#put(table, editor, asked)
    const configured = options.nextHop ?? 'auto'
    // a reflector leaves the next hop alone, unless a policy says otherwise (RFC 4456 section 10)
    const wanted = asked ?? (reflected && configured === 'self' ? 'unchanged' : configured)
    const own = equalBytes(hop, options.address)
    if (hop.length === 0 || wanted === 'self') return this.#self(table, editor)
    if (wanted === 'unchanged' || !external) return own ? WITHHELD.peersOwn : this.#put(table, editor, hop)
    const shared = !own && this.#session.sharedSubnets?.some((subnet) => prefixContains(subnet, hop))
    return shared ? this.#put(table, editor, hop) : this.#self(table, editor)
  }

  #self(table: RouteTable, editor: BlockEditor): number {
    const { localAddresses, localLinkLocal, extendedNextHop } = this.#session
    const address = localAddresses[table.family] ?? (table.family === 4 && extendedNextHop ? localAddresses[6] : undefined)
    if (!address) return WITHHELD.noNextHop
    editor.setNextHop(address, address.length === 16 && this.#peer.external ? localLinkLocal : undefined)
    return 0
  }

  #put(table: RouteTable, editor: BlockEditor, hop: Uint8Array): number {
    const fits = table.family === 6 ? hop.length === 16 : hop.length === 4 || this.#session.extendedNextHop
    if (!fits) return WITHHELD.noNextHop
    editor.setNextHop(hop)
    return 0
  }
}

const UNDECIDED = -1000

/** Sources of local routes by path identifier. */
export const SOURCES: readonly (RouteSource | undefined)[] = [undefined, 'Static', 'PodRange', 'LoadBalancer', 'Connected', 'BGP']

export function sourceOf(table: RouteTable, path: number): RouteSource {
  return table.peer[path] === LOCAL_PEER ? (SOURCES[table.pathId[path] as number] as RouteSource) : 'BGP'
}

function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}
