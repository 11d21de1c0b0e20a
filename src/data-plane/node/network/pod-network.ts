import type { Pod } from '../../../api/generated/types.ts'
import type { PodAddresses } from './addresses/pod-addresses.ts'

/** A pod's place in the network, as the runtime keeps it on disk. */
export interface NetworkedPod {
  readonly podUid: string
  readonly pod: Pod
  /** Its addresses, primary first. */
  readonly ips: readonly string[]
  /** A process that runs in the pod, if there is one. */
  readonly pid?: number | undefined
}

/**
 * Gives pods a network of their own. The runtime asks: an address when a pod's sandbox is made, its network before the first container is
 * created, and removal after the last one has ended. Pods that use the node's network never come here.
 * Everything is idempotent, and what is right already is not touched: a new agent restores while connections run.
 */
export interface PodNetwork {
  readonly addresses: PodAddresses
  /** Path of the pod's network namespace. */
  namespaceOf(podUid: string): string
  /** What an earlier agent has left: mended where something is missing; networks of other pods are removed. Never throws. */
  restore(pods: readonly NetworkedPod[]): Promise<void>
  /** Resolves when packets can pass. After an error nothing of the pod is left. @throws LinkError, SystemCallError, HostPortError */
  attach(pod: NetworkedPod): Promise<void>
  detach(podUid: string): Promise<void>
}
