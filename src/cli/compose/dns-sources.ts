import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { configMaps } from '../../api/core/v1/config-map.ts'
import { services } from '../../api/core/v1/service.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import { createClient } from '../../client/create-client.ts'
import { createHttpsTransport } from '../../client/https-transport.ts'
import { createInformer } from '../../client/informer.ts'
import {
  fillZone,
  leanService,
  leanSlice,
  parseForwardingConfig,
  type ForwardingConfig,
  type ZoneKeeper,
} from '../../data-plane/dns/index.ts'
import type { NodeIdentity } from '../../data-plane/node/api-sync/join.ts'
import { LastGoodList } from '../../data-plane/node/api-sync/last-good.ts'
import { dataLayout } from './layout.ts'

export interface DnsSourcesOptions {
  readonly dataDir: string
  readonly name: string
  readonly server: string
  readonly caCertificate: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Of the DNS process alone: last good copies. */
  readonly stateDir: string
  readonly keeper: ZoneKeeper
  /** The zone holds every service that is known. */
  readonly onKnown: () => void
  readonly onConfig: (config: ForwardingConfig) => void
}

/** Where forwarding is configured for the whole cluster. */
const CONFIG = { namespace: 'kube-system', name: 'biplane-dns' }
const LOOK_FOR_IDENTITY_MS = 1_000

/** Keeps a zone equal to the API with the credentials of the node; starts anew when those are renewed. Ends with the signal. */
export async function followCluster(options: DnsSourcesOptions, signal: AbortSignal): Promise<void> {
  const path = join(dataLayout(options.dataDir).node(options.name).state, 'identity.json')
  let told = false
  while (!signal.aborted) {
    const text = await readFile(path, 'utf8').catch(() => '')
    const identity = parseIdentity(text)
    if (!identity) {
      if (!told) options.log.info('waiting for the certificate of the node', { path })
      told = true
      await sleep(options.clock, LOOK_FOR_IDENTITY_MS, signal).catch(() => {})
      continue
    }
    const turn = new AbortController()
    const stop = (): void => turn.abort(signal.reason)
    signal.addEventListener('abort', stop, { once: true })
    await Promise.all([followWith(identity, options, turn.signal), abortOnRenewal(path, text, options.clock, turn)])
    signal.removeEventListener('abort', stop)
  }
}

async function followWith(identity: NodeIdentity, options: DnsSourcesOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log, stateDir, keeper } = options
  const transport = createHttpsTransport({
    server: options.server,
    ca: options.caCertificate,
    cert: identity.certificate,
    key: identity.privateKey,
    clock,
    random,
    userAgent: 'biplane-dns',
  })
  const dependencies = { client: createClient(transport), clock, random, log }
  const serviceInformer = createInformer(services, dependencies, { transform: leanService })
  const sliceInformer = createInformer(endpointSlices, dependencies, { transform: leanSlice })
  const configInformer = createInformer(configMaps, dependencies, {
    namespace: CONFIG.namespace,
    fieldSelector: `metadata.name=${CONFIG.name}`,
  })
  const kept = (name: string): { path: string; clock: Clock; log: Logger } => ({ path: join(stateDir, `${name}.json`), clock, log })
  const keptServices = new LastGoodList(serviceInformer, kept('services'))
  const keptSlices = new LastGoodList(sliceInformer, kept('endpointslices'))
  const keptConfig = new LastGoodList(configInformer, kept('configmaps'))
  const configure = (): void => {
    try {
      options.onConfig(parseForwardingConfig(keptConfig.list().find(({ metadata }) => metadata.name === CONFIG.name)?.data ?? {}))
    } catch (error) {
      log.warn('ConfigMap is not used', { ...CONFIG, error: messageOf(error) })
    }
  }
  await keptConfig.load()
  configure()
  keptConfig.onChange(configure)
  const isKnown = await fillZone(keeper, { services: serviceInformer, slices: sliceInformer, keptServices, keptSlices })
  if (isKnown) options.onKnown()
  void Promise.all([serviceInformer.whenSynced(signal), sliceInformer.whenSynced(signal)]).then(options.onKnown, () => {})
  try {
    await Promise.all([serviceInformer.run(signal), sliceInformer.run(signal), configInformer.run(signal)])
  } finally {
    await Promise.all([keptServices.settled(), keptSlices.settled(), keptConfig.settled()])
    await transport.close()
  }
}

async function abortOnRenewal(path: string, before: string, clock: Clock, turn: AbortController): Promise<void> {
  while (!turn.signal.aborted) {
    await sleep(clock, 60 * LOOK_FOR_IDENTITY_MS, turn.signal).catch(() => {})
    if (turn.signal.aborted) return
    const now = await readFile(path, 'utf8').catch(() => '')
    if (now !== before && parseIdentity(now)) turn.abort(new Error('the certificate of the node was renewed'))
  }
}

function parseIdentity(text: string): NodeIdentity | undefined {
  try {
    const { certificate, privateKey } = JSON.parse(text) as Partial<NodeIdentity>
    return certificate && privateKey ? { certificate, privateKey } : undefined
  } catch {
    return undefined
  }
}
