import type { Pod } from '../../../api/generated/types.ts'
import type { Nft } from '../../forwarding/contract.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import { compileInterception, isIntercepted } from './plan-interception.ts'

export interface InterceptionOptions {
  /** Path of a pod's network namespace. */
  readonly namespaceOf: (podUid: string) => string
  /** Opens the kernel's tables of a namespace. */
  readonly openNft: (namespace: string) => Pick<Nft, 'run' | 'close'>
}

/**
 * Leads the connections of meshed pods to their sidecars, before the first process of a pod runs. What is in force stays while agent and control
 * plane are away, and goes with the pod's namespace.
 */
export class Interception implements PodProtection {
  readonly #options: InterceptionOptions

  constructor(options: InterceptionOptions) {
    this.#options = options
  }

  async protect(pod: Pod): Promise<void> {
    if (!isIntercepted(pod)) return
    const nft = this.#options.openNft(this.#options.namespaceOf(pod.metadata.uid ?? ''))
    try {
      // connections that are open are known to the kernel by their own entries: replacing the rules does not touch them
      await nft.run(compileInterception(pod))
    } finally {
      nft.close()
    }
  }

  release(): void {
    // the rules are in the pod's namespace, and gone with it
  }
}

/** Several protections as one: a pod starts when all of them hold. */
export function protectBy(parts: readonly PodProtection[]): PodProtection {
  return {
    async protect(pod, ips) {
      for (const part of parts) await part.protect(pod, ips)
    },
    release(podUid) {
      for (const part of parts) part.release(podUid)
    },
  }
}
