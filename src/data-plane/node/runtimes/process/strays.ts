import { type Clock, sleep } from '../../../../base/clock.ts'
import type { Cgroups } from './cgroups.ts'
import { cgroupName, type ContainerKey, containerId } from './layout.ts'
import { findByVariable, sendSignal } from './proc.ts'

/** The variable that marks every process of a container. */
export const CONTAINER_VARIABLE = 'BIPLANE_CONTAINER_ID'

/** How long killed processes may take to be gone, checked every 10 ms. */
const ROUNDS = 200
const ROUND_MS = 10

/**
 * Kills what containers leave behind when they end: daemons that went into a session of their own. With cgroups nothing escapes; without, a process
 * that also dropped its variables does.
 */
export class StraySweeper {
  readonly #clock: Clock
  readonly #cgroups: Cgroups | undefined
  readonly #pending = new Map<string, Promise<void>>()
  #batch: Set<string> | undefined
  #batchDone: Promise<void> | undefined

  constructor(clock: Clock, cgroups: Cgroups | undefined) {
    this.#clock = clock
    this.#cgroups = cgroups
  }

  /** Resolves when nothing of the ended container is left, or after about 2 s. */
  sweep(key: ContainerKey): Promise<void> {
    const id = containerId(key)
    const running = this.#pending.get(id)
    if (running) return running
    const work = (this.#cgroups ? this.#byCgroup(this.#cgroups, key) : this.#byVariable(id)).finally(() => this.#pending.delete(id))
    this.#pending.set(id, work)
    return work
  }

  /** Resolves when the sweeps that have begun are over. */
  async settled(): Promise<void> {
    await Promise.allSettled(this.#pending.values())
  }

  async #byCgroup(cgroups: Cgroups, key: ContainerKey): Promise<void> {
    for (let round = 0; round < ROUNDS && cgroups.kill(key.podUid, cgroupName(key)); round++) await sleep(this.#clock, ROUND_MS)
    cgroups.remove(key.podUid, cgroupName(key))
  }

  /** One pass over all processes serves every container that asked meanwhile. */
  #byVariable(id: string): Promise<void> {
    if (this.#batch && this.#batchDone) {
      this.#batch.add(id)
      return this.#batchDone
    }
    this.#batch = new Set([id])
    this.#batchDone = this.#runBatch()
    return this.#batchDone
  }

  async #runBatch(): Promise<void> {
    await sleep(this.#clock, ROUND_MS)
    const ids = this.#batch ?? new Set()
    this.#batch = undefined
    for (let round = 0; round < ROUNDS; round++) {
      const found = findByVariable(CONTAINER_VARIABLE).filter((process) => ids.has(process.value))
      if (found.length === 0) return
      for (const { pid } of found) sendSignal(pid, 'SIGKILL')
      await sleep(this.#clock, ROUND_MS)
    }
  }
}
