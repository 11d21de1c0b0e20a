import { sleep, type Clock } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Pod, PodStatus } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Client } from '../../../client/client.ts'

interface Entry {
  pod: Pod
  status: PodStatus
  sent: PodStatus | undefined
  running: Promise<void> | undefined
  /** Delete the API object once the status is through. */
  release: boolean
}

const RETRY_MS = [200, 500, 1_000, 2_000, 5_000]

/**
 * Carries pod statuses to the API server: one request per pod at a time, only the newest status is sent, unchanged ones
 * are not. Keeps trying while the API server is away; a pod that is gone there is forgotten.
 */
export class StatusManager {
  readonly #client: Client
  readonly #clock: Clock
  readonly #log: Logger
  readonly #signal: AbortSignal
  readonly #entries = new Map<string, Entry>()

  constructor(options: { readonly client: Client; readonly clock: Clock; readonly log: Logger; readonly signal: AbortSignal }) {
    this.#client = options.client
    this.#clock = options.clock
    this.#log = options.log
    this.#signal = options.signal
  }

  publish(pod: Pod, status: PodStatus): void {
    const uid = pod.metadata.uid ?? ''
    const entry = this.#entries.get(uid)
    if (entry && deepEqual(entry.status, status)) return
    if (entry) Object.assign(entry, { pod, status })
    else this.#entries.set(uid, { pod, status, sent: undefined, running: undefined, release: false })
    this.#kick(uid)
  }

  /** Sends the last status, then deletes the pod for good. */
  release(pod: Pod, status: PodStatus): void {
    this.publish(pod, status)
    const uid = pod.metadata.uid ?? ''
    const entry = this.#entries.get(uid)
    if (!entry) return
    entry.release = true
    this.#kick(uid)
  }

  forget(uid: string): void {
    this.#entries.delete(uid)
  }

  #kick(uid: string): void {
    const entry = this.#entries.get(uid)
    if (!entry || entry.running) return
    entry.running = this.#drain(uid, entry).finally(() => {
      entry.running = undefined
      if (this.#entries.get(uid) === entry && !this.#signal.aborted && this.#pending(entry)) this.#kick(uid)
    })
  }

  #pending(entry: Entry): boolean {
    return entry.release || entry.sent !== entry.status
  }

  async #drain(uid: string, entry: Entry): Promise<void> {
    for (let attempt = 0; !this.#signal.aborted && this.#entries.get(uid) === entry && this.#pending(entry);) {
      const { pod, status } = entry
      try {
        await this.#send(pod, status, entry)
        attempt = 0
      } catch (error) {
        if (isStatus(error, 'NotFound', 'Conflict')) {
          // gone, or another pod of the same name by now
          this.#entries.delete(uid)
          return
        }
        this.#log.debug('pod status not sent', { pod: pod.metadata.name, namespace: pod.metadata.namespace, error: messageOf(error) })
        await sleep(this.#clock, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)] as number, this.#signal).catch(() => {})
      }
    }
  }

  async #send(pod: Pod, status: PodStatus, entry: Entry): Promise<void> {
    const { name, namespace, uid } = pod.metadata
    const api = this.#client.of(pods)
    if (entry.sent !== status) {
      // the uid makes a write to a successor of the same name fail
      await api.patch(
        name,
        { metadata: { uid }, status: withRemovals(entry.sent ?? pod.status, status) },
        { type: 'merge', namespace, subresource: 'status', signal: this.#signal },
      )
      entry.sent = status
    }
    if (!entry.release || entry.status !== status) return
    await api.delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid: uid ?? '' }, signal: this.#signal })
    this.#entries.delete(uid ?? '')
  }
}

/** A merge patch that turns `before` into `after`: what is gone is null. Lists replace each other. */
function withRemovals(before: PodStatus | undefined, after: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...after }
  for (const key of ['reason', 'message', 'podIP', 'podIPs', 'initContainerStatuses'] as const) {
    if (before?.[key] !== undefined && after[key] === undefined) patch[key] = null
  }
  return patch
}
