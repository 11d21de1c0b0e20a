import type { CompiledPolicy, DenyAction, Direction, Judges, PacketPolicy, PolicyRule } from '../../../policy/packet/policies/index.ts'
import { counterName, LOG_GROUP, LOG_PREFIX, type FilterChain, type RuleLabel } from './filter-model.ts'
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

/** A set that chains look into, and where its addresses are. */
export interface SetUse {
  readonly name: string
  readonly family: 4 | 6
  readonly key: string
  /** Of a named port; absent: of a selector. */
  readonly port?: number
}

/** The chains of one list of judges, with all that they need and all that they were made from. */
export class FilterDraft {
  readonly chains: Map<string, FilterChain> = new Map()
  readonly labels: Map<number, RuleLabel> = new Map()
  readonly sets: Map<string, SetUse> = new Map()
  /** Keys of the names in it. */
  readonly keys: Set<string> = new Set()
  readonly #policy: PacketPolicy
  readonly #names: KernelNames
  readonly #options: RenderOptions
  readonly #madeOf = new Map<string, CompiledPolicy | undefined>()
  readonly #ports = new Map<string, string>()
  readonly #setNames: SetNames = {
    selector: (key, family) => this.#set({ name: `s${this.#number(`selector ${key}`)}v${family}`, key, family }),
    namedPort: (key, port, family) => this.#set({ name: `m${this.#number(`named ${key}`)}x${port}v${family}`, key, port, family }),
  }

  constructor(policy: PacketPolicy, parts: { readonly names: KernelNames; readonly options: RenderOptions }) {
    this.#policy = policy
    this.#names = parts.names
    this.#options = parts.options
  }

  /** Whether a render of `policy` would give the same, elements of sets aside. */
  stillHolds(policy: PacketPolicy): boolean {
    for (const [id, one] of this.#madeOf) if (policy.policies.get(id) !== one) return false
    for (const [key, numbers] of this.#ports) if (portsOf(policy, key) !== numbers) return false
    return true
  }

  /** The chain that judges; */
  judges(judges: Judges, direction: Direction): string {
    const steps = [
      ...(judges.admin.length > 0 ? [this.#tier('a', judges.admin, direction)] : []),
      ...(judges.network.length > 0 ? [this.#isolation(judges, direction)] : []),
      ...(judges.baseline.length > 0 ? [this.#tier('b', judges.baseline, direction)] : []),
    ]
    if (steps.length === 1) return steps[0] as string
    return this.#chain(`j${this.#number(`judges ${judges.key}`)}`, () => steps.map((step) => `jump ${step}`))
  }

  /** Rules of ClusterNetworkPolicies in order, in one chain: to leave it by `return` is to leave the tier. */
  #tier(letter: 'a' | 'b', ids: readonly string[], direction: Direction): string {
    return this.#chain(`${letter}${this.#number(`${letter} ${direction} ${ids.join(' ')}`)}`, () =>
      ids.flatMap((id) => {
        const policy = this.#get(id)
        return policy?.[direction]?.flatMap((rule) => this.#rule(policy, rule, direction)) ?? []
      }),
    )
  }

  #isolation({ network, isolation }: Judges, direction: Direction): string {
    const key = `${direction} ${isolation} ${network.join(' ')}`
    return this.#chain(`n${this.#number(`network ${key}`)}`, () => {
      const id = this.#number(`isolation ${key}`)
      this.labels.set(id, { verdict: 'deny', tier: 'NetworkPolicy', direction, policies: network, denyAction: isolation })
      const policies = network.flatMap((one) => {
        const policy = this.#get(one)
        const rules = policy?.[direction] ?? []
        if (!policy || rules.length === 0) return []
        const name = `p${this.#number(`policy ${direction} ${one}`)}`
        return [`jump ${this.#chain(name, () => rules.flatMap((rule) => this.#rule(policy, rule, direction)))}`]
      })
      return [...policies, `goto ${this.#deny(id, isolation)}`]
    })
  }

  #rule(policy: CompiledPolicy, rule: PolicyRule, direction: Direction): readonly string[] {
    const id = this.#number(`rule ${direction} ${policy.id} ${rule.index}`)
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
    for (const port of rule.ports ?? []) if ('named' in port) this.#ports.set(port.named, portsOf(this.#policy, port.named))
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

  #set(use: SetUse): string {
    this.sets.set(use.name, use)
    return use.name
  }

  #get(id: string): CompiledPolicy | undefined {
    const policy = this.#policy.policies.get(id)
    this.#madeOf.set(id, policy)
    return policy
  }

  #number(key: string): number {
    this.keys.add(key)
    return this.#names.number(key)
  }
}

const portsOf = (policy: PacketPolicy, key: string): string => [...(policy.namedPorts.get(key)?.keys() ?? [])].join(' ')
