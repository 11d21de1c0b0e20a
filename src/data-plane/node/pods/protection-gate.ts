import { messageOf } from '../../../base/errors.ts'
import type { Pod } from '../../../api/generated/types.ts'
import type { PodProxies } from '../mesh/hosted-pods.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import type { Sandbox } from '../runtime.ts'

/** Lets containers of a pod start only once its network policies hold, and the proxy of the node carries its connections where that is to. */
export class ProtectionGate {
  readonly #protection: PodProtection | undefined
  readonly #proxies: PodProxies | undefined
  #passed: Promise<void> | undefined

  constructor({ protection, proxies }: { readonly protection?: PodProtection | undefined; readonly proxies?: PodProxies | undefined }) {
    this.#protection = protection
    this.#proxies = proxies
  }

  /** Asks once for each life of the agent; a failure is asked again. A pod of the node's own network that nothing tells from others passes. */
  pass(pod: Pod, sandbox: Sandbox): Promise<void> {
    const { ips, networkNamespace, cgroup } = sandbox
    if (!this.#protection || (networkNamespace === undefined && cgroup === undefined)) return Promise.resolve()
    this.#passed ??= this.#protection.protect(pod, ips, cgroup).catch((error: unknown) => {
      this.#passed = undefined
      throw new Error(`network policies are not in force for it: ${messageOf(error)}`, { cause: error })
    })
    return this.#passed
  }

  /** What an earlier agent has left: nothing waits for it now. */
  adopt(pod: Pod, sandbox: Sandbox): Promise<void> {
    // not ready now: asked again before the next start
    void this.#proxies?.attach(pod, sandbox).catch(() => {})
    return this.pass(pod, sandbox)
  }

  /** Before each start of a container. The proxy comes last: it is told by the control plane, which has to know the pod's address. */
  async beforeStart(pod: Pod, sandbox: Sandbox): Promise<void> {
    await this.pass(pod, sandbox)
    await this.#proxies?.attach(pod, sandbox)
  }

  /** The containers have ended, for good. */
  ended(podUid: string): void {
    this.#proxies?.detach(podUid)
  }

  release(podUid: string): void {
    this.#protection?.release(podUid)
  }
}
