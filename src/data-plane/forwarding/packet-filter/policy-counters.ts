import type { Counter, Metrics } from '../../../base/metrics.ts'
import { counterName, type RuleLabel } from './filter-model.ts'

/** What a rule has judged since this process began to count. */
export interface RuleCount extends RuleLabel {
  readonly packets: number
  readonly bytes: number
}

interface Count {
  packets: number
  bytes: number
}

/** Counters of the kernel by rule. They begin at zero whenever the table is replaced; the sums here do not. */
export class PolicyCounters {
  readonly #packets: (label: RuleLabel) => Counter
  readonly #bytes: (label: RuleLabel) => Counter
  readonly #rows = new Map<number, { readonly label: RuleLabel; readonly total: Count; last: Count }>()

  constructor(metrics: Metrics) {
    const names = ['tier', 'direction', 'policy', 'rule', 'verdict']
    const packets = metrics.counter('biplane_policy_packets_total', 'Packets judged by a rule of a packet policy', names)
    const bytes = metrics.counter('biplane_policy_bytes_total', 'Bytes of the packets judged by a rule of a packet policy', names)
    this.#packets = (label) => packets.with(...valuesOf(label))
    this.#bytes = (label) => bytes.with(...valuesOf(label))
  }

  /** Takes in what the kernel has counted. @param listed answer of `nft -j list counters` */
  update(labels: ReadonlyMap<number, RuleLabel>, listed: unknown): void {
    const counts = readCounters(listed)
    for (const id of this.#rows.keys()) if (!labels.has(id)) this.#rows.delete(id)
    for (const [id, label] of labels) {
      const now = counts.get(counterName(id)) ?? { packets: 0, bytes: 0 }
      const row = this.#rows.get(id) ?? { label, total: { packets: 0, bytes: 0 }, last: { packets: 0, bytes: 0 } }
      // less than before: the table was replaced
      const base = now.packets < row.last.packets ? { packets: 0, bytes: 0 } : row.last
      const more = { packets: now.packets - base.packets, bytes: Math.max(now.bytes - base.bytes, 0) }
      this.#rows.set(id, { label, total: { packets: row.total.packets + more.packets, bytes: row.total.bytes + more.bytes }, last: now })
      if (more.packets === 0) continue
      this.#packets(label).inc(more.packets)
      this.#bytes(label).inc(more.bytes)
    }
  }

  counts(): readonly RuleCount[] {
    return [...this.#rows.values()].map(({ label, total }) => ({ ...label, ...total }))
  }
}

function valuesOf({ tier, direction, policies, rule, verdict }: RuleLabel): string[] {
  return [tier, direction, policies.join(','), rule === undefined ? '' : (rule.name ?? String(rule.index)), verdict]
}

function readCounters(listed: unknown): ReadonlyMap<string, Count> {
  const rows = (listed as { readonly nftables?: readonly { readonly counter?: { readonly name: string } & Count }[] }).nftables ?? []
  return new Map(rows.flatMap(({ counter }) => (counter ? [[counter.name, counter] as const] : [])))
}
