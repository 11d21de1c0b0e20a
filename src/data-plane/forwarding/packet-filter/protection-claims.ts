import type { Pod } from '../../../api/generated/types.ts'
import type { ClaimedPod } from '../../../policy/packet/policies/index.ts'
import type { ChangingList } from '../../service-proxy/index.ts'

interface Waiter {
  readonly uid: string
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/** The pods that are about to start, or have, with the addresses that the node gave them; and those that are gone before the API knows. */
export class ProtectionClaims {
  #claims: ReadonlyMap<string, ClaimedPod> = new Map()
  #released: ReadonlySet<string> = new Set()
  #waiters: Waiter[] = []
  #changed: () => void = () => {}
  #isClosed = false

  onChange(fn: () => void): void {
    this.#changed = fn
  }

  /** Resolves with the first `settle` of a `take` that has seen it. */
  protect(pod: Pod, ips: readonly string[]): Promise<void> {
    const uid = pod.metadata.uid ?? ''
    if (this.#isClosed) return Promise.reject(new Error('packet policies are not enforced any more: the node agent ends'))
    const known = this.#claims.get(uid)
    if (!known || known.ips.join() !== ips.join()) this.#claims = new Map(this.#claims).set(uid, { pod, ips })
    if (this.#released.has(uid)) this.#released = new Set([...this.#released].filter((one) => one !== uid))
    const done = new Promise<void>((resolve, reject) => this.#waiters.push({ uid, resolve, reject }))
    this.#changed()
    return done
  }

  release(uid: string): void {
    const claims = new Map(this.#claims)
    claims.delete(uid)
    this.#claims = claims
    this.#released = new Set([...this.#released, uid])
    const gone = this.#waiters.filter((waiter) => waiter.uid === uid)
    this.#waiters = this.#waiters.filter((waiter) => waiter.uid !== uid)
    for (const { reject } of gone) reject(new Error('the pod is gone'))
    this.#changed()
  }

  /** What is claimed now. `settle` ends the waiting of those who are in it: well, or with an error. */
  take(pods: ChangingList<Pod>): {
    readonly claims: ReadonlyMap<string, ClaimedPod>
    readonly released: ReadonlySet<string>
    readonly settle: (error?: Error) => void
  } {
    if (this.#released.size > 0) {
      const listed = new Set(pods.list().flatMap(({ metadata: { uid } }) => (uid !== undefined && this.#released.has(uid) ? [uid] : [])))
      if (listed.size !== this.#released.size) this.#released = listed
    }
    const waiters = this.#waiters
    this.#waiters = []
    return {
      claims: this.#claims,
      released: this.#released,
      settle: (error) => {
        for (const { resolve, reject } of waiters)
          if (error) reject(error)
          else resolve()
      },
    }
  }

  /** Nobody waits for ever. */
  close(): void {
    this.#isClosed = true
    const waiters = this.#waiters
    this.#waiters = []
    for (const { reject } of waiters) reject(new Error('packet policies are not enforced any more: the node agent ends'))
  }
}
