import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'
import type { SharedHandle } from '../transport/index.ts'
import { changeBetween } from './config-change.ts'
import { receivedError, type FromWorker, type ToWorker, type WorkerCall, type WorkerProcess } from './contract.ts'

/** The worker has ended before it answered. */
export class WorkerGone extends Error {
  override readonly name = 'WorkerGone'
}

/** A worker as its pool knows it: what it has been told, and what it has not answered yet. */
export class PooledWorker {
  /** Listeners that its connections have asked for. */
  readonly wanted: Set<string> = new Set()
  /** As it said them last. */
  lastMetrics = ''
  readonly #process: WorkerProcess
  readonly #pending = new Map<number, { readonly resolve: (value: unknown) => void; readonly reject: (error: Error) => void }>()
  readonly #exit: Promise<string>
  #has: ProxySnapshot = EMPTY_SNAPSHOT
  #lastId = 0
  #gone: WorkerGone | undefined

  constructor(process: WorkerProcess, received: (message: FromWorker) => void) {
    this.#process = process
    process.onMessage(received)
    this.#exit = new Promise((resolve) => process.onExit(resolve))
    void this.#exit.then((why) => {
      this.#gone = new WorkerGone(`the worker has ended: ${why}`)
      for (const { reject } of this.#pending.values()) reject(this.#gone)
      this.#pending.clear()
    })
  }

  get pid(): number | undefined {
    return this.#process.pid
  }

  onExit(listener: (why: string) => void): void {
    void this.#exit.then(listener)
  }

  send(message: ToWorker, handle?: SharedHandle): void {
    if (!this.#gone) this.#process.send(message, handle)
  }

  call(call: WorkerCall): Promise<unknown> {
    if (this.#gone) return Promise.reject(this.#gone)
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#pending.set(id, { resolve, reject })
      this.send({ type: 'call', id, call })
    })
  }

  done({ id, value, error }: FromWorker & { readonly type: 'done' }): void {
    const pending = this.#pending.get(id)
    this.#pending.delete(id)
    if (error) pending?.reject(receivedError(error))
    else pending?.resolve(value)
  }

  /** Sends what is new to it. */
  async update(snapshot: ProxySnapshot): Promise<void> {
    const change = changeBetween(this.#has, snapshot)
    this.#has = snapshot
    await this.call({ name: 'update', change })
  }

  async metrics(): Promise<string> {
    this.lastMetrics = (await this.call({ name: 'metrics' })) as string
    return this.lastMetrics
  }

  /** Resolves when it has ended. */
  async kill(): Promise<void> {
    this.#process.kill()
    await this.#exit
  }
}
