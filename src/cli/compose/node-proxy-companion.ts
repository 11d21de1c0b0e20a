import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { HostedPods, hostedLayout, type HostedPodsOptions } from '../../data-plane/node/mesh/index.ts'
import { NODE_PROXY_UID } from '../../policy/traffic/model/index.ts'
import { isReadyAt, programOf, superviseCompanion, type CompanionOptions } from './companion.ts'
import { dataLayout } from './layout.ts'

export interface NodeProxyCompanionOptions extends Pick<CompanionOptions, 'env' | 'clock' | 'random' | 'log' | 'stopAtEnd'> {
  /** The command that starts this program: executable and script. */
  readonly self: readonly string[]
  readonly dataDir: string
  /** Of the node. */
  readonly name: string
  /** Socket of the agent. */
  readonly meshSocket: string
  /** Whether pods have network namespaces of their own. */
  readonly namespaces: boolean
  /** Whether the agent is root. */
  readonly root: boolean
}

/** Without pods for so long, the process is ended. */
const IDLE_MS = 60_000
const LOOK_EVERY_MS = 1_000

/** Where agent and proxy of a node meet. */
export function hostedDir(dataDir: string, name: string): string {
  return join(dataLayout(dataDir).node(name).root, 'proxy')
}

/**
 * The pods that the node's proxy is to serve. The proxy runs as a user of its own: neither sidecars nor applications can read its keys, and only
 * its own connections are let through by the rules in the namespaces of its pods.
 */
export function openHostedPods(
  options: Pick<NodeProxyCompanionOptions, 'dataDir' | 'name' | 'root'> & Omit<HostedPodsOptions, 'dir' | 'user'>,
): HostedPods {
  const { dataDir, name, root, ...rest } = options
  return new HostedPods({ ...rest, dir: hostedDir(dataDir, name), ...(root ? { user: { uid: NODE_PROXY_UID, gid: NODE_PROXY_UID } } : {}) })
}

/**
 * Keeps the proxy of the node running while it has pods to serve; a node without such pods has no such process. After the signal it is left running, unless
 * `stopAtEnd` says otherwise.
 */
export async function superviseNodeProxy(options: NodeProxyCompanionOptions, pods: HostedPods, signal: AbortSignal): Promise<void> {
  const { dataDir, name, clock } = options
  const { state } = dataLayout(dataDir).node(name)
  const companion = {
    ...options,
    role: 'proxy',
    argv: nodeProxyCommand(options),
    version: programOf(options.self),
    recordFile: join(state, 'proxy.process.json'),
    logFile: join(state, 'proxy.log'),
    isReady: (pid: number) => isReadyAt(hostedLayout(hostedDir(dataDir, name)).socket, pid),
  }
  while (!signal.aborted) {
    // one that an earlier agent has left is taken over in any case
    if (!existsSync(companion.recordFile)) await until(() => pods.count > 0, pods, signal)
    if (signal.aborted) return
    const round = new AbortController()
    const stop = (): void => round.abort()
    signal.addEventListener('abort', stop, { once: true })
    let idleSince = clock.monotonic()
    const look = (): void => {
      if (pods.count > 0) idleSince = clock.monotonic()
      if (clock.monotonic() - idleSince > IDLE_MS) return round.abort()
      timer = clock.after(LOOK_EVERY_MS, look)
    }
    let timer = clock.after(LOOK_EVERY_MS, look)
    await superviseCompanion({ ...companion, stopAtEnd: () => !signal.aborted || (options.stopAtEnd?.() ?? false) }, round.signal)
    timer.cancel()
    signal.removeEventListener('abort', stop)
  }
}

/** As root it becomes a user of its own, and keeps one right: to enter the namespaces of pods, or to serve low ports where they have none. */
export function nodeProxyCommand(
  options: Pick<NodeProxyCompanionOptions, 'self' | 'dataDir' | 'name' | 'meshSocket' | 'namespaces' | 'root'>,
): readonly string[] {
  const { self, dataDir, name, meshSocket, namespaces, root } = options
  const command = [...self, 'proxy', 'node', `--dir=${hostedDir(dataDir, name)}`, `--mesh-socket=${meshSocket}`]
  if (!root) return command
  const kept = `-all,+${namespaces ? 'sys_admin' : 'net_bind_service'}`
  const user = [`--reuid=${NODE_PROXY_UID}`, `--regid=${NODE_PROXY_UID}`, '--clear-groups', '--no-new-privs']
  return ['setpriv', ...user, `--inh-caps=${kept}`, `--ambient-caps=${kept}`, `--bounding-set=${kept}`, '--', ...command]
}

function until(holds: () => boolean, pods: HostedPods, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!holds() && !signal.aborted) return
      stop()
      signal.removeEventListener('abort', look)
      resolve()
    }
    const stop = pods.onChange(look)
    signal.addEventListener('abort', look, { once: true })
    look()
  })
}
