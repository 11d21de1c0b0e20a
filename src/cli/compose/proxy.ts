import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import { boundSocketIn, connectIn } from '../../base/linux/namespace-sockets.ts'
import type { Logger } from '../../base/log.ts'
import { askCertificate, askControlPlane, createMeshTls, WorkloadIdentity } from '../../data-plane/proxy/identity/index.ts'
import { ConfigClient, type ProxySnapshot } from '../../data-plane/proxy/config/index.ts'
import { openHealthServer, type HealthServer } from '../../data-plane/proxy/health/index.ts'
import { reportCalls, SeenCalls } from '../../data-plane/proxy/telemetry/index.ts'
import { REPORT_CALLS_PATH, type CallReport } from '../../protocols/mesh-link.ts'
import { drainCallers, ProxyRuntime, type ProxyRuntimeOptions } from '../../data-plane/proxy/runtime/index.ts'
import {
  chooseTransport,
  originalDestinationProblem,
  sharingProblem,
  transport,
  transportIn,
  type Transport,
  type TransportName,
} from '../../data-plane/proxy/transport/index.ts'
import { WorkerPool, type Carrier, type WorkerProcess } from '../../data-plane/proxy/workers/index.ts'
import { HEALTH_PORT, LOCAL_SERVICES_FILE, proxyName, type AppProbes, type LocalServices } from '../../policy/traffic/model/index.ts'

const PORT_RETRY_MS = 50

export interface ProxyOptions {
  readonly kind: 'sidecar' | 'gateway'
  readonly namespace: string
  readonly pod: string
  /** Primary first. */
  readonly ips: readonly string[]
  readonly node: string
  readonly serviceAccount: string
  /** Socket of the node agent. */
  readonly meshSocket: string
  readonly tokenPath: string
  /** Where identity and last good configuration are kept. */
  readonly stateDir: string
  /** Directory of the pod, with the table of services where nothing is intercepted. */
  readonly podDir?: string
  readonly probes: AppProbes
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** With it the kubelet asks for callers to be sent away before the application is stopped. */
  readonly drainToken?: string
  /** What is still to end when the proxy is told to stop gets this long. */
  readonly stopGraceMs: number
  /** For a process that serves pods from outside, several at once. */
  readonly outside?: OutsideOptions
  /** Processes that carry the connections; absent: this one does. */
  readonly workers?: WorkersOptions
}

export interface WorkersOptions {
  /** More than 1. */
  readonly count: number
  readonly start: () => WorkerProcess
}

export interface OutsideOptions {
  readonly transport: TransportName
  /** Path of the pod's network namespace; absent: pods have none of their own. */
  readonly networkNamespace?: string
  /** Where access logs go that are to go into files of the pod. */
  readonly logDir: string
  /** All is there but a port, which another process has: one of before, which is about to go. */
  readonly onWait: () => void
}

/** A proxy that carries connections. */
export interface RunningProxy {
  /** What is missing until all that is configured is in force; undefined: nothing. */
  notReady(): string | undefined
  /** Takes nothing new, lets what runs end for a while (default: `stopGraceMs`); resolves when all is closed. Once. */
  end(graceMs?: number): Promise<void>
}

/** Runs a proxy of the mesh until the signal aborts. */
export async function runProxy(options: ProxyOptions, signal: AbortSignal): Promise<void> {
  const proxy = await startProxy(options, signal)
  await aborted(signal)
  await proxy.end()
}

/**
 * Starts a proxy of the mesh: identity, configuration, connections; from the disk while the control plane is away.
 * @param signal ends waiting for ports, which rejects @returns when it listens, which says nothing of its configuration
 */
export async function startProxy(options: ProxyOptions, signal: AbortSignal): Promise<RunningProxy> {
  const { clock, random, log, stateDir, meshSocket, tokenPath, outside } = options
  const namespace = outside?.networkNamespace
  const name = proxyName(options.namespace, options.pod)
  const isLoopback = options.ips[0]?.startsWith('127.') ?? false
  const identity = new WorkloadIdentity({
    path: join(stateDir, 'identity.json'),
    sign: (csr) => askCertificate(csr, { dial: meshSocket, tokenPath }),
    clock,
    random,
    log,
  })
  const config: ConfigClient = new ConfigClient({
    node: { id: name, cluster: options.serviceAccount, userAgent: 'biplane' },
    dial: meshSocket,
    headers: async () => ({ authorization: `Bearer ${(await readFile(tokenPath, 'utf8')).trim()}` }),
    file: join(stateDir, 'config.json'),
    onSnapshot: (snapshot) => taken(snapshot),
    onResponse: () => runtime.heard(),
    clock,
    random,
    log,
  })
  const seen = new SeenCalls()
  const runtime: Carrier = await carrierOf(options, identity, seen, {
    onInbound: (downstream, port, how) => seen.note(downstream, port, how),
    config: () => config,
    place: { node: options.node },
    clock,
    random,
    log,
    service: `${options.serviceAccount}.${options.namespace}`,
    ...(outside ? { logFile: (path: string) => join(outside.logDir, basename(path)) } : {}),
  })
  let wanted = new Set<string>()
  const taken = (snapshot: ProxySnapshot): void | Promise<void> => {
    const { settings } = snapshot
    if (settings) {
      identity.setTrust(settings.trust)
      identity.want(settings.identity === undefined ? undefined : { spiffeId: settings.identity, issuer: settings.issuer ?? '' })
      const listeners = new Set(settings.listeners)
      for (const listener of listeners) if (!wanted.has(listener)) config.want('listener', listener)
      for (const listener of wanted) if (!listeners.has(listener)) config.release('listener', listener)
      wanted = listeners
    }
    const inForce = runtime.update(snapshot)
    if (options.kind !== 'gateway') return inForce
    // a port that nobody listens on is nothing to confirm
    return Promise.all([inForce, runtime.bindGateways()]).then(() => {})
  }
  const notReady = (): string | undefined => {
    const { settings, listeners } = runtime.snapshot
    if (!settings) return `no configuration yet${config.status.reason === undefined ? '' : `: ${config.status.reason}`}`
    if (settings.identity !== undefined && !identity.material)
      return `no certificate yet${identity.problem === undefined ? '' : `: ${identity.problem}`}`
    const missing = [...wanted].filter((listener) => !listeners.has(listener) && !config.isMissing('listener', listener))
    return missing.length > 0 ? `listeners are missing: ${missing.join(', ')}` : runtime.unbound
  }
  const isTold = (): boolean => runtime.snapshot.settings?.draining === true
  const { drainToken } = options
  const openHealth = async (): Promise<HealthServer> =>
    await openHealthServer({
      ...(namespace === undefined
        ? { listen: { host: isLoopback ? (options.ips[0] as string) : '::', port: HEALTH_PORT } }
        : { listen: { fd: boundSocketIn(namespace, HEALTH_PORT) }, connect: connectIn(namespace) }),
      notReady,
      probes: options.probes,
      appHost: options.ips[0] ?? '127.0.0.1',
      ...(drainToken === undefined ? {} : { drain: { token: drainToken, run: () => drainCallers(runtime, clock, { isTold }) } }),
      metrics: () => runtime.metrics.render(),
    })
  const stopped = new AbortController()
  const close = async (health?: HealthServer): Promise<void> => {
    stopped.abort()
    identity.stop()
    await runtime.close()
    await config.close()
    await health?.close()
  }
  // a process that takes over from another one finds its ports in use for a moment
  const whenFree = <T>(open: () => Promise<T>): Promise<T> => (outside ? whenPortIsFree(open, outside.onWait, clock, signal) : open())
  let health: HealthServer | undefined
  try {
    config.want('proxy', name)
    await config.start()
    health = await whenFree(openHealth)
    if (options.kind === 'sidecar') await whenFree(() => listen(runtime, options, isLoopback, stopped.signal))
  } catch (error) {
    await close(health)
    throw error
  }
  const tell = (report: CallReport): Promise<unknown> => askControlPlane(REPORT_CALLS_PATH, report, { dial: meshSocket, tokenPath })
  void reportCalls({ seen, tell, clock, random }, stopped.signal)
  return {
    notReady,
    async end(graceMs = options.stopGraceMs) {
      log.info('stopping', { connections: await runtime.connections })
      try {
        // nobody tells a gateway beforehand
        if (options.kind === 'gateway') await drainCallers(runtime, clock)
        await runtime.stopListening()
        // another process waits for its port
        if (outside) await health?.close()
        for (const until = clock.monotonic() + graceMs; (await runtime.connections) > 0 && clock.monotonic() < until;)
          await sleep(clock, 50)
      } finally {
        await close(health)
      }
    },
  }
}

/** What carries connections: this process, or others. */
async function carrierOf(
  { kind, outside, workers }: ProxyOptions,
  identity: WorkloadIdentity,
  seen: SeenCalls,
  common: Omit<ProxyRuntimeOptions, 'transport' | 'mesh' | 'identity'>,
): Promise<Carrier> {
  const { log, place, service } = common
  if (workers) {
    const problem = sharingProblem()
    if (problem === undefined)
      return await WorkerPool.start({
        ...common,
        ...workers,
        settings: { place, service, isGateway: kind === 'gateway' },
        identity,
        onSeen: (connections) => connections.forEach((one) => seen.add(one)),
      })
    log.warn('one process carries all connections: sockets cannot be shared', { problem })
  }
  return new ProxyRuntime({
    ...common,
    transport: await transportFor(outside, log),
    mesh: createMeshTls(identity),
    identity: () => identity.material?.spiffeId,
  })
}

async function transportFor(outside: OutsideOptions | undefined, log: Logger): Promise<Transport> {
  if (!outside) return await chooseTransport(undefined, (problem) => log.warn('raw handles are not used', { problem }))
  const { networkNamespace, transport: name } = outside
  return networkNamespace === undefined ? transport(name) : transportIn(networkNamespace, name)
}

async function whenPortIsFree<T>(open: () => Promise<T>, onWait: () => void, clock: Clock, signal: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await open()
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || signal.aborted) throw error
      onWait()
      await sleep(clock, PORT_RETRY_MS, signal)
    }
  }
}

async function listen(runtime: Carrier, options: ProxyOptions, isLoopback: boolean, signal: AbortSignal): Promise<void> {
  if (isLoopback) {
    const ip = options.ips[0] as string
    await runtime.listenMesh(ip)
    // the node leads connections here where it can
    if (!options.outside && originalDestinationProblem() === undefined) await runtime.listenIntercepted(ip)
    if (options.podDir !== undefined) await followAliases(runtime, join(options.podDir, LOCAL_SERVICES_FILE), options.log, signal)
    return
  }
  const problem = originalDestinationProblem()
  if (problem !== undefined) throw new Error(`connections cannot be intercepted here: ${problem}`)
  await runtime.listenMesh('::')
  await runtime.listenIntercepted()
}

/** Serves the services of the node agent's table, again whenever it changes. @returns when those of now are served */
async function followAliases(runtime: Carrier, path: string, log: Logger, signal: AbortSignal): Promise<void> {
  let served = new Map<string, { readonly alias: string; readonly port: number }>()
  const read = async (): Promise<void> => {
    const table = JSON.parse(await readFile(path, 'utf8').catch(() => '{"services":[]}')) as LocalServices
    const next = new Map<string, { readonly alias: string; readonly port: number }>()
    for (const { alias, address, ports } of table.services) {
      for (const port of ports) {
        next.set(`${alias} ${port}`, { alias, port })
        if (served.has(`${alias} ${port}`)) continue
        await runtime.listenAlias({ address: alias, port }, { address, port }).catch((error: unknown) => {
          log.warn('a service cannot be served at its address', { alias, port, error: messageOf(error) })
        })
      }
    }
    for (const [key, { alias, port }] of served) if (!next.has(key)) await runtime.closeAlias({ address: alias, port })
    served = next
  }
  let tail = read()
  const again = (): void =>
    void (tail = tail.then(read).catch((error: unknown) => log.warn('the table of services cannot be read', { error: messageOf(error) })))
  // the file is replaced, not written into: its directory tells
  const watcher = watch(dirname(path), (_event, file) => {
    if (file === basename(path)) again()
  })
  signal.addEventListener('abort', () => watcher.close(), { once: true })
  await tail
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
