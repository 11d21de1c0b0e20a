import { accessSync, constants } from 'node:fs'
import { chmod, mkdir, readFile, rename, stat, writeFile } from 'node:fs/promises'
import { delimiter, dirname, join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import type { Service } from '../../api/generated/types.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import { createClient } from '../../client/create-client.ts'
import { createHttpsTransport } from '../../client/https-transport.ts'
import { createInformer } from '../../client/informer.ts'
import { EventSink } from '../../controller/event-recorder.ts'
import { lifeLeft, requestIdentity, type NodeIdentity } from '../../data-plane/node/api-sync/join.ts'
import { TokenCache } from '../../data-plane/node/api-sync/token-cache.ts'
import { LastGoodList } from '../../data-plane/node/api-sync/last-good.ts'
import { openNft } from '../../data-plane/forwarding/nft/index.ts'
import { INTERCEPTION_ANNOTATION } from '../../policy/traffic/model/index.ts'
import { MESH_SOCKET, MESH_SOCKET_VARIABLE } from '../../protocols/mesh-link.ts'
import { runNodeLink } from '../../data-plane/node/link/dial-link.ts'
import { createLinkServer } from '../../data-plane/node/link/link-server.ts'
import { askReady, Interception, MeshRelay, protectBy } from '../../data-plane/node/mesh/index.ts'
import { packetPaths } from '../../data-plane/node/link/packet-paths.ts'
import type { NodeRouteMode } from '../../data-plane/node/network/index.ts'
import { NodeAgent } from '../../data-plane/node/node-agent.ts'
import { builtinRecipes } from '../../data-plane/node/recipes/index.ts'
import { createProcessRuntime } from '../../data-plane/node/runtimes/process/index.ts'
import { ENVOY_VARIABLE, findEnvoy } from '../../data-plane/proxy/companion/index.ts'
import { ServiceProxy } from '../../data-plane/service-proxy/index.ts'
import { dataLayout, type NodeLayout } from './layout.ts'
import { describeMachine } from './machine.ts'
import { chooseNetworkMode, claimKernelNetwork, type NetworkMode } from './network-mode.ts'
import { openCgroupInterception } from './node-interception.ts'
import { openHostedPods, superviseNodeProxy } from './node-proxy-companion.ts'
import { openNodeNetwork, type NodeNetwork } from './node-network.ts'
import { nodePaths } from './node-paths.ts'
import { openPacketPlane } from './packet-plane.ts'
import { claimPodRange } from './pod-range.ts'

export interface NodeOptions {
  /** Absolute. */
  readonly dataDir: string
  readonly name: string
  /** `https://host:port` of the control plane. */
  readonly server: string
  /** PEM. */
  readonly caCertificate: string
  /** Join token `<id>.<secret>`; needed until the node has a certificate. */
  readonly token?: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Default: a 127.64.<n>.0/24 that no other node of this machine uses; in mode `kernel`: what the control plane gives. */
  readonly podCidr?: string
  /** Of this machine, one per family, primary first. Default 127.0.0.1. */
  readonly addresses?: readonly string[]
  /** How pods are connected. Default `auto`. */
  readonly network?: NetworkMode | 'auto'
  /** How packets get to the pods of other nodes, in mode `kernel`. Default `auto`. */
  readonly nodeRoutes?: NodeRouteMode
  readonly labels?: Readonly<Record<string, string>>
  readonly maxPods?: number
  /** PATH of containers. */
  readonly path: string
  /** The command that starts this program: executable and script. */
  readonly self: readonly string[]
  /** For processes that this one starts. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** Asked when the signal aborts: end all workloads too? Default: they are left running. */
  readonly stopWorkloads?: () => boolean
  readonly onProgress?: (stage: 'joined' | 'ready', detail: string) => void
}

const RENEW_EVERY_MS = 60 * 60 * 1000
/** Part of its life that a certificate has left when it is renewed. */
const RENEW_BELOW = 1 / 3
/** Who pods run as that do not say, where the agent is root. */
const NOBODY = { uid: 65_534, gid: 65_534 }
/** What a container is given to end when the whole node goes down, unless it asks for less. */
const SHUTDOWN_GRACE_MS = 5_000

/** Runs a node agent with the process runtime until the signal aborts. */
export async function runNode(options: NodeOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, addresses = ['127.0.0.1'], nodeRoutes: routes = 'auto' } = options
  const layout = dataLayout(options.dataDir).node(options.name)
  await makeDirectories(options.dataDir, layout)
  await writeFile(layout.caCertificate, options.caCertificate, { mode: 0o600 })
  const meshSocket = join(layout.root, MESH_SOCKET)
  await mkdir(dirname(meshSocket), { recursive: true })
  // proxies are other users
  await chmod(dirname(meshSocket), 0o755)
  const metrics = createMetrics()
  const mode = await chooseNetworkMode({ asked: options.network ?? 'auto', addresses, routes, log })
  const claim = mode === 'kernel' ? await claimKernelNetwork() : await claimPodRange({ ...options, file: join(layout.state, 'pod-cidr') })
  const network = mode === 'kernel' ? await openNodeNetwork({ ...options, addresses, routes, stateDir: layout.state }) : undefined
  // root's files with a mode such as 0400 must be readable for the user that pods run as
  const podUser = process.getuid?.() === 0 ? NOBODY : undefined
  const runtime = createProcessRuntime({
    rootDir: layout.pods,
    nodeName: options.name,
    clock,
    log,
    podCidr: claim.cidr,
    ...(network ? { network: network.podNetwork, hostAddresses: addresses } : {}),
    ...(podUser ? { defaultUser: podUser } : {}),
    searchPath: options.path,
    shared: [dirname(meshSocket)],
  })
  const identity = await joinCluster(options, layout, signal)
  const transport = createHttpsTransport({
    server: options.server,
    ca: options.caCertificate,
    cert: identity.current.certificate,
    key: identity.current.privateKey,
    clock,
    random,
    userAgent: 'biplane-node',
  })
  const client = createClient(transport)
  const root = podUser !== undefined
  const byCgroup = network ? undefined : await openCgroupInterception({ runtime, pods: layout.pods, root, clock, log })
  const node = {
    ...describeMachine(options.name, {
      addresses,
      ...(options.labels ? { labels: options.labels } : {}),
      ...(options.maxPods ? { maxPods: options.maxPods } : {}),
    }),
    ...(network
      ? { annotations: network.annotations, podCidrs: network.podCidrs }
      : { annotations: { [INTERCEPTION_ANNOTATION]: byCgroup ? 'cgroup' : 'none' } }),
  }
  const started = await network?.start(client, (parts) =>
    openPacketPlane({
      ...parts,
      ...options,
      client,
      addresses,
      metrics,
      stateDir: layout.state,
      stopAtEnd: () => options.stopWorkloads?.() ?? false,
    }),
  )
  const envoy = findEnvoy(options.env)
  const hosted = openHostedPods({
    dataDir: options.dataDir,
    name: options.name,
    root,
    tokens: new TokenCache(client, clock),
    services: () => agent.services?.list() ?? [],
    problemAt: (ip) => askReady(ip),
    clock,
    log,
  })
  const agent: NodeAgent = new NodeAgent({
    node,
    client,
    proxies: hosted,
    runtime,
    clock,
    random,
    log,
    metrics,
    stateDir: layout.state,
    builtinRecipes: builtinRecipes((program) => onPath(program, options.path), {
      command: [...options.self, 'proxy'],
      env: { [MESH_SOCKET_VARIABLE]: meshSocket, ...(envoy === undefined ? {} : { [ENVOY_VARIABLE]: envoy }) },
    }),
    baseEnv: { PATH: options.path },
    ...(podUser ? { volumeOwner: podUser } : {}),
    ...(started
      ? {
          applied: () => started.plane.applied(),
          network: started.network,
          protection: protectBy([started.plane.protection, interceptionOf(network)]),
          resolvConf: (pod) => started.plane.resolvConfOf(pod),
        }
      : byCgroup
        ? { protection: byCgroup }
        : {}),
    onRegistered: () => options.onProgress?.('ready', options.name),
  })
  void agent.adopted.then(() => hosted.sweep())
  void agent.adopted.then(() => byCgroup?.begin())
  const slices = createInformer(endpointSlices, { client, clock, random, log })
  const sliceList = new LastGoodList(slices, { path: join(layout.state, 'endpointslices.json'), clock, log })
  const hasSlices = await sliceList.load()
  const services = agent.services
  if (!services) throw new Error('a node with a service proxy needs its list of services')
  const relay = new MeshRelay({
    node: options.name,
    socketPath: meshSocket,
    server: options.server,
    ca: options.caCertificate,
    cert: () => identity.current.certificate,
    key: () => identity.current.privateKey,
    clock,
    random,
    log,
  })
  const events = new EventSink({ client, clock, random, log, metrics, host: options.name })
  const recorder = events.recorder('kube-proxy')
  const report = (service: Service, reason: string, message: string): void =>
    recorder.event({ apiVersion: 'v1', kind: 'Service', ...service }, 'Warning', reason, message)
  const lists = { services, endpointSlices: sliceList }
  started?.plane.serve({
    ...lists,
    adopted: agent.adopted,
    known: Promise.all([agent.servicesKnown, hasSlices ? undefined : slices.whenSynced(signal).catch(() => {})]),
    // as all kubelets: events about a node have its name as uid
    report: (reason, message) =>
      recorder.event({ apiVersion: 'v1', kind: 'Node', metadata: { name: options.name, uid: options.name } }, 'Warning', reason, message),
  })
  const carrier = started ?? new ServiceProxy({ ...lists, node: { name: options.name, addresses }, clock, log, metrics, warn: report })
  const link = {
    server: options.server,
    ca: options.caCertificate,
    cert: () => identity.current.certificate,
    key: () => identity.current.privateKey,
    clock,
    random,
    log,
    serve: createLinkServer({
      agent,
      runtime,
      clock,
      paths: nodePaths({ metrics, more: started?.plane.paths() ?? packetPaths({ node: options.name }) }),
    }),
  }
  try {
    await Promise.all([
      agent.run(signal),
      slices.run(signal),
      events.run(signal),
      carrier.run(signal),
      runNodeLink(link, signal),
      relay.run(signal),
      hosted.run(signal),
      byCgroup?.run(signal),
      superviseNodeProxy(
        { ...options, meshSocket, root, namespaces: network !== undefined, stopAtEnd: () => options.stopWorkloads?.() ?? false },
        hosted,
        signal,
      ),
      renewIdentity(options, layout, identity, signal),
    ])
  } finally {
    if (options.stopWorkloads?.()) {
      await stopAll(runtime, log)
      await byCgroup?.remove().catch((error: unknown) => log.warn('the table of the mesh is left', { error: messageOf(error) }))
      await started?.plane.remove().catch((error: unknown) => log.warn('tables could not be removed', { error: messageOf(error) }))
      await network?.remove(join(layout.pods, 'netns')).catch((error: unknown) => {
        log.warn('the pod network could not be removed', { error: messageOf(error) })
      })
    }
    await transport.close()
    await runtime.close()
    await network?.close()
    byCgroup?.close()
    await claim.release()
  }
}

/** Sidecars get their pods' connections where pods have networks of their own. */
function interceptionOf(network: NodeNetwork | undefined): Interception {
  return new Interception({
    namespaceOf: (podUid) => network?.namespaceOf(podUid) ?? '',
    openNft: (namespace) => openNft({ namespace }),
  })
}

interface IdentityHolder {
  current: NodeIdentity
}

/** Uses the certificate on disk, or asks for one. While the control plane is away an unexpired one is enough. */
async function joinCluster(options: NodeOptions, layout: NodeLayout, signal: AbortSignal): Promise<IdentityHolder> {
  const { clock, random, log, name, server, caCertificate } = options
  const stored = await loadIdentity(layout)
  const left = stored ? lifeLeft(stored, name, caCertificate, clock.now()) : 0
  if (stored && left > RENEW_BELOW) return { current: stored }
  for (;;) {
    const credentials =
      options.token === undefined ? (stored ? { cert: stored.certificate, key: stored.privateKey } : undefined) : { token: options.token }
    if (!credentials) throw new Error(`node "${name}" has no certificate yet: pass --token with a join token (biplane token create)`)
    const transport = createHttpsTransport({ server, ca: caCertificate, ...credentials, clock, random, userAgent: 'biplane-node' })
    try {
      const identity = await requestIdentity(createClient(transport), name, clock, signal)
      await saveIdentity(layout, identity)
      options.onProgress?.('joined', name)
      return { current: identity }
    } catch (error) {
      if (signal.aborted) throw error
      if (stored && left > 0) {
        log.warn('the node certificate could not be renewed; what is left of it is used', { server, error: messageOf(error) })
        return { current: stored }
      }
      log.warn('joining failed, will be tried again', { server, error: messageOf(error) })
      await sleep(clock, 1_000, signal)
    } finally {
      await transport.close()
    }
  }
}

async function renewIdentity(options: NodeOptions, layout: NodeLayout, identity: IdentityHolder, signal: AbortSignal): Promise<void> {
  const { clock, random, log, name, server, caCertificate } = options
  while (!signal.aborted) {
    await sleep(clock, RENEW_EVERY_MS, signal).catch(() => {})
    if (signal.aborted || lifeLeft(identity.current, name, caCertificate, clock.now()) > RENEW_BELOW) continue
    const transport = createHttpsTransport({
      server,
      ca: caCertificate,
      cert: identity.current.certificate,
      key: identity.current.privateKey,
      clock,
      random,
    })
    try {
      identity.current = await requestIdentity(createClient(transport), name, clock, signal)
      await saveIdentity(layout, identity.current)
      log.warn('the node certificate was renewed; the API connection uses it after the next restart')
    } catch (error) {
      if (!signal.aborted) log.error('the node certificate could not be renewed', { error: messageOf(error) })
    } finally {
      await transport.close()
    }
  }
}

async function loadIdentity(layout: NodeLayout): Promise<NodeIdentity | undefined> {
  try {
    return JSON.parse(await readFile(join(layout.state, 'identity.json'), 'utf8')) as NodeIdentity
  } catch {
    return undefined
  }
}

async function saveIdentity(layout: NodeLayout, identity: NodeIdentity): Promise<void> {
  const path = join(layout.state, 'identity.json')
  await writeFile(`${path}.tmp`, JSON.stringify(identity), { mode: 0o600 })
  await rename(`${path}.tmp`, path)
}

async function makeDirectories(dataDir: string, layout: NodeLayout): Promise<void> {
  // containers run as another user: they must get through to their own files
  for (const dir of [dataDir, join(dataDir, 'nodes'), layout.root]) {
    // a directory that was there already is the user's: its mode is not ours to change
    if ((await mkdir(dir, { recursive: true })) !== undefined) await chmod(dir, 0o711)
  }
  await mkdir(layout.state, { recursive: true, mode: 0o700 })
  const closed = process.getuid?.() === 0 ? await closedAncestor(layout.root) : undefined
  if (closed !== undefined) {
    throw new Error(
      `containers run as an unprivileged user, who cannot get through ${closed} to ${layout.root}: choose another --data-dir (default: /var/lib/biplane/default), or chmod o+x ${closed}`,
    )
  }
}

/** The first directory above `path` that other users may not enter. */
async function closedAncestor(path: string): Promise<string | undefined> {
  for (let dir = dirname(path); dir !== dirname(dir); dir = dirname(dir)) {
    if (((await stat(dir)).mode & 0o001) === 0) return dir
  }
  return undefined
}

/** Stops every container on this node, however the API sees it: `up` is going down. */
async function stopAll(runtime: ReturnType<typeof createProcessRuntime>, log: Logger): Promise<void> {
  const pods = await runtime.listPods()
  await Promise.all(
    pods.flatMap(({ pod, containers }) =>
      containers
        .filter((container) => container.state === 'running')
        .map(async (container) => {
          try {
            const askedMs = (pod.spec?.terminationGracePeriodSeconds ?? 30) * 1000
            await runtime.stopContainer(container.id, { graceMs: Math.min(askedMs, SHUTDOWN_GRACE_MS) })
          } catch (error) {
            log.warn('container did not stop', { container: container.id, error: messageOf(error) })
          }
        }),
    ),
  )
}

function onPath(program: string, path: string): boolean {
  return path.split(delimiter).some((dir) => {
    try {
      accessSync(join(dir, program), constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}
