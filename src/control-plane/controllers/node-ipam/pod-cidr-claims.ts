import type { Node } from '../../../api/generated/types.ts'
import { CidrSet } from './cidr-set.ts'
import type { ClusterCidr } from './cluster-cidrs.ts'

interface Claim {
  readonly uid: string | undefined
  readonly cidrs: readonly string[]
}

export type ClaimResult =
  | { readonly cidrs: readonly string[] }
  /** The range that has no part left. */
  | { readonly exhausted: ClusterCidr }

/**
 * Whose every part of the pod addresses is: what Nodes say, and what has been decided but is not seen on its Node yet. A decision stays
 * until the Node shows one or is gone, whatever became of the write: a write that was answered with an error may have happened.
 */
export class PodCidrClaims {
  readonly sets: readonly CidrSet[]
  readonly #claims = new Map<string, Claim>()

  constructor(ranges: readonly ClusterCidr[]) {
    this.sets = ranges.map((range) => new CidrSet(range))
  }

  /** A Node as it is now. */
  observe(node: Node): void {
    const { name, uid } = node.metadata
    const held = this.#claims.get(name)
    const cidrs = node.spec?.podCIDRs ?? []
    if (cidrs.length > 0) this.#replace(name, { uid, cidrs })
    else if (held && held.uid !== uid) this.forget(name)
  }

  /** The Node is gone. */
  forget(name: string): void {
    this.#replace(name, undefined)
  }

  /** What a Node without addresses should get: the same answer until it is observed to have some. */
  claim(node: Node): ClaimResult {
    const { name, uid } = node.metadata
    this.observe(node)
    const held = this.#claims.get(name)
    if (held) return { cidrs: held.cidrs }
    const cidrs: string[] = []
    for (const set of this.sets) {
      const cidr = set.allocate()
      if (cidr !== undefined) {
        cidrs.push(cidr)
        continue
      }
      cidrs.forEach((taken, i) => this.sets[i]?.release(taken))
      return { exhausted: set.range }
    }
    this.#claims.set(name, { uid, cidrs })
    return { cidrs }
  }

  #replace(name: string, next: Claim | undefined): void {
    const held = this.#claims.get(name)
    if (next) this.#claims.set(name, next)
    else this.#claims.delete(name)
    // first the new, then the old: a part that stays is never free in between
    if (held && next && held.cidrs.join() === next.cidrs.join()) return
    for (const set of this.sets) {
      for (const cidr of next?.cidrs ?? []) set.occupy(cidr)
      for (const cidr of held?.cidrs ?? []) set.release(cidr)
    }
  }
}
