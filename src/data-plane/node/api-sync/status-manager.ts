import { sleep, type Clock } from '../../../base/clock.ts'
import { isStatus, messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { ContainerStatus, Pod, PodCondition, PodStatus } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { Client } from '../../../client/client.ts'
import { isOwnCondition } from '../pods/merge-status.ts'

interface Entry {
  pod: Pod
  status: PodStatus
  sent: PodStatus | undefined
  /** Of the server's answer to our last write. */
  revision: bigint
  running: Promise<void> | undefined
  /** Ends the wait of a status that is held back. */
  hurry: (() => void) | undefined
  /** Delete the API object once the status is through. */
  release: boolean
}

/** A pod that is merely starting is past it so soon that nobody would see it: its status waits this long for the next one. */
const HOLD_MS = 100
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
    else this.#entries.set(uid, { pod, status, sent: undefined, revision: 0n, running: undefined, hurry: undefined, release: false })
    if (!isStarting(status)) entry?.hurry?.()
    this.#kick(uid)
  }

  /**
   * The pod as the API server has it now. When somebody else has overwritten what we said (the node life cycle does, while it
   * takes us for dead), ours is sent again; what is older than our last write is ignored.
   */
  observe(pod: Pod): void {
    const uid = pod.metadata.uid ?? ''
    const entry = this.#entries.get(uid)
    if (!entry || entry.running || entry.sent !== entry.status) return
    const revision = BigInt(pod.metadata.resourceVersion ?? '0')
    if (revision <= entry.revision || sayTheSame(pod.status, entry.status)) return
    entry.revision = revision
    Object.assign(entry, { pod, sent: undefined })
    this.#kick(uid)
  }

  /** Sends the last status, then deletes the pod for good. */
  release(pod: Pod, status: PodStatus): void {
    this.publish(pod, status)
    const uid = pod.metadata.uid ?? ''
    const entry = this.#entries.get(uid)
    if (!entry) return
    entry.release = true
    entry.hurry?.()
    this.#kick(uid)
  }

  /** Resolves when what has been published by now is through, or is not sent any more. */
  async sent(): Promise<void> {
    await Promise.all([...this.#entries.values()].flatMap(({ running }) => running ?? []))
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
      if (isStarting(entry.status) && !entry.release) await this.#hold(entry)
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
        const level = isStatus(error) && attempt === 0 ? 'warn' : 'debug'
        this.#log[level]('pod status not sent', { pod: pod.metadata.name, namespace: pod.metadata.namespace, error: messageOf(error) })
        await sleep(this.#clock, RETRY_MS[Math.min(attempt++, RETRY_MS.length - 1)] as number, this.#signal).catch(() => {})
      }
    }
  }

  async #hold(entry: Entry): Promise<void> {
    const hurried = new AbortController()
    entry.hurry = () => hurried.abort()
    await sleep(this.#clock, HOLD_MS, AbortSignal.any([hurried.signal, this.#signal])).catch(() => {})
    entry.hurry = undefined
  }

  async #send(pod: Pod, status: PodStatus, entry: Entry): Promise<void> {
    const { name, namespace, uid } = pod.metadata
    const api = this.#client.of(pods)
    if (entry.sent !== status) {
      // the uid makes a write to a successor of the same name fail
      const written = await api.patch(
        name,
        { metadata: { uid }, status: statusPatch(entry.sent ?? pod.status, status) },
        { type: 'strategic', namespace, subresource: 'status', signal: this.#signal },
      )
      entry.sent = status
      entry.revision = BigInt(written.metadata.resourceVersion ?? '0')
    }
    if (!entry.release || entry.status !== status) return
    await api.delete(name, { namespace, gracePeriodSeconds: 0, preconditions: { uid: uid ?? '' }, signal: this.#signal })
    this.#entries.delete(uid ?? '')
  }
}

/**
 * A strategic merge patch that turns `before` into `after`: what is gone is null. Conditions merge by type, so that those
 * of others stay even when they came just now.
 */
function statusPatch(before: PodStatus | undefined, after: PodStatus): Record<string, unknown> {
  const patch: Record<string, unknown> = { ...after }
  patch['conditions'] = after.conditions
    ?.filter((condition) => isOwnCondition(condition.type))
    .map((condition) => ({ ...withdrawn(before?.conditions, condition), ...condition }))
  // lists with a merge key, that we own whole
  for (const key of ['podIPs', 'hostIPs'] as const) if (after[key]) patch[key] = [...after[key], { $patch: 'replace' }]
  for (const key of ['reason', 'message', 'podIP', 'podIPs', 'initContainerStatuses'] as const) {
    if (before?.[key] !== undefined && after[key] === undefined) patch[key] = null
  }
  return patch
}

/** Merged conditions keep what a patch does not name: why a condition was False does not stay once it is True. */
function withdrawn(before: readonly PodCondition[] | undefined, condition: PodCondition): Record<string, null> {
  const present = before?.find(({ type }) => type === condition.type)
  const gone = (['reason', 'message'] as const).filter((key) => present?.[key] !== undefined && condition[key] === undefined)
  return Object.fromEntries(gone.map((key) => [key, null]))
}

/** Nothing is wrong and nothing runs yet. */
function isStarting({ phase, containerStatuses = [], initContainerStatuses = [] }: PodStatus): boolean {
  const quiet = ({ state }: ContainerStatus): boolean => ['ContainerCreating', 'PodInitializing'].includes(state?.waiting?.reason ?? '')
  return phase === 'Pending' && [...initContainerStatuses, ...containerStatuses].every(quiet)
}

/** Whether the server's status says what ours does; what others own, and how a list is ordered, is no difference. */
function sayTheSame(server: PodStatus | undefined, ours: PodStatus): boolean {
  const conditions = new Map((server?.conditions ?? []).map((condition) => [condition.type, condition.status]))
  if ((ours.conditions ?? []).some(({ type, status }) => isOwnCondition(type) && conditions.get(type) !== status)) return false
  const fields = ['phase', 'reason', 'message', 'podIP', 'containerStatuses', 'initContainerStatuses'] as const
  return fields.every((field) => deepEqual(plain(server?.[field]), plain(ours[field])))
}

/** As it comes back from JSON: without members that are undefined. */
const plain = (value: unknown): unknown => (value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as unknown))
