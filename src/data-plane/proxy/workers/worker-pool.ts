import { backoffMs, type Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { SocketAddress } from '../../../policy/traffic/model/index.ts'
import { EMPTY_SNAPSHOT, type ProxySnapshot } from '../config/index.ts'
import { identityMessage, type WorkloadIdentity } from '../identity/index.ts'
import type { ConfigSource } from '../runtime/index.ts'
import { MetricSum } from '../telemetry/index.ts'
import { bindShared, type SharedSocket } from '../transport/index.ts'
import {
  sentError,
  type Carrier,
  type FromWorker,
  type WorkerCall,
  type WorkerCounts,
  type WorkerProcess,
  type WorkerSettings,
} from './contract.ts'
import type { SeenConnections } from '../../../protocols/mesh-link.ts'
import { PooledWorker, WorkerGone } from './pooled-worker.ts'
import { SharedSockets } from './shared-sockets.ts'

export interface WorkerPoolOptions {
  /** How many there are, at least 1. */
  readonly count: number
  /** Starts a process that runs `runWorker`. */
  readonly start: () => WorkerProcess
  readonly settings: WorkerSettings
  /** Told of connections that have come in, now and then. Default: nobody is. */
  readonly onSeen?: (connections: readonly SeenConnections[]) => void
  readonly identity: Pick<WorkloadIdentity, 'material' | 'trust' | 'onChange'>
  readonly config: () => ConfigSource
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Default: bindShared. */
  readonly bind?: (host: string, port: number) => SharedSocket
}

const BACKOFF = { baseMs: 100, maxMs: 10_000, jitter: 0.5 }
/** One that lived that long did not fail by itself. */
const GOOD_MS = 10_000
const CLOSE_MS = 3_000

/**
 * A proxy as several processes: each carries its share of the connections, all have one configuration, one identity and the same listening sockets, which are
 * bound here. A worker that dies takes its connections along and nothing else: its sockets stay open, and another one takes its place. Limits, breakers and
 * health checks are each worker's own.
 */
export class WorkerPool implements Carrier {
  readonly metrics: { render(): Promise<string> }
  readonly #options: WorkerPoolOptions
  readonly #workers = new Set<PooledWorker>()
  readonly #sockets: SharedSockets
  /** What workers listen on by order of who runs the pool; those that start later do as well. */
  readonly #listening = new Map<string, WorkerCall>()
  readonly #starting = new Set<Timer>()
  readonly #stopIdentity: () => void
  #newest: ProxySnapshot = EMPTY_SNAPSHOT
  #inForce: ProxySnapshot = EMPTY_SNAPSHOT
  /** What those have counted that have ended. */
  #ended = ''
  #unbound: string | undefined
  #failures = 0
  #isDraining = false
  #isStopping = false

  private constructor(options: WorkerPoolOptions) {
    this.#options = options
    this.#sockets = new SharedSockets(options.bind ?? bindShared, options.clock)
    this.metrics = { render: () => this.#renderMetrics() }
    this.#stopIdentity = options.identity.onChange(() => {
      for (const worker of this.#workers) worker.send({ type: 'identity', identity: identityMessage(options.identity) })
    })
  }

  /** @throws Error when one of them ends before it has begun */
  static async start(options: WorkerPoolOptions): Promise<WorkerPool> {
    const pool = new WorkerPool(options)
    for (let i = 0; i < options.count; i++) pool.#launch()
    try {
      await Promise.all([...pool.#workers].map((worker) => worker.call({ name: 'counts' })))
    } catch (error) {
      await pool.close()
      throw error
    }
    return pool
  }

  get snapshot(): ProxySnapshot {
    return this.#inForce
  }

  get connections(): Promise<number> {
    return this.#counts().then((all) => all.reduce((sum, { connections }) => sum + connections, 0))
  }

  get inboundHttpConnections(): Promise<number> {
    return this.#counts().then((all) => all.reduce((sum, { inboundHttp }) => sum + inboundHttp, 0))
  }

  /** As it was when it was asked for last: workers try again by themselves. */
  get unbound(): string | undefined {
    if (this.#unbound !== undefined) void this.#lookUnbound().catch(() => {})
    return this.#unbound
  }

  async update(snapshot: ProxySnapshot): Promise<void> {
    this.#newest = snapshot
    await this.#all((worker) => worker.update(snapshot))
    await this.#lookUnbound()
    if (this.#newest === snapshot) this.#inForce = snapshot
  }

  heard(): void {
    for (const worker of this.#workers) this.#tellHeard(worker)
  }

  /** Workers do that with each update. */
  bindGateways(): Promise<void> {
    return Promise.resolve()
  }

  async listenMesh(host: string): Promise<void> {
    await this.#listen('mesh', { name: 'listenMesh', host })
  }

  async listenIntercepted(host?: string): Promise<void> {
    await this.#listen('intercepted', { name: 'listenIntercepted', ...(host === undefined ? {} : { host }) })
  }

  async listenAlias(alias: SocketAddress, destination: SocketAddress): Promise<void> {
    await this.#listen(`alias ${alias.address} ${alias.port}`, { name: 'listenAlias', alias, destination })
  }

  async closeAlias(alias: SocketAddress): Promise<void> {
    this.#listening.delete(`alias ${alias.address} ${alias.port}`)
    await this.#call({ name: 'closeAlias', alias })
  }

  async drainInbound(): Promise<void> {
    this.#isDraining = true
    await this.#call({ name: 'drainInbound' })
  }

  async stopListening(): Promise<void> {
    this.#stop()
    await this.#call({ name: 'stopListening' })
    this.#sockets.close()
  }

  async close(): Promise<void> {
    this.#stop()
    this.#stopIdentity()
    const late = new Promise<void>((resolve) => {
      const timer = this.#options.clock.after(CLOSE_MS, resolve)
      void this.#call({ name: 'close' })
        .catch((error: unknown) => this.#options.log.warn('a worker did not close', { error: messageOf(error) }))
        .then(() => timer.cancel())
        .then(resolve)
    })
    await late
    const ends = [...this.#workers].map((worker) => worker.kill())
    await Promise.all(ends)
    this.#sockets.close()
  }

  /** None is started any more. */
  #stop(): void {
    this.#isStopping = true
    for (const timer of this.#starting) timer.cancel()
    this.#starting.clear()
  }

  #launch(): PooledWorker {
    const { start, settings, identity, clock } = this.#options
    const worker: PooledWorker = new PooledWorker(start(), (message) => this.#received(worker, message))
    const begun = clock.monotonic()
    this.#workers.add(worker)
    worker.onExit((why) => this.#exited(worker, why, clock.monotonic() - begun))
    worker.send({ type: 'start', settings })
    worker.send({ type: 'identity', identity: identityMessage(identity) })
    this.#tellHeard(worker)
    return worker
  }

  /** Brings one that takes the place of another to where the others are. */
  async #replace(): Promise<void> {
    const worker = this.#launch()
    try {
      await worker.update(this.#newest)
      for (const call of this.#listening.values()) await worker.call(call)
      if (this.#isDraining) await worker.call({ name: 'drainInbound' })
      if (this.#workers.size === this.#options.count) this.#sockets.settle()
    } catch (error) {
      if (!(error instanceof WorkerGone)) this.#options.log.error('a worker is not as the others are', { error: messageOf(error) })
    }
  }

  #exited(worker: PooledWorker, why: string, livedMs: number): void {
    const { log, clock, random, config } = this.#options
    this.#workers.delete(worker)
    this.#sockets.forget(worker)
    for (const name of worker.wanted) config().release('listener', name)
    this.#ended = new MetricSum().add(this.#ended).add(worker.lastMetrics, 'gauges').render()
    if (this.#isStopping) return
    this.#failures = livedMs > GOOD_MS ? 1 : this.#failures + 1
    log.error('a worker has ended, and another one takes its place', { pid: worker.pid, why })
    const timer = clock.after(this.#failures === 1 ? 0 : backoffMs(this.#failures - 1, BACKOFF, random), () => {
      this.#starting.delete(timer)
      void this.#replace()
    })
    this.#starting.add(timer)
  }

  #received(worker: PooledWorker, message: FromWorker): void {
    const config = this.#options.config()
    switch (message.type) {
      case 'seen':
        return this.#options.onSeen?.(message.connections)
      case 'want':
        if (worker.wanted.has(message.name)) return
        worker.wanted.add(message.name)
        config.want('listener', message.name)
        // it may be known already that there is none
        return this.#tellHeard(worker)
      case 'release':
        if (worker.wanted.delete(message.name)) config.release('listener', message.name)
        return
      case 'bind': {
        const { id, host, port } = message
        return void this.#sockets.open(host, port, worker).then(
          (handle) => worker.send({ type: 'socket', id }, handle),
          (error: unknown) => worker.send({ type: 'socket', id, error: sentError(error) }),
        )
      }
      case 'unbind':
        return this.#sockets.release(message.host, message.port, worker)
      case 'done':
        return worker.done(message)
    }
  }

  #tellHeard(worker: PooledWorker): void {
    const config = this.#options.config()
    const missing = [...worker.wanted].filter((name) => config.isMissing('listener', name))
    worker.send({ type: 'heard', connected: config.status.connected, missing })
  }

  async #listen(key: string, call: WorkerCall): Promise<void> {
    if (this.#listening.has(key)) return
    this.#listening.set(key, call)
    try {
      await this.#call(call)
    } catch (error) {
      this.#listening.delete(key)
      throw error
    }
  }

  async #call(call: WorkerCall): Promise<void> {
    await this.#all((worker) => worker.call(call))
  }

  /** Of all that live; one that dies meanwhile does not count: who takes its place is told all anew. */
  async #all<T>(ask: (worker: PooledWorker) => Promise<T>): Promise<readonly T[]> {
    const answers = await Promise.all(
      [...this.#workers].map(async (worker): Promise<readonly T[]> => {
        try {
          return [await ask(worker)]
        } catch (error) {
          if (error instanceof WorkerGone) return []
          throw error
        }
      }),
    )
    return answers.flat()
  }

  async #lookUnbound(): Promise<void> {
    this.#unbound = (await this.#counts()).find(({ unbound }) => unbound !== undefined)?.unbound
  }

  #counts(): Promise<readonly WorkerCounts[]> {
    return this.#all(async (worker) => (await worker.call({ name: 'counts' })) as WorkerCounts)
  }

  async #renderMetrics(): Promise<string> {
    const sum = new MetricSum()
    for (const text of await this.#all((worker) => worker.metrics())) sum.add(text)
    return sum.add(this.#ended).render()
  }
}
