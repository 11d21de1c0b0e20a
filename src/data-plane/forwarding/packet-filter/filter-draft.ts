import { formatPrefix } from '../../../base/ip.ts'
import type { CompiledPolicy, DenyAction, Direction, Judges, PacketPolicy, PolicyRule } from '../../../policy/packet/policies/index.ts'
import type { FilterChain, FilterSet, RuleLabel } from './filter-model.ts'
import type { KernelNames } from './kernel-names.ts'
import { renderMatches, type SetNames } from './render-matches.ts'
import { counted, logged, protocolIs, reject, rule, to, verdict, type RulePiece } from './rule-pieces.ts'

export interface RenderOptions {
  /** Tell accepted packets to the log, too. Default false. */
  readonly logAccepted?: boolean
  /** Log lines a second of one rule; what is above is counted, not told. Default 10. */
  readonly logPerSecond?: number
  /** Leave flows alone that were allowed when they began. Default false: a policy holds for every packet from the moment it is in force. */
  readonly keepEstablished?: boolean
  /** The node's ends of pods' links, as nft matches names. Default: those of the pod network. */
  readonly podDevices?: string
}

export const LOG_PER_SECOND = 10

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
  /** Sets whose elements never change. */
  readonly constants: Map<string, FilterSet> = new Map()
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
    networks: (prefixes) => {
      const type = prefixes[0]?.family === 6 ? 'ipv6_addr' : 'ipv4_addr'
      return this.#constant('w', { type, isInterval: true, elements: new Set(prefixes.map(formatPrefix).sort()) })
    },
    ports: (ranges) => {
      const elements = ranges.map(([from, end]) => (from === end ? `${from}` : `${from}-${end}`))
      return this.#constant('q', { type: 'inet_service', isInterval: true, elements: new Set(elements) })
    },
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

  /** @returns the chain that judges */
  judges(judges: Judges, direction: Direction): string {
    const steps = [
      ...(judges.admin.length > 0 ? [this.#tier('a', judges.admin, direction)] : []),
      ...(judges.network.length > 0 ? [this.#isolation(judges, direction)] : []),
      ...(judges.baseline.length > 0 ? [this.#tier('b', judges.baseline, direction)] : []),
    ]
    if (steps.length === 1) return steps[0] as string
    return this.#chain(`j${this.#number(`judges ${judges.key}`)}`, () => steps.map((step) => to('jump', step)))
  }

  /** Rules of ClusterNetworkPolicies in order, in one chain: to leave it by `return` is to leave the tier. */
  #tier(letter: 'a' | 'b', ids: readonly string[], direction: Direction): string {
    return this.#chain(`${letter}${this.#number(`${letter} ${direction} ${ids.join(' ')}`)}`, () =>
      ids.flatMap((id) => {
        const policy = this.#get(id)
        return policy?.[direction]?.flatMap((one) => this.#rule(policy, one, direction)) ?? []
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
        return [
          to(
            'jump',
            this.#chain(name, () => rules.flatMap((own) => this.#rule(policy, own, direction))),
          ),
        ]
      })
      return [...policies, to('goto', this.#deny(id, isolation))]
    })
  }

  #rule(policy: CompiledPolicy, own: PolicyRule, direction: Direction): readonly RulePiece[] {
    const id = this.#number(`rule ${direction} ${policy.id} ${own.index}`)
    const denyAction = policy.denyAction ?? this.#policy.denyAction
    const denied = own.action === 'Deny'
    this.labels.set(id, {
      verdict: denied ? 'deny' : own.action === 'Pass' ? 'pass' : 'accept',
      tier: policy.tier,
      direction,
      policies: [policy.id],
      rule: { index: own.index, ...(own.name === undefined ? {} : { name: own.name }) },
      ...(denied ? { denyAction } : {}),
    })
    for (const port of own.ports ?? []) if ('named' in port) this.#ports.set(port.named, portsOf(this.#policy, port.named))
    const matches = renderMatches(own, direction, { names: this.#setNames, namedPorts: this.#policy.namedPorts })
    if (denied) {
      const chain = this.#deny(id, denyAction)
      return matches.map((match) => rule(...match, to('goto', chain)))
    }
    if (own.action === 'Pass') return matches.map((match) => rule(...match, counted(id), verdict('return')))
    return matches.flatMap((match) => [
      ...(this.#options.logAccepted ? [rule(...match, this.#log(id))] : []),
      rule(...match, counted(id), verdict('accept')),
    ])
  }

  #deny(id: number, action: DenyAction): string {
    return this.#chain(`d${id}`, () => [
      this.#log(id),
      ...(action === 'Drop'
        ? [rule(counted(id), verdict('drop'))]
        : [rule(protocolIs('TCP'), counted(id), reject('tcp-reset')), rule(counted(id), reject('icmpx'))]),
    ])
  }

  #log(id: number): RulePiece {
    return logged(id, this.#options.logPerSecond ?? LOG_PER_SECOND)
  }

  #chain(name: string, rules: () => readonly RulePiece[]): string {
    if (!this.chains.has(name)) this.chains.set(name, { rules: rules() })
    return name
  }

  #constant(letter: 'w' | 'q', set: FilterSet): string {
    const name = `${letter}${this.#number(`constant ${set.type} ${[...set.elements].join(' ')}`)}`
    this.constants.set(name, set)
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
