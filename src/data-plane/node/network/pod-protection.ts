import type { Pod } from '../../../api/generated/types.ts'
import type { PodCgroup } from '../runtime.ts'

/**
 * What guards pods against packets before their first process runs: the policy enforcer of this node. The agent calls it for every pod with
 * a network of its own, or a cgroup to know it by, new or found after a restart; others of the node's own network are never told of, no policy selects them.
 */
export interface PodProtection {
  /**
   * Resolves once the kernel judges packets from and to `ips` by the policies that select the pod, or by a denial where those are not known yet.
   * Awaited after the pod's link exists and before any container of it is created; a rejection keeps the pod from starting, shows as
   * an event, and is tried again. Idempotent: called again for a pod that an earlier agent had started.
   * @param ips the pod's addresses, primary first
   * @param cgroup of pods in the node's own network
   */
  protect(pod: Pod, ips: readonly string[], cgroup?: PodCgroup): Promise<void>
  /** The pod's link is gone, its addresses may soon be another's. Also called for pods that were never protected. */
  release(podUid: string): void
}
