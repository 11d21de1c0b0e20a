import { watch } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { askCertificate, createMeshTls, WorkloadIdentity } from '../../data-plane/proxy/identity/index.ts'
import { ConfigClient, type ProxySnapshot } from '../../data-plane/proxy/config/index.ts'
import { openHealthServer } from '../../data-plane/proxy/health/index.ts'
import { drainCallers, ProxyRuntime } from '../../data-plane/proxy/runtime/index.ts'
import { chooseTransport, originalDestinationProblem } from '../../data-plane/proxy/transport/index.ts'
import { HEALTH_PORT, LOCAL_SERVICES_FILE, proxyName, type AppProbes, type LocalServices } from '../../policy/traffic/model/index.ts'

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
}

/** Runs a proxy of the mesh until the signal aborts: identity, configuration, connections. Starts from the disk while the control plane is away. */
export async function runProxy(options: ProxyOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, stateDir, meshSocket, tokenPath } = options
  const name = proxyName(options.namespace, options.pod)
  const isLoopback = options.ips[0]?.startsWith('127.') ?? false
  const identity = new WorkloadIdentity({
    path: join(stateDir, 'identity.json'),
    sign: (csr) => askCertificate(csr, { dial: meshSocket, tokenPath }),
    clock,
    random,
    log,
  })
  const transport = await chooseTransport(undefined, (problem) => log.warn('raw handles are not used', { problem }))
  const runtime: ProxyRuntime = new ProxyRuntime({
    transport,
    mesh: createMeshTls(identity),
    identity: () => identity.material?.spiffeId,
    config: () => config,
    place: { node: options.node },
    clock,
    random,
    log,
    service: `${options.serviceAccount}.${options.namespace}`,
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
  let wanted = new Set<string>()
  const taken = (snapshot: ProxySnapshot): void => {
    const { settings } = snapshot
    if (settings) {
      identity.setTrust(settings.trust)
      identity.want(settings.identity === undefined ? undefined : { spiffeId: settings.identity, issuer: settings.issuer ?? '' })
      const listeners = new Set(settings.listeners)
      for (const listener of listeners) if (!wanted.has(listener)) config.want('listener', listener)
      for (const listener of wanted) if (!listeners.has(listener)) config.release('listener', listener)
      wanted = listeners
    }
    runtime.update(snapshot)
    if (options.kind === 'gateway') void runtime.bindGateways()
  }
  const notReady = (): string | undefined => {
    const { settings, listeners } = runtime.snapshot
    if (!settings) return `no configuration yet${config.status.reason === undefined ? '' : `: ${config.status.reason}`}`
    if (settings.identity !== undefined && !identity.material)
      return `no certificate yet${identity.problem === undefined ? '' : `: ${identity.problem}`}`
    const missing = [...wanted].filter((listener) => !listeners.has(listener) && !config.isMissing('listener', listener))
    return missing.length > 0 ? `listeners are missing: ${missing.join(', ')}` : undefined
  }
  const health = await openHealthServer({
    host: isLoopback ? (options.ips[0] as string) : '::',
    port: HEALTH_PORT,
    notReady,
    probes: options.probes,
    appHost: options.ips[0] ?? '127.0.0.1',
    ...(options.drainToken === undefined ? {} : { drain: { token: options.drainToken, run: () => drainCallers(runtime, clock) } }),
    metrics: () => runtime.metrics.render(),
  })
  config.want('proxy', name)
  await config.start()
  try {
    if (options.kind === 'sidecar') await listen(runtime, options, isLoopback, signal)
    await aborted(signal)
    log.info('stopping', { connections: runtime.connections })
    // nobody tells a gateway beforehand
    if (options.kind === 'gateway') await drainCallers(runtime, clock)
    await runtime.stopListening()
    for (const until = clock.monotonic() + options.stopGraceMs; runtime.connections > 0 && clock.monotonic() < until;)
      await sleep(clock, 50)
  } finally {
    identity.stop()
    await runtime.close()
    await config.close()
    await health.close()
  }
}

async function listen(runtime: ProxyRuntime, options: ProxyOptions, isLoopback: boolean, signal: AbortSignal): Promise<void> {
  if (isLoopback) {
    await runtime.listenMesh(options.ips[0] as string)
    if (options.podDir !== undefined) followAliases(runtime, join(options.podDir, LOCAL_SERVICES_FILE), options.log, signal)
    return
  }
  const problem = originalDestinationProblem()
  if (problem !== undefined) throw new Error(`connections cannot be intercepted here: ${problem}`)
  await runtime.listenMesh('::')
  await runtime.listenIntercepted()
}

/** Serves the services of the node agent's table, again whenever it changes. */
function followAliases(runtime: ProxyRuntime, path: string, log: Logger, signal: AbortSignal): void {
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
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
