import { createServer } from 'node:net'
import { sleep } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import type { CliContext, Signals } from '../context.ts'
import { dataLayout } from '../compose/layout.ts'
import { chooseNetworkMode, type NetworkMode } from '../compose/network-mode.ts'
import { defaultNodeName } from '../compose/machine.ts'
import { connect, type Session } from '../connect.ts'
import { dataDirOf, defaultDataDir } from '../data-dir.ts'
import { readManifests, type Manifest } from '../apply/read-manifests.ts'
import { applyObjects } from '../apply/apply-objects.ts'
import { CliError, EXIT } from '../errors/cli-error.ts'
import { renderError } from '../errors/render-error.ts'
import { mergeIntoKubeconfig } from '../kubeconfig/merge-into-kubeconfig.ts'
import type { ListenAddress } from '../program/options.ts'
import { LocalCluster } from '../up/local-cluster.ts'
import { createProgressView, type ProgressView } from '../up/progress-view.ts'
import { UpDirectory } from '../up/up-directory.ts'
import { watchCluster, type ClusterWatch } from '../up/watch-cluster.ts'

export interface UpOptions {
  readonly filename: readonly string[]
  readonly dataDir?: string
  readonly listen?: ListenAddress
  readonly serviceCidr?: string
  readonly clusterCidr?: string
  readonly address: readonly string[]
  readonly network: NetworkMode | 'auto'
  /** A path, `false` for `--no-kubeconfig`, `true` or absent for the user's own. */
  readonly kubeconfig?: string | boolean
  readonly switch?: boolean
  readonly wait?: boolean
  readonly timeout: number
  readonly keep?: boolean
}

const DEFAULT_LISTEN: ListenAddress = { host: '127.0.0.1', port: 6443 }

const NODE_WAIT_MS = 5_000
const LAST_WORDS_MS = 2_000

/** `biplane up`: a whole cluster until the first signal. */
export async function runUp(context: CliContext, options: UpOptions): Promise<number> {
  const manifests = options.filename.length > 0 ? await readManifests(context, options.filename) : []
  const dataDir = dataDirOf(context, options.dataDir)
  const directory = new UpDirectory(dataDir)
  const mode = await chooseNetworkMode({ asked: options.network, addresses: options.address, routes: 'auto', log: silentLogger })
  // pods with a network of their own do not reach 127.0.0.1 of the machine
  const listen = options.listen ?? (mode === 'kernel' ? { ...DEFAULT_LISTEN, host: options.address[0] ?? '' } : DEFAULT_LISTEN)
  const lock = directory.lock()
  // timers and sockets of the parts do not keep a process alive on purpose; this command does until it is told to end
  const alive = setInterval(() => {}, 60_000)
  const view = createProgressView(context)
  try {
    await checkFree(listen)
    const signals = context.takeSignals()
    const nodeName = defaultNodeName()
    const isDefaultDir = dataDir === defaultDataDir(context)
    const ranges = { serviceCidr: options.serviceCidr, clusterCidr: options.clusterCidr }
    const cluster = new LocalCluster({
      context,
      directory,
      listen,
      nodeName,
      isDefaultDir,
      view,
      ranges,
      network: { mode, addresses: options.address },
    })
    view.note('Workloads run as processes of this machine. A process is not a sandbox: run only what you trust.')
    return await supervise({ context, options, directory, view, cluster, manifests, nodeName, signals })
  } finally {
    view.close()
    clearInterval(alive)
    directory.unlock(lock)
  }
}

interface Parts {
  readonly context: CliContext
  readonly options: UpOptions
  readonly directory: UpDirectory
  readonly view: ProgressView
  readonly cluster: LocalCluster
  readonly manifests: readonly Manifest[]
  readonly nodeName: string
  readonly signals: Signals
}

async function supervise(parts: Parts): Promise<number> {
  const { context, options, view, cluster, signals } = parts
  const over = new AbortController()
  const forced = { value: false }
  signals.onForce(() => {
    forced.value = true
    cluster.kill()
  })
  const running = cluster.run()
  const interrupted = new Promise<'interrupted'>((resolve) =>
    signals.signal.addEventListener('abort', () => resolve('interrupted'), { once: true }),
  )
  const work = bringUp(parts, over.signal)
  let failure: unknown
  try {
    await Promise.race([running, interrupted, work.then(() => interrupted)])
  } catch (error) {
    failure = error
  }
  over.abort(new Error('going down'))
  if (!forced.value) view.note(options.keep ? 'ending; workloads are left running' : 'ending, workloads first; once more to end at once')
  await cluster.stop({ stopWorkloads: !options.keep })
  // both processes have ended; whatever still reads from them must not hold up the end
  await Promise.race([Promise.allSettled([running, work]), sleep(context.clock, LAST_WORDS_MS)])
  if (failure !== undefined) throw failure
  return forced.value ? EXIT.failure : EXIT.ok
}

/** Everything that happens once the API server answers. Returns when the signal aborts. */
async function bringUp(parts: Parts, signal: AbortSignal): Promise<void> {
  const { context, directory, view, cluster, nodeName } = parts
  const aborted = new Promise<'aborted'>((resolve) => signal.addEventListener('abort', () => resolve('aborted'), { once: true }))
  if ((await Promise.race([cluster.serving, aborted])) === 'aborted') return
  const servedAtMs = context.clock.monotonic()
  const adminKubeconfig = dataLayout(directory.dataDir).adminKubeconfig
  const flags = await shareAccess(parts, adminKubeconfig)
  await using session = connect(context, { kubeconfig: adminKubeconfig })
  const watch = watchCluster(context, session, { view, nodeName, joined: cluster.joined })
  const watching = watch.run(signal)
  try {
    // what is applied before there is a node waits for the scheduler's back-off
    await watch.whenReady([], AbortSignal.any([signal, AbortSignal.timeout(NODE_WAIT_MS)])).catch(() => {})
    const ids = await applyAll(parts, session, signal)
    await awaitReady(parts, { watch, ids, servedAtMs, flags }, signal)
  } catch (error) {
    if (!signal.aborted) throw error
  }
  await watching
}

/** Tells the user's tools of the cluster. @returns the flags with which they reach it */
async function shareAccess({ context, options, directory, view }: Parts, adminKubeconfig: string): Promise<readonly string[]> {
  if (options.kubeconfig === false) {
    view.note(`kubeconfig: ${adminKubeconfig}`)
    return ['--kubeconfig', adminKubeconfig]
  }
  const explicit = typeof options.kubeconfig === 'string' ? options.kubeconfig : undefined
  const { told, flags } = await mergeIntoKubeconfig(context, directory, { explicit, switchTo: options.switch === true })
  view.note(told)
  return flags
}

/** Applies the manifests. @returns the ids of their workloads, as watchCluster has them */
async function applyAll({ options, view, manifests }: Parts, session: Session, signal: AbortSignal): Promise<readonly string[]> {
  if (manifests.length === 0) return []
  let failures = 0
  const counts = { created: 0, configured: 0, unchanged: 0 }
  const applied = await applyObjects(session, manifests, {
    onApplied: (one) => {
      counts[one.outcome]++
      for (const warning of one.warnings) view.note(`warning: ${one.name}: ${warning}`)
    },
    onFailed: (error) => {
      if (signal.aborted) return
      failures++
      view.note(renderError(error, { debug: false }).trimEnd())
    },
  })
  const told = Object.entries(counts).flatMap(([outcome, count]) => (count > 0 ? [`${count} ${outcome}`] : []))
  view.step({
    id: 'manifests',
    title: 'manifests',
    detail: [...told, ...(failures > 0 ? [`${failures} refused`] : [])].join(', '),
    state: failures > 0 ? 'failed' : 'done',
  })
  if (failures > 0 && options.wait && !signal.aborted) throw new CliError(`${failures} of ${manifests.length} objects were not applied`)
  return applied
    .filter(({ kind }) => WORKLOADS.has(kind.kind))
    .map(({ kind, object }) => `${kind.kind.toLowerCase()}/${object.metadata.namespace ?? ''}/${object.metadata.name}`)
}

const WORKLOADS = new Set(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod'])

interface Awaited {
  readonly watch: ClusterWatch
  /** Of the workloads that were applied. */
  readonly ids: readonly string[]
  /** When the API server answered, monotonic. */
  readonly servedAtMs: number
  /** With which kubectl reaches the cluster. */
  readonly flags: readonly string[]
}

async function awaitReady(
  { context, options, view }: Parts,
  { watch, ids, servedAtMs, flags }: Awaited,
  signal: AbortSignal,
): Promise<void> {
  const late = new AbortController()
  const timer = options.wait ? context.clock.after(options.timeout, () => late.abort(new Error('timeout'))) : undefined
  try {
    await watch.whenReady(ids, AbortSignal.any([signal, late.signal]))
  } catch (error) {
    if (signal.aborted) return
    if (!late.signal.aborted) throw error
    throw new CliError(`not ready within ${options.timeout / 1000} s`, {
      why: watch.notReady(ids).join('\n'),
      fix: 'see: biplane describe pods',
    })
  } finally {
    timer?.cancel()
  }
  const seconds = ((context.clock.monotonic() - servedAtMs) / 1000).toFixed(1)
  view.note(
    [
      `ready (${seconds}s after the API server)`,
      ...addresses(watch, options.address[0] ?? ''),
      `next: ${['kubectl', 'get', 'pods', ...flags].join(' ')} (npx biplane takes the same words). Ctrl-C ends it.`,
    ].join('\n'),
  )
}

/** Where services can be reached from this machine. @param node an address of it */
function addresses(watch: ClusterWatch, node: string): readonly string[] {
  const own = node.includes(':') ? `[${node}]` : node
  return watch
    .services()
    .filter(({ metadata }) => metadata.namespace !== 'kube-system' && (metadata.name !== 'kubernetes' || metadata.namespace !== 'default'))
    .slice(0, 12)
    .flatMap(({ metadata, spec }) => {
      const address = spec?.clusterIP
      if (!address || address === 'None') return []
      const ports = (spec?.ports ?? []).flatMap(({ port, nodePort }) => [`${address}:${port}`, ...(nodePort ? [`${own}:${nodePort}`] : [])])
      return [`  service ${metadata.namespace}/${metadata.name}: ${ports.join(' ')}`]
    })
}

/** Says so before anything is started when the address cannot be had. */
async function checkFree({ host, port }: ListenAddress): Promise<void> {
  if (port === 0) return
  const server = createServer()
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    const why =
      code === 'EADDRINUSE' ? 'another program listens there' : code === 'EADDRNOTAVAIL' ? 'this machine has no such address' : message
    const fix = `${code === 'EADDRINUSE' ? 'stop that program, or ' : ''}choose another address: --listen 127.0.0.1:0`
    throw new CliError(`cannot listen on ${host}:${port}`, { why, fix, cause: error })
  } finally {
    await new Promise((resolve) => server.close(resolve))
  }
}
