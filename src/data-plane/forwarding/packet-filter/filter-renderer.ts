import { DIRECTIONS, type JudgedPod, type Judges, type PacketPolicy } from '../../../policy/packet/policies/index.ts'
import { AddressFamilies } from './address-families.ts'
import { baseChains, STRAYS_ID, STRAYS_LABEL } from './base-chains.ts'
import { FilterDraft, type RenderOptions } from './filter-draft.ts'
import type { FilterModel } from './filter-model.ts'
import { KernelNames } from './kernel-names.ts'
import { mapPods, type PodMaps } from './pod-maps.ts'

/**
 * Renders a PacketPolicy for the kernel. Chains: `p` the rules of one NetworkPolicy and direction, `a` and `b` the rules of one list of Admin or Baseline
 * policies, `n` one list of NetworkPolicies with the denial at its end, `j` tiers one after the other, `d` one denial. Chains are per distinct list,
 * never per pod; maps lead from a pod's address to its chain. Keeps the names that it has given, so that a change stays a small one.
 */
export class FilterRenderer {
  readonly #names = new KernelNames()
  readonly #families = new AddressFamilies()
  readonly #options: RenderOptions
  #pods: { readonly of: ReadonlyMap<string, JudgedPod>; readonly chains: string; readonly maps: PodMaps } | undefined

  constructor(options: RenderOptions = {}) {
    this.#options = options
  }

  render(policy: PacketPolicy): FilterModel {
    const draft = new FilterDraft(policy, { names: this.#names, families: this.#families, options: this.#options })
    const chainOf = new Map<Judges, string>()
    for (const pod of policy.pods.values()) {
      for (const direction of DIRECTIONS) {
        const judges = pod[direction]
        if (judges && !chainOf.has(judges)) chainOf.set(judges, draft.judges(judges, direction))
      }
    }
    this.#names.sweep()
    const { maps, sets } = this.#mapPods(policy.pods, chainOf)
    return {
      sets: new Map([...draft.sets, ...sets]),
      maps,
      chains: new Map([...draft.chains, ...baseChains(this.#options)]),
      labels: new Map([[STRAYS_ID, STRAYS_LABEL], ...draft.labels]),
    }
  }

  #mapPods(pods: ReadonlyMap<string, JudgedPod>, chainOf: ReadonlyMap<Judges, string>): PodMaps {
    const chains = [...chainOf].map(([{ key }, chain]) => `${chain} ${key}`).join('\n')
    if (this.#pods?.of !== pods || this.#pods.chains !== chains) this.#pods = { of: pods, chains, maps: mapPods(pods, chainOf) }
    return this.#pods.maps
  }
}
