import { applyActions } from '../../../policy/route/apply-actions.ts'
import { WELL_KNOWN_COMMUNITIES } from '../../../policy/route/community-pattern.ts'
import type { RouteOutcome } from '../../../policy/route/compile-route-policy.ts'
import { ATTRIBUTE, AttributeFacts, readU32 } from '../../../protocols/bgp/attribute-block.ts'
import { BlockEditor } from '../../../protocols/bgp/block-editor.ts'
import type { AttributeStore } from './attribute-store.ts'
import type { RibPeer } from './rib-peer.ts'
import { REFUSED, type RouteTable } from './route-table.ts'

/** Longest block that is kept. */
export const MAX_BLOCK_BYTES = 65535

export interface ImportIdentity {
  readonly localAs: number
  readonly routerId: number
  readonly clusterId: number
}

/**
 * Judges received attribute sets: loops, RFC 8212, the peer's import policy, graceful shutdown (RFC 8326). `begin` does once per set what does
 * not depend on the prefix; `accept` the rest.
 */
export class Importer {
  readonly #attributes: AttributeStore
  readonly #identity: ImportIdentity
  readonly #facts = new AttributeFacts()
  readonly #editor = new BlockEditor()
  #peer!: RibPeer
  #set = -1
  /** Result for every prefix, or UNDECIDED. */
  #constant = 0
  #narrowed = 0
  /** Results of this set by outcome of the policy. */
  readonly #outcomes: number[] = []
  readonly #results: number[] = []
  #known = 0

  constructor(attributes: AttributeStore, identity: ImportIdentity) {
    this.#attributes = attributes
    this.#identity = identity
  }

  /** Begins with a set as received. */
  begin(peer: RibPeer, set: number): void {
    this.#peer = peer
    this.#set = set
    this.#known = 0
    const facts = this.#attributes.load(set, this.#facts)
    this.#constant = this.#invalid(facts)
    if (this.#constant !== UNDECIDED) return
    const policy = peer.options.importPolicy
    if (!policy) {
      this.#constant = this.#transform(undefined)
      return
    }
    this.#narrowed = policy.narrow(facts, 'BGP')
    const outcome = policy.constantOutcome(this.#narrowed)
    if (outcome >= 0) this.#constant = this.#resultOf(outcome)
  }

  /** @returns the attribute set to use for a prefix, or one of `REFUSED` */
  accept(table: RouteTable, prefix: number): number {
    if (this.#constant !== UNDECIDED) return this.#constant
    const { prefixes, family } = table
    const policy = this.#peer.options.importPolicy as NonNullable<RibPeer['options']['importPolicy']>
    // without an array in between: this runs for every prefix
    const w1 = family === 4 ? 0 : prefixes.word(prefix, 1)
    const w2 = family === 4 ? 0 : prefixes.word(prefix, 2)
    const w3 = family === 4 ? 0 : prefixes.word(prefix, 3)
    return this.#resultOf(policy.decide(this.#narrowed, family, prefixes.word(prefix, 0), w1, w2, w3, prefixes.length(prefix)))
  }

  /** What the policy says of one path, for explanations. */
  outcomeOf(peer: RibPeer, set: number, table: RouteTable, prefix: number): RouteOutcome | undefined {
    const policy = peer.options.importPolicy
    if (!policy) return undefined
    const { prefixes, family } = table
    const narrowed = policy.narrow(this.#attributes.load(set, this.#facts), 'BGP')
    const word = (i: number): number => prefixes.word(prefix, i)
    return policy.outcome(policy.decide(narrowed, family, word(0), word(1), word(2), word(3), prefixes.length(prefix)))
  }

  #invalid(facts: AttributeFacts): number {
    const { localAs, routerId, clusterId } = this.#identity
    const { options, session } = this.#peer
    const { allowOwnAs = 0 } = options
    if (facts.countAs(localAs) > allowOwnAs || facts.countAs(session?.localAs ?? localAs) > allowOwnAs) return REFUSED.ownAs
    const isForeign = !session?.internal && options.enforceFirstAs !== false && facts.neighbourAs !== session?.remoteAs
    if (isForeign) return REFUSED.firstAs
    if (!session?.internal) return options.importPolicy || options.allowWithoutPolicy ? UNDECIDED : REFUSED.noPolicy
    if (facts.originatorId === routerId) return REFUSED.originator
    const end = facts.clusterListOffset + facts.clusterListBytes
    for (let at = facts.clusterListOffset; facts.clusterListBytes > 0 && at < end; at += 4) {
      if (readU32(facts.bytes, at) === clusterId) return REFUSED.cluster
    }
    return UNDECIDED
  }

  #resultOf(outcome: number): number {
    for (let i = 0; i < this.#known; i++) if (this.#outcomes[i] === outcome) return this.#results[i] as number
    const said = this.#peer.options.importPolicy?.outcome(outcome)
    const result = said && !said.accepted ? REFUSED.byPolicy : this.#transform(said)
    this.#outcomes[this.#known] = outcome
    this.#results[this.#known++] = result
    return result
  }

  /** The set after the changes of a policy. */
  #transform(outcome: RouteOutcome | undefined): number {
    const { options, session } = this.#peer
    const facts = this.#attributes.load(this.#set, this.#facts)
    const actions = outcome?.actions ?? []
    const drained = options.gracefulShutdown === true || (this.#peer.external && facts.hasCommunity(GRACEFUL_SHUTDOWN))
    if (actions.length === 0 && !drained) return this.#set
    const editor = this.#editor.load(facts)
    const hop = applyActions(editor, facts, actions, { prependAs: session?.remoteAs ?? 0 })
    if (hop instanceof Uint8Array) editor.setNextHop(hop)
    else if (hop === 'self') editor.setNextHop(session?.localAddresses[facts.nextHopLength === 4 ? 4 : 6] ?? new Uint8Array(0))
    if (drained) editor.putU32(ATTRIBUTE.localPreference, 0)
    if (editor.overflow || editor.write().length > MAX_BLOCK_BYTES) return REFUSED.tooLarge
    return this.#attributes.intern(editor.buffer, 0, editor.length)
  }
}

const UNDECIDED = -1000
const GRACEFUL_SHUTDOWN = WELL_KNOWN_COMMUNITIES['graceful-shutdown'] as number
