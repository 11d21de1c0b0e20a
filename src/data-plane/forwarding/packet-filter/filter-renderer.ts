import { DIRECTIONS, type Direction, type JudgedPod, type Judges, type PacketPolicy } from '../../../policy/packet/policies/index.ts'
import { AddressFamilies } from './address-families.ts'
import { baseChains, BASE_LABELS } from './base-chains.ts'
import { FilterDraft, type RenderOptions, type SetUse } from './filter-draft.ts'
import type { FilterChain, FilterModel, FilterSet } from './filter-model.ts'
import { KernelNames } from './kernel-names.ts'
import { mapPods, type PodMaps } from './pod-maps.ts'

const NONE: ReadonlySet<string> = new Set()

/**
 * Renders a PacketPolicy for the kernel. Chains: `p` the rules of one NetworkPolicy and direction, `a` and `b` the rules of one list of Admin or Baseline
 * policies, `n` one list of NetworkPolicies with the denial at its end, `j` tiers one after the other, `d` one denial. Chains are per distinct list,
 * never per pod; maps lead from a pod's address to its chain. Keeps the names that it has given, so that a change stays a small one.
 */
export class FilterRenderer {
  readonly #names = new KernelNames(BASE_LABELS.size)
  readonly #families = new AddressFamilies()
  readonly #options: RenderOptions
  readonly #base: ReadonlyMap<string, FilterChain>
  #drafts: ReadonlyMap<Judges, { readonly chain: string; readonly draft: FilterDraft }> = new Map()
  #pods: { readonly of: ReadonlyMap<string, JudgedPod>; readonly chains: string; readonly maps: PodMaps } | undefined

  constructor(options: RenderOptions = {}) {
    this.#options = options
    this.#base = baseChains(options)
  }

  /** @param tunnels ends of the tunnels between nodes, see NodeTunnels */
  render(policy: PacketPolicy, tunnels: ReadonlySet<string> = NONE): FilterModel {
    const drafts = new Map<Judges, { readonly chain: string; readonly draft: FilterDraft }>()
    const chainOf = new Map<Judges, string>()
    for (const pod of policy.pods.values()) {
      for (const direction of DIRECTIONS) {
        const judges = pod[direction]
        if (!judges || drafts.has(judges)) continue
        const known = this.#drafts.get(judges)
        const made = known?.draft.stillHolds(policy) ? known : this.#draft(policy, judges, direction)
        for (const key of made.draft.keys) this.#names.number(key)
        drafts.set(judges, made)
        chainOf.set(judges, made.chain)
      }
    }
    this.#drafts = drafts
    this.#names.sweep()
    const { maps, sets: podSets } = this.#mapPods(policy.pods, chainOf)
    const ends = this.#families.of(tunnels)
    const sets = new Map<string, FilterSet>([
      ...podSets,
      ['tunnels4', { type: 'ipv4_addr . inet_service', elements: ends.v4 }],
      ['tunnels6', { type: 'ipv6_addr . inet_service', elements: ends.v6 }],
    ])
    const chains = new Map(this.#base)
    const labels = new Map(BASE_LABELS)
    for (const { draft } of drafts.values()) {
      for (const [name, chain] of draft.chains) chains.set(name, chain)
      for (const [id, label] of draft.labels) labels.set(id, label)
      for (const [name, set] of draft.constants) sets.set(name, set)
      for (const [name, use] of draft.sets) if (!sets.has(name)) sets.set(name, this.#set(policy, use))
    }
    return { sets, maps, chains, labels }
  }

  #draft(policy: PacketPolicy, judges: Judges, direction: Direction): { readonly chain: string; readonly draft: FilterDraft } {
    const draft = new FilterDraft(policy, { names: this.#names, options: this.#options })
    return { chain: draft.judges(judges, direction), draft }
  }

  #set(policy: PacketPolicy, { key, port, family }: SetUse): FilterSet {
    const addresses = port === undefined ? policy.addresses.get(key) : policy.namedPorts.get(key)?.get(port)
    const { v4, v6 } = this.#families.of(addresses)
    return family === 4 ? { type: 'ipv4_addr', elements: v4 } : { type: 'ipv6_addr', elements: v6 }
  }

  #mapPods(pods: ReadonlyMap<string, JudgedPod>, chainOf: ReadonlyMap<Judges, string>): PodMaps {
    const chains = [...chainOf].map(([{ key }, chain]) => `${chain} ${key}`).join('\n')
    if (this.#pods?.of !== pods || this.#pods.chains !== chains) this.#pods = { of: pods, chains, maps: mapPods(pods, chainOf) }
    return this.#pods.maps
  }
}
