import type { Logger } from '../../../base/log.ts'
import { messageOf } from '../../../base/errors.ts'
import type { FilterChain, Listener } from '../../../policy/traffic/model/index.ts'
import type { ProxySnapshot } from '../config/index.ts'
import type { Service } from '../contract.ts'
import type { FilterLayers } from '../filters/index.ts'
import { buildHttpStack, createConnectionJudge, type HttpStackDeps } from '../layers/index.ts'
import { connectionStats } from '../telemetry/index.ts'
import type { AccessLogs } from './access-logs.ts'
import { LiveChain, type ChainParts, type ChainSource, type LiveConnection } from './live-chain.ts'

export interface ChainDeps {
  readonly stack: Omit<HttpStackDeps, 'direction' | 'accessLoggers' | 'createTracingLayer'> & Pick<FilterLayers, 'createTracingLayer'>
  readonly accessLogs: AccessLogs
  /** Layers around every stack, outermost first. */
  readonly around: (listener: Listener) => (inner: Service) => Service
  readonly log: Logger
}

/** Chains that connections have come to, compiled when the first one comes; kept up to date from snapshot to snapshot. */
export class Chains {
  readonly #deps: ChainDeps
  readonly #chains = new Map<string, LiveChain>()
  /** Not there any more, but for connections that have not ended. */
  readonly #gone = new Set<LiveChain>()
  #snapshot: ProxySnapshot

  constructor(snapshot: ProxySnapshot, deps: ChainDeps) {
    this.#snapshot = snapshot
    this.#deps = deps
  }

  /** Those that connections may still be on, gone or not. */
  get all(): Iterable<LiveChain> {
    this.#forgetEnded()
    return [...this.#chains.values(), ...this.#gone]
  }

  /** As the snapshot of now has it. @throws Error for one that is not there (any more) */
  listener(name: string): Listener {
    const listener = this.#snapshot.listeners.get(name)
    if (!listener) throw new Error(`listener ${name} is gone`)
    return listener
  }

  /** @throws Error for a chain that is not there (any more), or cannot be executed: the connection is closed */
  get(listenerName: string, chainName: string): LiveChain {
    const key = `${listenerName} ${chainName}`
    const known = this.#chains.get(key)
    if (known) return known
    const listener = this.listener(listenerName)
    const chain = listener.chains.find(({ name }) => name === chainName)
    if (!chain) throw new Error(`chain ${chainName} of ${listenerName} is gone`)
    const source = this.#sourceOf(listener, chain)
    const made = new LiveChain(source, this.#compile(source))
    this.#chains.set(key, made)
    return made
  }

  /** What has changed is compiled anew; what cannot be executed keeps what it was, and what is gone ends its connections. */
  update(snapshot: ProxySnapshot): void {
    this.#snapshot = snapshot
    this.#forgetEnded()
    for (const [key, live] of this.#chains) {
      const { listener: before, chain: old } = live.source
      const listener = snapshot.listeners.get(before.name)
      const chain = listener?.chains.find(({ name }) => name === old.name)
      if (!listener || !chain) {
        this.#chains.delete(key)
        if (live.connections.size > 0) this.#gone.add(live)
        for (const connection of live.connections) connection.end(lingerOf(before, connection))
        continue
      }
      const source = this.#sourceOf(listener, chain)
      if (source.chain === old && source.listener === before && source.routes === live.source.routes) continue
      try {
        live.replace(source, this.#compile(source))
      } catch (error) {
        this.#deps.log.error('a changed listener cannot be executed; its last good form goes on', {
          listener: before.name,
          error: messageOf(error),
        })
      }
    }
  }

  #forgetEnded(): void {
    for (const live of this.#gone) if (live.connections.size === 0) this.#gone.delete(live)
  }

  #sourceOf(listener: Listener, chain: FilterChain): ChainSource {
    return { listener, chain, routes: chain.http && this.#snapshot.routes.get(chain.http.routes) }
  }

  #compile({ listener, chain, routes }: ChainSource): ChainParts {
    const { stack, accessLogs, around } = this.#deps
    const { http, tcp, connection } = chain
    const prefix = http?.statPrefix ?? tcp?.statPrefix ?? listener.name
    const stats = connectionStats(stack.metrics, http ? 'http' : 'tcp', prefix)
    const service: Service = http
      ? around(listener)(
          buildHttpStack(http, routes, {
            ...stack,
            direction: listener.direction,
            accessLoggers: accessLogs.loggers(http.accessLogs, listener),
            createTracingLayer: (tracing) => stack.createTracingLayer(tracing, listener.direction),
          }),
        )
      : (exchange) => exchange.abort('NR', 'no_http_here')
    return {
      service,
      judge: createConnectionJudge(connection ?? {}, stats, stack.clock),
      stats,
      loggers: tcp ? accessLogs.loggers(tcp.accessLogs, listener) : [],
    }
  }
}

/** For what runs on connections of a chain that is gone. */
const LINGER_MS = 30_000

/** What comes in was taken away: plain text under strict. What goes out leads to a service that is no more, or is spoken with in another way. */
function lingerOf({ direction }: Listener, { downstream }: LiveConnection): number {
  return direction === 'inbound' && downstream.protocol === 'tcp' ? 0 : LINGER_MS
}
