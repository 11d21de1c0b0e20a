import type { ClusterEvent } from './framework.ts'
import type { PodInfo } from './pod-info.ts'

export interface QueuedPod {
  readonly info: PodInfo
  readonly attempts: number
  /** Monotonic ms of first arrival: ties of priority are first come, first served. */
  readonly addedAtMs: number
}

const INITIAL_BACKOFF_MS = 1_000
const MAX_BACKOFF_MS = 10_000
/** A pod that no event has helped for this long is tried again all the same. */
const MAX_UNSCHEDULABLE_MS = 300_000

interface Waiting extends QueuedPod {
  readonly rejectedBy: ReadonlySet<string>
  readonly sinceMs: number
}

/**
 * Pods that wait for a node, in three parts: active (to be tried now, highest priority first), back-off (tried too
 * recently), unschedulable (waits for an event that one of its refusing plugins asked for). Time is passed in; pure
 * but for its own state. Source: kubernetes/pkg/scheduler/backend/queue.
 */
export class SchedulingQueue {
  readonly #hints: ReadonlyMap<string, ReadonlySet<ClusterEvent>>
  readonly #active: QueuedPod[] = []
  readonly #activeUids = new Set<string>()
  readonly #backOff = new Map<string, { readonly pod: QueuedPod; readonly untilMs: number }>()
  readonly #unschedulable = new Map<string, Waiting>()
  /** Pods taken out, with what happened since: if that could have helped, a failure goes to back-off, not to the unschedulable. */
  readonly #inFlight = new Map<string, { readonly events: Set<ClusterEvent>; changed?: PodInfo }>()
  /** Nothing in back-off or among the unschedulable is due before. */
  #nextDueMs = Number.POSITIVE_INFINITY

  /** @param hints which events each plugin wants its refusals to be tried again on */
  constructor(hints: ReadonlyMap<string, readonly ClusterEvent[]>) {
    this.#hints = new Map([...hints].map(([name, events]) => [name, new Set(events)]))
  }

  get sizes(): { readonly active: number; readonly backoff: number; readonly unschedulable: number } {
    return { active: this.#active.length, backoff: this.#backOff.size, unschedulable: this.#unschedulable.size }
  }

  /** A new or changed pod; a change gives an unschedulable pod another try. */
  add(info: PodInfo, nowMs: number): void {
    const known = this.#unschedulable.get(info.uid) ?? this.#backOff.get(info.uid)?.pod
    this.#unschedulable.delete(info.uid)
    this.#backOff.delete(info.uid)
    if (this.#activeUids.has(info.uid)) this.remove(info.uid)
    const flying = this.#inFlight.get(info.uid)
    if (flying) flying.changed = info
    else this.#push({ info, attempts: known?.attempts ?? 0, addedAtMs: known?.addedAtMs ?? nowMs })
  }

  remove(uid: string): void {
    this.#unschedulable.delete(uid)
    this.#backOff.delete(uid)
    this.#inFlight.delete(uid)
    if (!this.#activeUids.delete(uid)) return
    const index = this.#active.findIndex((pod) => pod.info.uid === uid)
    const last = this.#active.pop() as QueuedPod
    if (index < this.#active.length) {
      this.#active[index] = last
      this.#siftUp(this.#siftDown(index))
    }
  }

  /** Takes the next pod to try; it stays in flight until `done` or `failed`. */
  pop(): QueuedPod | undefined {
    const first = this.#active[0]
    if (!first) return undefined
    const last = this.#active.pop() as QueuedPod
    if (this.#active.length > 0) {
      this.#active[0] = last
      this.#siftDown(0)
    }
    this.#activeUids.delete(first.info.uid)
    this.#inFlight.set(first.info.uid, { events: new Set() })
    return { ...first, attempts: first.attempts + 1 }
  }

  done(uid: string): void {
    this.#inFlight.delete(uid)
  }

  /** No node fits: wait for an event that may change the mind of one of `rejectedBy`. */
  failed(pod: QueuedPod, rejectedBy: ReadonlySet<string>, nowMs: number): void {
    const flying = this.#inFlight.get(pod.info.uid)
    if (!flying) return
    if (flying.changed || [...flying.events].some((event) => this.#helps(event, rejectedBy))) return this.retry(pod, nowMs)
    this.#inFlight.delete(pod.info.uid)
    this.#unschedulable.set(pod.info.uid, { ...pod, rejectedBy, sinceMs: nowMs })
    this.#nextDueMs = Math.min(this.#nextDueMs, nowMs + MAX_UNSCHEDULABLE_MS)
  }

  /** The attempt broke (API error): try again after the back-off, whatever happens in the cluster. */
  retry(pod: QueuedPod, nowMs: number): void {
    const flying = this.#inFlight.get(pod.info.uid)
    if (!flying) return
    this.#inFlight.delete(pod.info.uid)
    this.#wait(flying.changed ? { ...pod, info: flying.changed } : pod, nowMs + backOffMs(pod.attempts))
  }

  /** Something happened in the cluster: whoever it may help moves on. */
  event(event: ClusterEvent, nowMs: number): void {
    for (const { events } of this.#inFlight.values()) events.add(event)
    for (const [uid, waiting] of this.#unschedulable) {
      if (!this.#helps(event, waiting.rejectedBy)) continue
      this.#unschedulable.delete(uid)
      const untilMs = waiting.sinceMs + backOffMs(waiting.attempts)
      if (untilMs <= nowMs) this.#push(waiting)
      else this.#wait(waiting, untilMs)
    }
  }

  /** Moves what has waited long enough. @returns monotonic ms of the next move, if one is due */
  flush(nowMs: number): number | undefined {
    if (nowMs >= this.#nextDueMs) this.#nextDueMs = this.#release(nowMs)
    return this.#nextDueMs === Number.POSITIVE_INFINITY ? undefined : this.#nextDueMs
  }

  #release(nowMs: number): number {
    let next = Number.POSITIVE_INFINITY
    for (const [uid, { pod, untilMs }] of this.#backOff) {
      if (untilMs <= nowMs) {
        this.#backOff.delete(uid)
        this.#push(pod)
      } else next = Math.min(next, untilMs)
    }
    for (const [uid, waiting] of this.#unschedulable) {
      const untilMs = waiting.sinceMs + MAX_UNSCHEDULABLE_MS
      if (untilMs <= nowMs) {
        this.#unschedulable.delete(uid)
        this.#push(waiting)
      } else next = Math.min(next, untilMs)
    }
    return next
  }

  #wait(pod: QueuedPod, untilMs: number): void {
    this.#backOff.set(pod.info.uid, { pod, untilMs })
    this.#nextDueMs = Math.min(this.#nextDueMs, untilMs)
  }

  #helps(event: ClusterEvent, rejectedBy: ReadonlySet<string>): boolean {
    // a pod that no filter refused (no nodes at all) is helped by anything
    return rejectedBy.size === 0 || [...rejectedBy].some((name) => this.#hints.get(name)?.has(event) ?? true)
  }

  #push(pod: QueuedPod): void {
    this.#activeUids.add(pod.info.uid)
    this.#active.push({ info: pod.info, attempts: pod.attempts, addedAtMs: pod.addedAtMs })
    this.#siftUp(this.#active.length - 1)
  }

  #before(a: number, b: number): boolean {
    const [left, right] = [this.#active[a] as QueuedPod, this.#active[b] as QueuedPod]
    return left.info.priority !== right.info.priority ? left.info.priority > right.info.priority : left.addedAtMs < right.addedAtMs
  }

  #swap(a: number, b: number): void {
    const pod = this.#active[a] as QueuedPod
    this.#active[a] = this.#active[b] as QueuedPod
    this.#active[b] = pod
  }

  #siftUp(start: number): void {
    for (let index = start; index > 0;) {
      const parent = (index - 1) >> 1
      if (!this.#before(index, parent)) return
      this.#swap(index, parent)
      index = parent
    }
  }

  #siftDown(start: number): number {
    for (let index = start; ;) {
      const left = 2 * index + 1
      if (left >= this.#active.length) return index
      const child = left + 1 < this.#active.length && this.#before(left + 1, left) ? left + 1 : left
      if (!this.#before(child, index)) return index
      this.#swap(index, child)
      index = child
    }
  }
}

const backOffMs = (attempts: number): number => Math.min(INITIAL_BACKOFF_MS * 2 ** Math.max(0, attempts - 1), MAX_BACKOFF_MS)
