import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import { EMPTY_SNAPSHOT } from '../config/index.ts'
import { createMeshTls, GivenIdentity } from '../identity/index.ts'
import { ProxyRuntime, type ConfigSource } from '../runtime/index.ts'
import { SeenCalls } from '../telemetry/index.ts'
import type { SharedHandle, Transport } from '../transport/index.ts'
import { applyChange } from './config-change.ts'
import { receivedError, sentError, type PoolChannel, type WorkerCall, type WorkerCounts, type WorkerSettings } from './contract.ts'

/** How often the pool is told who has called. */
const TELL_MS = 1_000

export interface WorkerOptions {
  readonly channel: PoolChannel
  readonly transport: Transport
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
}

/**
 * One worker of a proxy: carries connections as its pool says. It has no identity, no disk and no control plane of its own, and binds nothing: sockets come from
 * the pool, which holds them for all workers. Lives until its process ends.
 */
export function runWorker({ channel, transport, clock, random, log }: WorkerOptions): void {
  const identity = new GivenIdentity(clock)
  const config = new PoolConfig(channel)
  const sockets = new PoolSockets(channel)
  const seen = new SeenCalls()
  let worker: Worker | undefined
  // not one by one: there are thousands a second
  const tellLater = (): void =>
    void clock.after(TELL_MS, () => {
      const { connections, told } = seen.report(false)
      if (connections.length > 0) channel.send({ type: 'seen', connections })
      told()
      tellLater()
    })
  channel.onMessage((message, handle) => {
    switch (message.type) {
      case 'start': {
        const { place, service } = message.settings
        const runtime = new ProxyRuntime({
          transport: sockets.share(transport),
          mesh: createMeshTls(identity),
          identity: () => identity.material?.spiffeId,
          config: () => config,
          place,
          clock,
          random,
          log,
          service,
          onInbound: (downstream, port, how) => seen.note(downstream, port, how),
        })
        worker = new Worker(runtime, message.settings)
        tellLater()
        return
      }
      case 'identity':
        return identity.give(message.identity)
      case 'heard':
        config.hear(message.connected, message.missing)
        return worker?.runtime.heard()
      case 'socket':
        return sockets.give(message.id, message.error ? receivedError(message.error) : (handle as SharedHandle))
      case 'call': {
        const { id, call } = message
        const done = worker ? worker.call(call) : Promise.reject(new Error('this worker has not been started'))
        return void done.then(
          (value) => channel.send({ type: 'done', id, value }),
          (error: unknown) => channel.send({ type: 'done', id, error: sentError(error) }),
        )
      }
    }
  })
}

class Worker {
  readonly runtime: ProxyRuntime
  readonly #settings: WorkerSettings
  #snapshot = EMPTY_SNAPSHOT
  #binding: Promise<void> = Promise.resolve()

  constructor(runtime: ProxyRuntime, settings: WorkerSettings) {
    this.runtime = runtime
    this.#settings = settings
  }

  async call(call: WorkerCall): Promise<unknown> {
    const { runtime } = this
    switch (call.name) {
      case 'update':
        this.#snapshot = applyChange(this.#snapshot, call.change)
        runtime.update(this.#snapshot)
        if (this.#settings.isGateway) await (this.#binding = this.#binding.then(() => runtime.bindGateways()))
        return undefined
      case 'listenMesh':
        return await runtime.listenMesh(call.host)
      case 'listenIntercepted':
        return await runtime.listenIntercepted(call.host)
      case 'listenAlias':
        return await runtime.listenAlias(call.alias, call.destination)
      case 'closeAlias':
        return await runtime.closeAlias(call.alias)
      case 'drainInbound':
        return runtime.drainInbound()
      case 'stopListening':
        return await runtime.stopListening()
      case 'close':
        return await runtime.close()
      case 'counts':
        return {
          connections: runtime.connections,
          inboundHttp: runtime.inboundHttpConnections,
          unbound: runtime.unbound,
        } satisfies WorkerCounts
      case 'metrics':
        return runtime.metrics.render()
    }
  }
}

/** Addresses that connections ask about, by way of the pool. */
class PoolConfig implements ConfigSource {
  readonly #channel: PoolChannel
  #missing: ReadonlySet<string> = new Set()
  status = { connected: false }

  constructor(channel: PoolChannel) {
    this.#channel = channel
  }

  want(_type: 'listener', name: string): void {
    this.#channel.send({ type: 'want', name })
  }

  release(_type: 'listener', name: string): void {
    this.#channel.send({ type: 'release', name })
  }

  isMissing(_type: 'listener', name: string): boolean {
    return this.#missing.has(name)
  }

  hear(connected: boolean, missing: readonly string[]): void {
    this.status = { connected }
    this.#missing = new Set(missing)
  }
}

class PoolSockets {
  readonly #channel: PoolChannel
  readonly #waiting = new Map<number, (given: SharedHandle | Error) => void>()
  #lastId = 0

  constructor(channel: PoolChannel) {
    this.#channel = channel
  }

  /** A transport whose listening sockets are the pool's. */
  share(transport: Transport): Transport {
    return {
      name: transport.name,
      dial: (options) => transport.dial(options),
      listen: async ({ host = '::', port = 0, ...options }, accept) => {
        const handle = await this.#bind(host, port)
        const unbind = (): void => this.#channel.send({ type: 'unbind', host, port })
        try {
          const acceptor = await transport.listen({ ...options, handle }, accept)
          return {
            port: acceptor.port,
            // it waits for connections that are open
            close: () => {
              const closed = acceptor.close()
              unbind()
              return closed
            },
          }
        } catch (error) {
          unbind()
          throw error
        }
      },
    }
  }

  give(id: number, given: SharedHandle | Error): void {
    const take = this.#waiting.get(id)
    this.#waiting.delete(id)
    take?.(given)
  }

  #bind(host: string, port: number): Promise<SharedHandle> {
    return new Promise((resolve, reject) => {
      const id = ++this.#lastId
      this.#waiting.set(id, (given) => (given instanceof Error ? reject(given) : resolve(given)))
      this.#channel.send({ type: 'bind', id, host, port })
    })
  }
}
