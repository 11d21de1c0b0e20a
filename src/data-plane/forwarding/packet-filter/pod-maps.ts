import type { JudgedPod, Judges } from '../../../policy/packet/policies/index.ts'
import type { FilterMap, FilterSet } from './filter-model.ts'

/** What leads from the addresses of the node's pods to their chains. */
export interface PodMaps {
  readonly maps: ReadonlyMap<string, FilterMap>
  readonly sets: ReadonlyMap<string, FilterSet>
}

/** Maps `egress4`, `ingress4` (address -> chain), sets `judged4` (address) and `self4` (address, address again); the same for IPv6. */
export function mapPods(pods: ReadonlyMap<string, JudgedPod>, chainOf: ReadonlyMap<Judges, string>): PodMaps {
  const maps = new Map<string, FilterMap>()
  const sets = new Map<string, FilterSet>()
  for (const family of [4, 6] as const) {
    const type = family === 4 ? 'ipv4_addr' : 'ipv6_addr'
    const egress = new Map<string, string>()
    const ingress = new Map<string, string>()
    const judged = new Set<string>()
    const self = new Set<string>()
    for (const [address, pod] of pods) {
      if (address.includes(':') !== (family === 6)) continue
      const out = pod.egress && chainOf.get(pod.egress)
      const into = pod.ingress && chainOf.get(pod.ingress)
      if (out !== undefined) egress.set(address, out)
      if (into !== undefined) ingress.set(address, into)
      judged.add(address)
      self.add(`${address} . ${address}`)
    }
    maps.set(`egress${family}`, { type, verdicts: egress })
    maps.set(`ingress${family}`, { type, verdicts: ingress })
    sets.set(`judged${family}`, { type, elements: judged })
    sets.set(`self${family}`, { type: `${type} . ${type}` as FilterSet['type'], elements: self })
  }
  return { maps, sets }
}
