import { randomUUID } from 'node:crypto'
import { chmod, mkdir, rename, writeFile } from 'node:fs/promises'
import { isIP, isIPv6 } from 'node:net'
import { networkInterfaces } from 'node:os'
import { sleep, type Clock } from '../../base/clock.ts'
import { parsePrefix } from '../../base/ip.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import { sharedSignal } from '../../base/shared-signal.ts'
import { bgpPeers, type BgpPeer } from '../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { secretsOf } from '../../control-plane/routing/config/index.ts'
import { pods } from '../../api/core/v1/pod.ts'
import type { Pod } from '../../api/generated/types.ts'
import { BUILT_IN_KINDS } from '../../api/registry.ts'
import type { Informer } from '../../client/cache.ts'
import { createClient } from '../../client/create-client.ts'
import { createInformerFactory } from '../../client/informer-factory.ts'
import { createManager } from '../../controller/create-manager.ts'
import {
  apiServiceAddress,
  createPriorityPlugin,
  createServiceAccountPlugin,
  createServiceAllocator,
  createSidecarInjector,
  parseServiceRanges,
  repairAllocations,
  type ServiceRange,
} from '../../control-plane/apiserver/admission/index.ts'
import { createResourceHandler } from '../../control-plane/apiserver/handlers/index.ts'
import {
  createApiServer,
  LOOPBACK_USER,
  nodeRestriction,
  routingStatusRestriction,
  type ApiServer,
  type StaticToken,
} from '../../control-plane/apiserver/index.ts'
import { createTokenIssuer } from '../../control-plane/apiserver/tokens/service-account-tokens.ts'
import { addGatewayController } from '../../control-plane/controllers/gateway/index.ts'
import { addControllers, parseClusterCidrs, type ClusterCidr, type NodeMaskSizes } from '../../control-plane/controllers/index.ts'
import { addCertificateSigner, createJoinTokens, loadOrCreatePki, type Pki } from '../../control-plane/pki/index.ts'
import { addAuthorityRequests, MeshControl } from '../../control-plane/mesh/control/index.ts'
import { addMeshStatus, programmedBy } from '../../control-plane/mesh/status/index.ts'
import { createMeshViewHandler } from '../../control-plane/mesh/view/index.ts'
import { addScheduler } from '../../control-plane/scheduler/index.ts'
import { MESH_LINK_PATH, MESH_LINK_PROTOCOL } from '../../protocols/mesh-link.ts'
import { openLmdbStore, type Store } from '../../control-plane/store/index.ts'
import { advertisedAddress } from './advertised-address.ts'
import { ensureBootstrapObjects } from './bootstrap-objects.ts'
import { giveBackMemory } from './give-back-memory.ts'
import { dataLayout, type DataLayout } from './layout.ts'
import { leanTransforms } from './lean-objects.ts'

export interface ControlPlaneOptions {
  /** Absolute. */
  readonly dataDir: string
  readonly host: string
  /** 0 picks a free one. */
  readonly port: number
  readonly clock: Clock
  /** 0 <= x < 1. */
  readonly random: () => number
  readonly log: Logger
  /** Names and addresses under which clients reach this machine, for the serving certificate. */
  readonly hosts?: readonly string[]
  /** One CIDR per family, the first is the default. Default 127.96.0.0/16: service addresses that need no set-up on Linux. */
  readonly serviceCidr?: string
  /** Addresses that nodes share out to pods, one range per family: `10.244.0.0/16,fd00:10:244::/48`. Absent: nodes number pods themselves. */
  readonly clusterCidr?: string
  /** Length of each node's part. Default 24 and 64. */
  readonly nodeMaskSizes?: NodeMaskSizes
  readonly tokens?: readonly StaticToken[]
  /** Command that checks a store directory in a process of its own. */
  readonly verifyArgv?: readonly string[]
  readonly nodeGracePeriodMs?: number
  /** Called once the server listens and again once everything is ready. */
  readonly onProgress?: (stage: 'store' | 'apiserver' | 'ready', detail: string) => void
}

export const DEFAULT_SERVICE_CIDR = '127.96.0.0/16'
const BY_NODE = 'authorizerNodeName'
const ISSUER = 'https://kubernetes.default.svc.cluster.local'
const RENEW_EVERY_MS = 24 * 60 * 60 * 1000

/** What other processes of this machine need to reach the control plane: `endpoint.json`. */
export interface Endpoint {
  readonly server: string
  readonly caCertificate: string
  readonly serviceCidr: string
  /** Present where the control plane gives nodes the addresses of their pods. */
  readonly clusterCidr?: string
}

/** Runs store, API server, controllers and scheduler in this process until the signal aborts. @throws StoreError, PkiError */
export async function runControlPlane(options: ControlPlaneOptions, stop: AbortSignal): Promise<void> {
  // every informer waits for its first list with it
  const signal = sharedSignal(stop)
  const { clock, random, log } = options
  const layout = dataLayout(options.dataDir)
  const serviceCidr = options.serviceCidr ?? DEFAULT_SERVICE_CIDR
  const ranges = parseServiceRanges(serviceCidr)
  const clusterCidrs = clusterCidrsOf(options, serviceCidr)
  const advertised = advertisedAddress(options.host, { hosts: options.hosts ?? [], interfaces: networkInterfaces() })
  // of the family of the API server, where there is one
  const apiServiceIp = apiServiceAddress(
    ranges.find(({ family }) => (family === 'IPv6') === advertised.includes(':')) ?? (ranges[0] as ServiceRange),
  )
  await makeDirectories(layout)
  const pki = await loadOrCreatePki(layout.pki, {
    clock,
    hosts: [...(options.hosts ?? []), options.host, advertised],
    serviceIp: apiServiceIp,
  })
  const metrics = createMetrics()
  const store = await openLmdbStore({
    dir: layout.store,
    clock,
    log,
    metrics,
    ...(options.verifyArgv ? { verifyArgv: options.verifyArgv } : {}),
  })
  try {
    await repairAllocations(store, '/registry/core/services/', log)
    options.onProgress?.('store', layout.store)
    await serve({ options, layout, pki, store, serviceCidr, clusterCidrs, apiServiceIp, advertised, metrics, random }, signal)
  } finally {
    await store.close()
  }
}

interface Parts {
  readonly options: ControlPlaneOptions
  readonly layout: DataLayout
  readonly pki: Pki
  readonly store: Store
  readonly serviceCidr: string
  readonly clusterCidrs: readonly ClusterCidr[]
  readonly apiServiceIp: string
  /** Where others reach the API server; the address that it listens on, unless it listens on all. */
  readonly advertised: string
  readonly metrics: ReturnType<typeof createMetrics>
  readonly random: () => number
}

async function serve(parts: Parts, signal: AbortSignal): Promise<void> {
  const { options, layout, pki, store, serviceCidr, clusterCidrs, apiServiceIp, advertised, metrics, random } = parts
  const { clock, log } = options
  const tokens = createTokenIssuer({ pki, store, clock, issuer: ISSUER })
  const resources = createResourceHandler({
    store,
    kinds: BUILT_IN_KINDS,
    clock,
    random,
    uuid: randomUUID,
    log,
    metrics,
    admission: [
      nodeRestriction, // cheap refusals first
      routingStatusRestriction,
      createServiceAccountPlugin(store),
      createPriorityPlugin(store),
      createSidecarInjector(store, randomUUID),
      await createServiceAllocator({ store, serviceCidr, random }), // last: what it claims must not be given back by a later refusal
    ],
    subresources: { 'serviceaccounts/token': tokens.handler },
  })
  const ready = { informers: false }
  const podsByNode: { informer?: Informer<Pod> } = {}
  const mesh: { control?: MeshControl } = {}
  const bgp: { peers?: Informer<BgpPeer> } = {}
  const api = createApiServer({
    resources: resources.handle,
    kinds: () => BUILT_IN_KINDS,
    certificate: { key: pki.serving.privateKey, cert: pki.serving.certificate, clientCa: pki.caCertificate },
    clock,
    log,
    metrics,
    authentication: {
      tokens: options.tokens ?? [],
      bootstrapToken: (id) => createJoinTokens(layout.joinTokens, { clock }).lookup(id),
      verifyServiceAccountToken: (token) => tokens.verify(token),
    },
    // a node may read what its pods refer to; before the informer has synced a node can wait
    podsOfNode: (node) => podsByNode.informer?.lister.byIndex(BY_NODE, node) ?? [],
    peerSecrets: () => secretsOf(bgp.peers?.lister.list() ?? []),
    nodesSeeAllPods: clusterCidrs.length > 0,
    paths: { mesh: createMeshViewHandler({ control: () => mesh.control, client: () => client }) },
    links: [
      {
        path: MESH_LINK_PATH,
        protocol: MESH_LINK_PROTOCOL,
        // a node that comes before the mesh is there dials again
        attach: (node, socket) => (mesh.control ? mesh.control.attach(node, socket) : void socket.destroy()),
      },
    ],
    readiness: [
      { name: 'store', check: () => storeWritable(store) },
      {
        name: 'informer-sync',
        check: () => (ready.informers ? Promise.resolve() : Promise.reject(new Error('informers are not synced yet'))),
      },
    ],
  })
  const client = createClient(api.inProcess(LOOPBACK_USER))
  const listening = await api.start(options.host, options.port)
  const address = isIP(advertised) === 0 ? listening.address : advertised
  const server = `https://${isIPv6(address) ? `[${address}]` : address}:${listening.port}`
  await ensureBootstrapObjects(client, {
    apiServiceIp,
    address,
    port: listening.port,
    serviceRanges: serviceCidr.split(','),
    hasPodNetwork: clusterCidrs.length > 0,
  })
  await publish(layout, pki, {
    server,
    caCertificate: pki.caCertificate,
    serviceCidr,
    ...(options.clusterCidr ? { clusterCidr: options.clusterCidr } : {}),
  })
  options.onProgress?.('apiserver', server)

  const informers = createInformerFactory({ client, clock, random, log, transformOf: leanTransforms() })
  podsByNode.informer = informers.informer(pods)
  bgp.peers = informers.informer(bgpPeers)
  podsByNode.informer.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))
  const manager = createManager({ client, informers, clock, log, metrics, random })
  addControllers(manager, {
    kinds: BUILT_IN_KINDS,
    caPem: pki.caCertificate,
    clusterCidrs,
    ...(options.nodeGracePeriodMs ? { nodeGracePeriodMs: options.nodeGracePeriodMs } : {}),
  })
  mesh.control = new MeshControl({
    client,
    informers,
    identify: (token, audience) => tokens.identify(token, audience),
    clock,
    metrics,
    log,
  })
  addAuthorityRequests(manager, () => mesh.control?.authorities)
  addMeshStatus(manager, mesh.control)
  addGatewayController(manager, { programmed: programmedBy(() => mesh.control) })
  addScheduler(manager, { random })
  addCertificateSigner(manager, pki)
  const running = manager.run(signal)
  void informers.whenSynced(signal).then(
    () => {
      ready.informers = true
      options.onProgress?.('ready', server)
    },
    () => {},
  )
  const memory = informers.whenSynced(signal).then(
    () => giveBackMemory(clock, signal),
    () => {},
  )
  const meshed = mesh.control.run(informers.whenSynced(signal), signal)
  await Promise.all([running, memory, meshed, renewCertificates(pki, { clock, log, api }, signal)])
  await api.stop()
  await resources.close()
}

function clusterCidrsOf(options: ControlPlaneOptions, serviceCidr: string): readonly ClusterCidr[] {
  if (!options.clusterCidr) return []
  const reserved = serviceCidr.split(',').flatMap((part) => parsePrefix(part) ?? [])
  return parseClusterCidrs(options.clusterCidr, options.nodeMaskSizes, reserved)
}

async function storeWritable(store: Store): Promise<void> {
  const { failure } = await store.status()
  if (failure !== undefined) throw new Error(`the store takes no writes: ${failure}`)
}

async function makeDirectories(layout: DataLayout): Promise<void> {
  // containers of other users must get through; a directory that was there already is the user's
  if ((await mkdir(layout.root, { recursive: true })) !== undefined) await chmod(layout.root, 0o711)
  await mkdir(layout.controlPlane, { recursive: true, mode: 0o700 })
}

/** Written whole or not at all: other processes read these at any time. */
async function publish(layout: DataLayout, pki: Pki, endpoint: Endpoint): Promise<void> {
  await writePrivate(layout.adminKubeconfig, adminKubeconfig(pki, endpoint))
  await writePrivate(layout.endpoint, `${JSON.stringify(endpoint, null, 2)}\n`)
}

async function writePrivate(path: string, text: string): Promise<void> {
  await writeFile(`${path}.tmp`, text, { mode: 0o600 })
  await rename(`${path}.tmp`, path)
}

/** JSON is YAML: every client reads it. */
function adminKubeconfig(pki: Pki, endpoint: Endpoint): string {
  const base64 = (text: string): string => Buffer.from(text).toString('base64')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'biplane', cluster: { server: endpoint.server, 'certificate-authority-data': base64(endpoint.caCertificate) } }],
    users: [
      {
        name: 'biplane-admin',
        user: { 'client-certificate-data': base64(pki.admin.certificate), 'client-key-data': base64(pki.admin.privateKey) },
      },
    ],
    contexts: [{ name: 'biplane', context: { cluster: 'biplane', user: 'biplane-admin' } }],
    'current-context': 'biplane',
  }
  return `${JSON.stringify(config, null, 2)}\n`
}

async function renewCertificates(
  pki: Pki,
  parts: { readonly clock: Clock; readonly log: Logger; readonly api: ApiServer },
  signal: AbortSignal,
): Promise<void> {
  while (!signal.aborted) {
    await sleep(parts.clock, RENEW_EVERY_MS, signal).catch(() => {})
    if (signal.aborted) return
    try {
      if (await pki.renew()) parts.log.warn('certificates were renewed; they are served after the next restart')
    } catch (error) {
      parts.log.error('certificates could not be renewed', { error: messageOf(error) })
    }
  }
}
