import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { parseIp, parsePrefix } from '../../base/ip.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import {
  addLocalAddress,
  claimAddress,
  ClientBudget,
  createDnsMeters,
  DnsServer,
  Forwarder,
  lowerName,
  nameText,
  openStatusServer,
  planForwarding,
  QueryHandler,
  wireName,
  ZoneKeeper,
  type ForwardingConfig,
} from '../../data-plane/dns/index.ts'
import { nodeResolvConf, parseResolvConf } from '../../data-plane/node/env/resolv-conf.ts'
import { readIfPresent } from '../connect.ts'
import type { ListenAddress } from '../program/options.ts'
import { followCluster } from './dns-sources.ts'
import { dataLayout } from './layout.ts'

export interface DnsOptions {
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
  /** Addresses that this machine does not have yet are added to `lo`, where that is allowed. */
  readonly listen: readonly ListenAddress[]
  /** Default `cluster.local`. */
  readonly domain?: string
  /** TTL of the cluster's records, seconds. Default 5. */
  readonly ttl?: number
  /** Ranges of pods and services. */
  readonly reverseRanges?: readonly string[]
  /** Wins over the ConfigMap `kube-system/biplane-dns` and over the node's resolv.conf. */
  readonly forwarding?: ForwardingConfig
  /** Default `/etc/resolv.conf`. */
  readonly resolvConf?: string
  /** Where /metrics is served beside the unix socket. */
  readonly metricsListen?: ListenAddress
  readonly onReady?: (ports: readonly number[]) => void
}

const TTL_S = 5
/** Forwarded questions under way. */
const FORWARDED = { perClient: 512, total: 8_192 }
const RESOLV_CONF_EVERY_MS = 2_000
/** Of unix sockets, with the process id behind it. */
const MAX_SOCKET_PATH = 98

/** Where the DNS process of a node says how it is. */
export function dnsSocketPath(dataDir: string, name: string): string {
  return join(dataLayout(dataDir).node(name).state, 'dns.sock')
}

/**
 * Runs the DNS server of a node until the signal aborts, then hands over to whoever listens on the same addresses. It answers once it knows the cluster's
 * services, from the API or from what was written down last time.
 */
export async function runDns(options: DnsOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = options
  const stateDir = join(dataLayout(options.dataDir).node(options.name).state, 'dns')
  await mkdir(stateDir, { recursive: true, mode: 0o700 })
  const socketPath = dnsSocketPath(options.dataDir, options.name)
  if (socketPath.length > MAX_SOCKET_PATH) throw new Error(`${socketPath} is too long for a socket: choose a shorter --data-dir`)
  const metrics = createMetrics()
  const domain = lowerName(wireName(options.domain ?? 'cluster.local'))
  const keeper = new ZoneKeeper({
    domain,
    ttl: options.ttl ?? TTL_S,
    reverseRanges: (options.reverseRanges ?? []).flatMap((range) => parsePrefix(range) ?? []),
    serverAddresses: options.listen.flatMap(({ host }) => parseIp(host) ?? []),
  })
  let isReady = false
  const status = await openStatusServer({
    metrics,
    isReady: () => isReady,
    socketPath,
    ...(options.metricsListen ? { listen: options.metricsListen } : {}),
  })
  const upstreams = new UpstreamFollower(options)
  const forwarder = new Forwarder({ clock, random, randomId: () => randomInt(65_536), log, metrics, plan: upstreams.plan() })
  const handler = new QueryHandler({
    zone: () => keeper.snapshot(),
    forwarder,
    budget: new ClientBudget(FORWARDED),
    clock,
    meters: createDnsMeters(metrics, nameText(domain)),
  })
  const server = new DnsServer({ handler, listen: options.listen, clock, log })
  const ended = new AbortController()
  signal.addEventListener('abort', () => ended.abort(signal.reason), { once: true })
  const releases: (() => void)[] = []
  let onKnown = (): void => {}
  const whenKnown = new Promise<void>((resolve) => (onKnown = resolve))
  const serve = async (): Promise<void> => {
    await Promise.race([whenKnown, aborted(ended.signal)])
    if (ended.signal.aborted) return
    const owner = `node "${options.name}" of ${options.dataDir}`
    for (const address of options.listen) if (address.port !== 0) releases.push(await claimAddress(address, owner, clock))
    await prepareMachine(options)
    await server.open()
    isReady = true
    log.info('DNS answers', { services: keeper.serviceCount, listen: options.listen.map(({ host }) => host), ports: server.ports })
    options.onReady?.(server.ports)
    await aborted(ended.signal)
    // still ready: what is here is answered
    await server.drain()
  }
  const follow = followCluster(
    { ...options, stateDir, keeper, onKnown, onConfig: (config) => forwarder.setPlan(upstreams.plan(config)) },
    ended.signal,
  )
  try {
    await Promise.all([serve(), follow, upstreams.run(forwarder, ended.signal)])
  } finally {
    ended.abort()
    await follow.catch(() => {})
    for (const release of releases) release()
    await status.close()
  }
}

/** Keeps the forwarder's plan equal to flags, ConfigMap and the node's resolv.conf. */
class UpstreamFollower {
  readonly #options: DnsOptions
  #config: ForwardingConfig = {}
  #told = ''

  constructor(options: DnsOptions) {
    this.#options = options
  }

  /** @param config of the ConfigMap, when it is another one from now on */
  plan(config?: ForwardingConfig): ReturnType<typeof planForwarding>['plan'] {
    this.#config = config ?? this.#config
    const { listen, forwarding = {}, log, resolvConf } = this.#options
    const nodeNameservers = parseResolvConf(nodeResolvConf(readOrNothing, resolvConf)).nameservers
    const { plan, problems } = planForwarding({ configs: [forwarding, this.#config], nodeNameservers, own: listen })
    const told = problems.join('\n')
    if (told !== this.#told && problems.length > 0) log.warn('part of the forwarding is not used', { problems })
    this.#told = told
    return plan
  }

  async run(forwarder: Forwarder, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      forwarder.setPlan(this.plan())
      await sleep(this.#options.clock, RESOLV_CONF_EVERY_MS, signal).catch(() => {})
    }
  }
}

/** A file that cannot be read just now says nothing. */
function readOrNothing(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return undefined
  }
}

/** Adds the addresses that are missing, and lets connections that wait in a closing listener's queue go over to the next process. */
async function prepareMachine({ listen, log }: DnsOptions): Promise<void> {
  if (process.getuid?.() !== 0) return
  const present = new Set(
    Object.values(networkInterfaces())
      .flat()
      .map((each) => each?.address),
  )
  for (const { host } of listen) {
    if (present.has(host) || host === '0.0.0.0' || host === '::' || host.startsWith('127.')) continue
    try {
      await addLocalAddress(host)
    } catch (error) {
      log.warn('address could not be added to lo', { address: host, error: messageOf(error) })
    }
  }
  const setting = '/proc/sys/net/ipv4/tcp_migrate_req'
  if (readIfPresent(setting)?.trim() === '0') {
    await writeFile(setting, '1').catch((error: unknown) =>
      log.info('TCP connections may have to be opened again during a hand-over', { error }),
    )
  }
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
