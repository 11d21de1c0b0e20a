import type { Family } from '../../../protocols/bgp/message.ts'
import type { Importer } from './importer.ts'
import type { RibPeer } from './rib-peer.ts'
import type { RibState } from './rib-state.ts'
import type { RouteChanges } from './route-changes.ts'

/** Prefixes between two looks at the clock: some hundred microseconds. */
const SLICE = 256

interface Task {
  readonly kind: 'sweep' | 'rejudge' | 'decide' | 'release'
  readonly peer?: RibPeer
  readonly family: Family
  /** Epoch of paths that a sweep leaves alone beside those of now, or -1. */
  readonly spared?: number
  /** References to release: attribute sets plus 1. */
  readonly sets?: Int32Array
  at: number
  end: number
}

/** Work over whole tables, in slices, so that timers and sockets of the process get their turn. */
export class BackgroundWork {
  readonly #state: RibState
  readonly #changes: RouteChanges
  readonly #importer: Importer
  #tasks: Task[] = []

  constructor(state: RibState, changes: RouteChanges, importer: Importer) {
    this.#state = state
    this.#changes = changes
    this.#importer = importer
  }

  get pending(): boolean {
    return this.#tasks.length > 0
  }

  /** Removes the stale paths of a peer, but those of one epoch. */
  sweep(peer: RibPeer, family: Family, spared: number = -1): void {
    this.#add({ kind: 'sweep', peer, family, spared })
  }

  /** Stale paths are to stay after all. */
  cancelSweep(peer: RibPeer, family: Family): void {
    this.#tasks = this.#tasks.filter((one) => one.kind !== 'sweep' || one.peer !== peer || one.family !== family)
  }

  /** Applies the import policy of a peer to what is held. */
  rejudge(peer: RibPeer, family: Family): void {
    this.#add({ kind: 'rejudge', peer, family })
  }

  /** Selects all best paths anew: next hops changed. */
  decideAll(family: Family): void {
    this.#add({ kind: 'decide', family })
  }

  /** Releases what Adj-RIB-Out of a session that ended held. */
  release(family: Family, sets: Int32Array): void {
    if (sets.length > 0) this.#add({ kind: 'release', family, sets })
  }

  /** @returns whether there is more */
  run(budgetMs: number, now: () => number): boolean {
    const until = now() + budgetMs
    while (this.#tasks.length > 0) {
      const task = this.#tasks[0] as Task
      this.#slice(task)
      this.#state.attributes.collect()
      if (task.at >= task.end) {
        this.#tasks.shift()
        this.#finished(task)
      }
      if (now() >= until) break
    }
    return this.#tasks.length > 0
  }

  #add(task: Omit<Task, 'at' | 'end'>): void {
    const same = (one: Task): boolean => one.kind === task.kind && one.peer === task.peer && one.family === task.family
    // begins anew: what was done already may have changed since
    if (task.kind !== 'release') this.#tasks = this.#tasks.filter((one) => !same(one))
    const end = task.sets?.length ?? this.#state.tables[task.family].prefixes.high
    this.#tasks.push({ ...task, at: 0, end })
    this.#state.listener.workPending()
  }

  #slice(task: Task): void {
    const end = Math.min(task.end, task.at + SLICE)
    if (task.kind === 'release') {
      for (; task.at < end; task.at++) {
        const set = (task.sets as Int32Array)[task.at] as number
        if (set > 0) this.#state.attributes.release(set - 1)
      }
      return
    }
    const table = this.#state.tables[task.family]
    for (; task.at < end; task.at++) {
      if (!table.prefixes.isUsed(task.at)) continue
      if (task.kind === 'sweep') this.#sweepAt(task, task.peer as RibPeer, task.at)
      else if (task.kind === 'rejudge') this.#rejudgeAt(task.peer as RibPeer, task.family, task.at)
      else {
        // the best path may stay, with other ways to reach its next hop
        this.#changes.decide(table, task.at, -1)
        if (table.prefixes.isUsed(task.at)) this.#changes.fibChanged(table, task.at)
      }
    }
  }

  #sweepAt({ family, spared }: Task, peer: RibPeer, prefix: number): void {
    const table = this.#state.tables[family]
    const { epoch } = peer.families[family]
    let path = table.first[prefix] as number
    while (path >= 0) {
      const next = table.next[path] as number
      const age = table.epoch[path]
      if (table.peer[path] === peer.handle && age !== epoch && age !== spared) this.#changes.withdraw(table, peer, prefix, path)
      path = next
    }
  }

  #rejudgeAt(peer: RibPeer, family: Family, prefix: number): void {
    const table = this.#state.tables[family]
    for (let path = table.first[prefix] as number; path >= 0; path = table.next[path] as number) {
      if (table.peer[path] !== peer.handle) continue
      this.#importer.begin(peer, table.received[path] as number)
      this.#changes.rejudge(table, peer, prefix, path, this.#importer.accept(table, prefix))
    }
  }

  #finished(task: Task): void {
    const { peer } = task
    if (!peer?.removed || this.#tasks.some((one) => one.peer === peer)) return
    this.#state.peers[peer.handle] = undefined
  }
}
