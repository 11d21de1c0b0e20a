import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import { createClient } from '../../client/create-client.ts'
import { createHttpsTransport } from '../../client/https-transport.ts'
import {
  bfdWorker,
  kernelSockets,
  readStoredConfig,
  Speaker,
  storeConfig,
  ThreadedBfd,
  type RoutingConfig,
} from '../../control-plane/routing/index.ts'
import { createRib } from '../../control-plane/routing/rib/index.ts'
import { openFib } from '../../data-plane/forwarding/fib/index.ts'
import type { NodeIdentity } from '../../data-plane/node/api-sync/join.ts'
import { ROUTE_PROTOCOL } from '../../policy/route/fib-route.ts'
import type { ListenAddress } from '../program/options.ts'
import { KernelInterior } from './kernel-interior.ts'
import { dataLayout } from './layout.ts'
import { withNodeCredentials } from './node-credentials.ts'
import { routeProblemLog } from './route-problems.ts'
import { openRouterApi } from './router-api.ts'
import { watchRouterMetrics } from './router-metrics.ts'
import { awaitEnd, hasKeptForwarding, ownRecord, readRecord, writeRecord, type RouterRecord } from './router-record.ts'
import { routerSocketPath } from './router-socket.ts'
import { RouterSources } from './router-sources.ts'
import { reportRouting } from './router-status.ts'

export interface RouterOptions {
  /** Absolute. */
  readonly dataDir: string
  /** Of the node, whose certificate is used. */
  readonly name: string
  /** `https://host:port` of the control plane. */
  readonly server: string
  /** PEM. */
  readonly caCertificate: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** The program of this process: its threads run it too (see main.ts). */
  readonly program: string
  /** Where /metrics is served beside the unix socket. */
  readonly metricsListen?: ListenAddress
  /** Asked when the signal aborts: lead traffic away and end the sessions for good? Default: leave for an upgrade. */
  readonly drain: () => boolean
  readonly onReady?: () => void
}

/** How often the record of this process is renewed. */
const ALIVE_EVERY_MS = 5_000
const PREDECESSOR_MS = 60_000
/** How long peers have to lead traffic away before sessions end. */
const DRAIN_MS = 5_000
/** Of unix sockets, with the process id behind it. */
const MAX_SOCKET_PATH = 98

/**
 * Runs the router of a node until the signal aborts: follows the API, or its last good copy, speaks BGP, writes routes to the kernel. At the end it leaves
 * without a word, so that peers and the kernel keep its routes until the next process is there, unless it is to drain.
 */
export async function runRouter(options: RouterOptions, signal: AbortSignal): Promise<void> {
  const { clock, log } = options
  const stateDir = join(dataLayout(options.dataDir).node(options.name).state, 'router')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const socketPath = routerSocketPath(options.dataDir, options.name)
  if (socketPath.length > MAX_SOCKET_PATH) throw new Error(`${socketPath} is too long for a socket: choose a shorter --data-dir`)
  const recordPath = join(stateDir, 'process.json')
  const configPath = join(stateDir, 'config.json')
  const metrics = createMetrics()
  let running: RunningSpeaker | undefined
  let isReady = false
  const api = await openRouterApi({
    socketPath,
    metrics,
    speaker: () => running?.speaker,
    isReady: () => isReady,
    ...(options.metricsListen ? { listen: options.metricsListen } : {}),
  })
  try {
    // the process before this one may end as soon as this one says that it is ready
    const onWait = (): void => void (isReady = true)
    await awaitEnd(await readRecord(recordPath), { clock, log, withinMs: PREDECESSOR_MS, onWait }, signal)
    if (signal.aborted) return
    running = await openSpeaker(options, await readRecord(recordPath))
    const { speaker } = running
    watchRouterMetrics(metrics, speaker)
    const saver = new ConfigSaver(configPath, log)
    const use = (config: RoutingConfig, isFromApi: boolean): void => {
      for (const problem of config.problems) log.warn('configuration', { problem })
      speaker.apply(config)
      if (isFromApi) saver.save(config)
      isReady = true
      options.onReady?.()
    }
    const lastGood = readStoredConfig(await readFile(configPath, 'utf8').catch(() => ''))
    if (lastGood) use(lastGood, false)
    const record = (isDrained: boolean): Promise<void> =>
      writeRecord(recordPath, ownRecord(speaker.config.router?.restartTimeSeconds ?? 120, isDrained)).catch((error: unknown) =>
        log.warn('record of this process not written', { error: messageOf(error) }),
      )
    const live = async (): Promise<void> => {
      while (!signal.aborted) {
        await record(false)
        await sleep(clock, ALIVE_EVERY_MS, signal).catch(() => {})
      }
    }
    const follow = (identity: NodeIdentity, turn: AbortSignal): Promise<void> =>
      followApi(options, { identity, speaker, onConfig: (config) => use(config, true) }, turn)
    await Promise.all([live(), withNodeCredentials(options, follow, signal)])
    await saver.settled()
    if (options.drain()) await drain(speaker, clock, log)
    else await speaker.leave()
    await record(options.drain())
  } finally {
    await api.close()
    await running?.close()
  }
}

interface RunningSpeaker {
  readonly speaker: Speaker
  close(): Promise<void>
}

/** @param before of the process before this one */
async function openSpeaker({ clock, random, log, program }: RouterOptions, before: RouterRecord | undefined): Promise<RunningSpeaker> {
  const fib = openFib({ protocol: ROUTE_PROTOCOL.router, clock, onProblem: routeProblemLog(log, clock) })
  const interior = new KernelInterior({ clock, log })
  await interior.load()
  const speaker = new Speaker({
    clock,
    random,
    log,
    sockets: kernelSockets(),
    bfd: new ThreadedBfd({ start: bfdWorker(program), clock, log }),
    fib,
    createRib,
    interfaces: networkInterfaces,
    interior,
    ...(hasKeptForwarding(before, ownRecord(0, false)) ? { restarted: { forwarding: [4, 6] as const } } : {}),
  })
  return {
    speaker,
    async close() {
      interior.close()
      await fib.close()
    },
  }
}

async function followApi(
  options: RouterOptions,
  parts: { readonly identity: NodeIdentity; readonly speaker: Speaker; readonly onConfig: (config: RoutingConfig) => void },
  signal: AbortSignal,
): Promise<void> {
  const { clock, random, log, name, server, caCertificate } = options
  const transport = createHttpsTransport({
    server,
    ca: caCertificate,
    cert: parts.identity.certificate,
    key: parts.identity.privateKey,
    clock,
    random,
    userAgent: 'biplane-router',
  })
  const client = createClient(transport)
  const sources = new RouterSources({ client, name, clock, random, log, onConfig: parts.onConfig }, signal)
  try {
    await Promise.all([
      sources.run(),
      reportRouting({ client, name, speaker: parts.speaker, objects: sources.objects, clock, log }, signal),
    ])
  } finally {
    await transport.close()
  }
}

/** Traffic leaves first (RFC 8326), then the sessions end and our routes leave the kernel. */
async function drain(speaker: Speaker, clock: Clock, log: Logger): Promise<void> {
  const { router } = speaker.config
  if (router && !router.drain) {
    log.info('leading traffic away')
    speaker.apply({
      ...speaker.config,
      revision: `${speaker.config.revision} draining`,
      peers: speaker.config.peers.map((peer) => ({ ...peer, gracefulShutdown: true })),
    })
    await sleep(clock, DRAIN_MS)
  }
  await speaker.shutdown('this node is drained')
}

/** Writes the newest configuration down, one write at a time. */
class ConfigSaver {
  readonly #path: string
  readonly #log: Logger
  #next: RoutingConfig | undefined
  #work: Promise<void> = Promise.resolve()

  constructor(path: string, log: Logger) {
    this.#path = path
    this.#log = log
  }

  save(config: RoutingConfig): void {
    this.#next = config
    this.#work = this.#work.then(() => this.#write())
  }

  settled(): Promise<void> {
    return this.#work
  }

  async #write(): Promise<void> {
    const config = this.#next
    if (!config) return
    this.#next = undefined
    try {
      await writeFile(`${this.#path}.tmp`, storeConfig(config), { mode: 0o600 })
      await rename(`${this.#path}.tmp`, this.#path)
    } catch (error) {
      this.#log.warn('last good copy not written', { path: this.#path, error: messageOf(error) })
    }
  }
}
