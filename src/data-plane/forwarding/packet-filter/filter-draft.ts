import type { CompiledPolicy, DenyAction, Direction, Judges, PacketPolicy, PolicyRule } from '../../../policy/packet/policies/index.ts'
import type { AddressFamilies } from './address-families.ts'
import { counterName, LOG_GROUP, LOG_PREFIX, type FilterChain, type FilterSet, type RuleLabel } from './filter-model.ts'
import type { KernelNames } from './kernel-names.ts'
import { renderMatches, type SetNames } from './render-matches.ts'

export interface RenderOptions {
  /** Tell accepted packets to the log, too. Default false. */
  readonly logAccepted?: boolean
  /** Log lines a second of one rule; what is above is counted, not told. Default 10. */
  readonly logPerSecond?: number
  /** Leave flows alone that were allowed when they began. Default false: a policy holds for every packet from the moment it is in force. */
  readonly keepEstablished?: boolean
}

const LOG_PER_SECOND = 10
const SNAP_BYTES = 128

/** One render under way: hands out chains for judges and collects what they need. */
export class FilterDraft {
  readonly sets: Map<string, FilterSet> = new Map()
  readonly chains: Map<string, FilterChain> = new Map()
  readonly labels: Map<number, RuleLabel> = new Map()
  readonly #policy: PacketPolicy
  readonly #names: KernelNames
  readonly #families: AddressFamilies
  readonly #options: RenderOptions
  readonly #setNames: SetNames = {
    selector: (key, family) => this.#set(`s${this.#names.number(`selector ${key}`)}`, this.#policy.addresses.get(key), family),
    namedPort: (key, port, family) =>
      this.#set(`m${this.#names.number(`named ${key}`)}x${port}`, this.#policy.namedPorts.get(key)?.get(port), family),
  }

  constructor(
    policy: PacketPolicy,
    parts: { readonly names: KernelNames; readonly families: AddressFamilies; readonly options: RenderOptions },
  ) {
    this.#policy = policy
    this.#names = parts.names
    this.#families = parts.families
    this.#options = parts.options
  }

  /** The chain that judges; undefined when every policy is gone. */
  judges(judges: Judges, direction: Direction): string {
    const steps = [
      ...(judges.admin.length > 0 ? [this.#tier('a', judges.admin, direction)] : []),
      ...(judges.network.length > 0 ? [this.#isolation(judges, direction)] : []),
      ...(judges.baseline.length > 0 ? [this.#tier('b', judges.baseline, direction)] : []),
    ]
    if (steps.length === 1) return steps[0] as string
    return this.#chain(`j${this.#names.number(`judges ${judges.key}`)}`, () => steps.map((step) => `jump ${step}`))
  }

  /** Rules of ClusterNetworkPolicies in order, in one chain: to leave it by `return` is to leave the tier. */
  #tier(letter: 'a' | 'b', ids: readonly string[], direction: Direction): string {
    return this.#chain(`${letter}${this.#names.number(`${letter} ${direction} ${ids.join(' ')}`)}`, () =>
      ids.flatMap((id) => {
        const policy = this.#policy.policies.get(id)
        return policy?.[direction]?.flatMap((rule) => this.#rule(policy, rule, direction)) ?? []
      }),
    )
  }

  #isolation({ network, isolation }: Judges, direction: Direction): string {
    const key = `${direction} ${isolation} ${network.join(' ')}`
    return this.#chain(`n${this.#names.number(`network ${key}`)}`, () => {
      const id = this.#names.number(`isolation ${key}`)
      this.labels.set(id, { verdict: 'deny', tier: 'NetworkPolicy', direction, policies: network, denyAction: isolation })
      const policies = network.flatMap((one) => {
        const policy = this.#policy.policies.get(one)
        const rules = policy?.[direction] ?? []
        if (!policy || rules.length === 0) return []
        const name = `p${this.#names.number(`policy ${direction} ${one}`)}`
        return [`jump ${this.#chain(name, () => rules.flatMap((rule) => this.#rule(policy, rule, direction)))}`]
      })
      return [...policies, `goto ${this.#deny(id, isolation)}`]
    })
  }

  #rule(policy: CompiledPolicy, rule: PolicyRule, direction: Direction): readonly string[] {
    const id = this.#names.number(`rule ${direction} ${policy.id} ${rule.index}`)
    const denyAction = policy.denyAction ?? this.#policy.denyAction
    const denied = rule.action === 'Deny'
    this.labels.set(id, {
      verdict: denied ? 'deny' : rule.action === 'Pass' ? 'pass' : 'accept',
      tier: policy.tier,
      direction,
      policies: [policy.id],
      rule: { index: rule.index, ...(rule.name === undefined ? {} : { name: rule.name }) },
      ...(denied ? { denyAction } : {}),
    })
    const matches = renderMatches(rule, direction, { names: this.#setNames, namedPorts: this.#policy.namedPorts })
    const counter = `counter name ${counterName(id)}`
    if (denied) {
      const chain = this.#deny(id, denyAction)
      return matches.map((match) => `${match}goto ${chain}`)
    }
    if (rule.action === 'Pass') return matches.map((match) => `${match}${counter} return`)
    return matches.flatMap((match) => [...(this.#options.logAccepted ? [`${match}${this.#log(id)}`] : []), `${match}${counter} accept`])
  }

  #deny(id: number, action: DenyAction): string {
    const counter = `counter name ${counterName(id)}`
    return this.#chain(`d${id}`, () => [
      this.#log(id),
      ...(action === 'Drop'
        ? [`${counter} drop`]
        : [`meta l4proto tcp ${counter} reject with tcp reset`, `${counter} reject with icmpx admin-prohibited`]),
    ])
  }

  #log(id: number): string {
    const rate = this.#options.logPerSecond ?? LOG_PER_SECOND
    return `limit rate ${rate}/second burst ${2 * rate} packets log prefix "${LOG_PREFIX}${id} " group ${LOG_GROUP} snaplen ${SNAP_BYTES}`
  }

  #chain(name: string, rules: () => readonly string[]): string {
    if (!this.chains.has(name)) this.chains.set(name, { rules: rules() })
    return name
  }

  #set(stem: string, addresses: ReadonlySet<string> | undefined, family: 4 | 6): string {
    const name = `${stem}v${family}`
    if (!this.sets.has(name)) {
      this.sets.set(name, {
        type: family === 4 ? 'ipv4_addr' : 'ipv6_addr',
        elements: this.#families.of(addresses)[family === 4 ? 'v4' : 'v6'],
      })
    }
    return name
  }
}
