import { messageOf } from '../../../base/errors.ts'
import type { Pod } from '../../../api/generated/types.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import type { Sandbox } from '../runtime.ts'

/** Lets containers of a pod start only once its network policies hold. */
export class ProtectionGate {
  readonly #protection: PodProtection | undefined
  #passed: Promise<void> | undefined

  constructor(protection: PodProtection | undefined) {
    this.#protection = protection
  }

  /** Asks once for each life of the agent; a failure is asked again. A pod of the node's own network passes. */
  pass(pod: Pod, sandbox: Sandbox): Promise<void> {
    if (!this.#protection || sandbox.networkNamespace === undefined) return Promise.resolve()
    this.#passed ??= this.#protection.protect(pod, sandbox.ips).catch((error: unknown) => {
      this.#passed = undefined
      throw new Error(`network policies are not in force for it: ${messageOf(error)}`, { cause: error })
    })
    return this.#passed
  }

  release(podUid: string): void {
    this.#protection?.release(podUid)
  }
}
