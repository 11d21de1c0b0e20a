import { formatIp, formatPrefix, type IpBytes } from '../../../base/ip.ts'
import { type BestPathCandidate, describeStep, stepName } from '../../../policy/route/best-path.ts'
import { decodeBlock } from '../../../protocols/bgp/attributes.ts'
import type { PathAttributes } from '../../../protocols/bgp/message.ts'
import type { CandidateState, ExplainedCandidate, ExplainedExport, RouteExplanation } from './contract.ts'
import { type Exporter, sourceOf, WITHHELD, WITHHELD_TEXT } from './exporter.ts'
import type { FibFeed } from './fib-feed.ts'
import type { Importer } from './importer.ts'
import { LOCAL_PEER, type RibPeer } from './rib-peer.ts'
import type { RibState } from './rib-state.ts'
import { REFUSED, type RouteTable } from './route-table.ts'

/** Tells all about one prefix by asking the same code that decided. */
export class RouteExplainer {
  readonly #state: RibState
  readonly #importer: Importer
  readonly #exporter: Exporter
  readonly #fib: FibFeed

  constructor(state: RibState, importer: Importer, exporter: Exporter, fib: FibFeed) {
    this.#state = state
    this.#importer = importer
    this.#exporter = exporter
    this.#fib = fib
  }

  explain(table: RouteTable, prefix: number): RouteExplanation {
    const fib = this.#fib.told(table, prefix)
    return {
      prefix: formatPrefix(table.prefixes.toPrefix(prefix)),
      candidates: this.#candidates(table, prefix),
      exports: this.#state.peers.flatMap((peer) => (peer?.up ? [this.#export(table, prefix, peer)] : [])),
      ...(fib ? { fib } : {}),
    }
  }

  #candidates(table: RouteTable, prefix: number): ExplainedCandidate[] {
    const judged = this.#state.decision.judged(table, prefix)
    // copied: the next question reuses the candidates
    const candidates = judged.candidates.map((one) => ({ ...one }))
    const companions = this.#state.decision.multipath(table, prefix)
    const out: ExplainedCandidate[] = []
    for (let path = table.first[prefix] as number; path >= 0; path = table.next[path] as number) {
      const at = judged.paths.indexOf(path)
      const state = at < 0 ? this.#absent(table, prefix, path) : stateOf(candidates[at], candidates[judged.best], companions.includes(path))
      out.push(this.#candidate(table, prefix, path, state))
    }
    return out
  }

  #candidate(table: RouteTable, prefix: number, path: number, state: CandidateState): ExplainedCandidate {
    const { peers, attributes, nextHops } = this.#state
    const handle = table.peer[path] as number
    const peer = peers[handle]
    const accepted = table.accepted[path] as number
    const received = this.#decode(table.received[path] as number)
    const outcome = peer ? this.#importer.outcomeOf(peer, table.received[path] as number, table, prefix) : undefined
    const metric = accepted < 0 ? -1 : nextHops.get(attributes.nextHop[accepted] as number).metric
    return {
      from: peer?.options.name ?? sourceOf(table, path),
      ...(handle !== LOCAL_PEER && table.pathId[path] !== 0 ? { pathId: table.pathId[path] as number } : {}),
      stale: peer !== undefined && table.epoch[path] !== peer.families[table.family].epoch,
      received,
      ...(accepted < 0 ? {} : { attributes: this.#decode(accepted) }),
      ...(outcome?.accepted ? { policy: { policy: peer?.options.importPolicy?.name ?? '', rule: outcome.rule } } : {}),
      ...(metric < 0 ? {} : { igpMetric: metric }),
      state,
    }
  }

  /** Why a path did not even take part. */
  #absent(table: RouteTable, prefix: number, path: number): CandidateState {
    const peer = this.#state.peers[table.peer[path] as number]
    const accepted = table.accepted[path] as number
    switch (accepted) {
      case REFUSED.byPolicy: {
        const outcome = peer && this.#importer.outcomeOf(peer, table.received[path] as number, table, prefix)
        return { kind: 'rejected', policy: peer?.options.importPolicy?.name ?? '', rule: outcome?.rule ?? 'default' }
      }
      case REFUSED.ownAs:
        return { kind: 'invalid', reason: 'own-as', text: 'the own AS is already in the path: a loop' }
      case REFUSED.firstAs:
        return {
          kind: 'invalid',
          reason: 'first-as',
          text: `the path does not begin with AS ${peer?.session?.remoteAs} of the peer (RFC 4271 section 6.3)`,
        }
      case REFUSED.originator:
        return { kind: 'invalid', reason: 'originator', text: 'this router originated it: a loop of reflectors' }
      case REFUSED.cluster:
        return { kind: 'invalid', reason: 'cluster', text: 'it passed this cluster before: a loop of reflectors' }
      case REFUSED.noPolicy:
        return { kind: 'invalid', reason: 'no-policy', text: 'an external peer without import policy is not believed (RFC 8212)' }
      case REFUSED.tooLarge:
        return { kind: 'invalid', reason: 'too-large', text: 'the import policy makes the attributes longer than they can be' }
      default:
    }
    const hop = this.#state.nextHops.get(this.#state.attributes.nextHop[accepted] as number)
    if (hop.metric < 0) {
      const text = `there is no way to the next hop ${formatIp(hop.bytes.subarray(0, Math.min(16, hop.bytes.length)))}`
      return { kind: 'invalid', reason: 'next-hop-unreachable', text }
    }
    return { kind: 'invalid', reason: 'session-down', text: 'the session that brought it is gone; it is about to be removed' }
  }

  #export(table: RouteTable, prefix: number, peer: RibPeer): ExplainedExport {
    const side = peer.families[table.family]
    const advertised = side.advertised(prefix)
    this.#exporter.begin(peer)
    const result = this.#exporter.exportOf(table, prefix)
    const outcome = result >= 0 || result === WITHHELD.byPolicy ? this.#exporter.outcomeOf(table, prefix) : undefined
    const rule = outcome ? `rule "${outcome.rule}" of policy ${peer.options.exportPolicy?.name}` : 'no policy is in the way'
    const reason = result >= 0 ? `accepted: ${rule}` : `${WITHHELD_TEXT[result]}${outcome ? `: ${rule}` : ''}`
    return {
      peer: peer.options.name,
      ...(advertised < 0 ? {} : { advertised: this.#decode(advertised) }),
      reason,
      pending: side.queue.has(prefix),
    }
  }

  #decode(set: number): PathAttributes & { readonly linkLocal?: IpBytes } {
    const { attributes } = this.#state
    const { attributes: values, linkLocal } = decodeBlock(
      attributes.blockBytes(set),
      attributes.blockOffset(set),
      attributes.blockLength(set),
    )
    return linkLocal ? { ...values, linkLocal } : values
  }
}

function stateOf(one: BestPathCandidate | undefined, best: BestPathCandidate | undefined, companion: boolean): CandidateState {
  if (!one || !best || one === best) return { kind: 'best' }
  const step = stepName(one.lostAt)
  return companion ? { kind: 'multipath', step } : { kind: 'lost', step, text: describeStep(step, one, best) }
}
