import { timestamp } from '../../../base/timestamp.ts'
import { isStatus } from '../../../base/errors.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { secrets } from '../../../api/core/v1/secret.ts'
import { serviceAccounts } from '../../../api/core/v1/service-account.ts'
import { services } from '../../../api/core/v1/service.ts'
import {
  backendTLSPolicies,
  gatewayClasses,
  gateways,
  grpcRoutes,
  httpRoutes,
  listenerSets,
  referenceGrants,
  tcpRoutes,
  tlsRoutes,
} from '../../../api/gateway.networking.k8s.io/v1/index.ts'
import type { Service } from '../../../api/generated/types.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import { keyOf, type KubeObject } from '../../../api/meta/object.ts'
import { ingressClasses } from '../../../api/networking/v1/ingress-class.ts'
import { ingresses } from '../../../api/networking/v1/ingress.ts'
import { addressPools } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { watchOf, type Manager, type Request } from '../../../controller/contract.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'
import {
  GATEWAY_CLASS,
  GATEWAY_CONTROLLER,
  INGRESS_CONTROLLER,
  INGRESS_GATEWAY,
  translateGatewayApi,
  type GatewayObjects,
} from '../../../policy/traffic/gateway-api/index.ts'
import { infrastructureName, planInfrastructure, planIngressInfrastructure, type GatewayInfrastructure } from './plan-infrastructure.ts'
import { planPatch } from './plan-patch.ts'
import { planStatus, type ProgrammedAnswer, type StatusSources } from './plan-status.ts'

export interface GatewayControllerOptions {
  /** Whether data planes carry out the newest of a Gateway or route. */
  readonly programmed: StatusSources['programmed']
}

const FIELD_MANAGER = 'biplane-gateway-controller'
const ALL: readonly Request[] = [{ namespace: '', name: 'all' }]
/** While something is not programmed yet, data planes are asked again this often. */
const ASK_AGAIN_MS = 1_000
/** Statuses are worked out at most this often: one change of many objects is one piece of work. */
const PLAN_EVERY_MS = 200

/**
 * Looks after Gateway API and Ingress: makes what runs gateways (a Deployment, a Service, a ServiceAccount, owned by the Gateway) and writes statuses, only where
 * they differ. Makes the classes `biplane` once, when it starts; who deletes them is heard.
 */
export function addGatewayController(manager: Manager, { programmed }: GatewayControllerOptions): void {
  const lists = {
    gatewayClasses: manager.informers.informer(gatewayClasses).lister,
    gateways: manager.informers.informer(gateways).lister,
    listenerSets: manager.informers.informer(listenerSets).lister,
    httpRoutes: manager.informers.informer(httpRoutes).lister,
    grpcRoutes: manager.informers.informer(grpcRoutes).lister,
    tcpRoutes: manager.informers.informer(tcpRoutes).lister,
    tlsRoutes: manager.informers.informer(tlsRoutes).lister,
    referenceGrants: manager.informers.informer(referenceGrants).lister,
    backendTLSPolicies: manager.informers.informer(backendTLSPolicies).lister,
    ingresses: manager.informers.informer(ingresses).lister,
    ingressClasses: manager.informers.informer(ingressClasses).lister,
    services: manager.informers.informer(services).lister,
    namespaces: manager.informers.informer(namespaces).lister,
    secrets: manager.informers.informer(secrets).lister,
    configMaps: manager.informers.informer(configMaps).lister,
  }
  const objects = (): GatewayObjects =>
    Object.fromEntries(Object.entries(lists).map(([name, lister]) => [name, (lister.list() as KubeObject[]).filter(isAlive)]))
  const pools = manager.informers.informer(addressPools).lister
  const running = manager.informers.informer(deployments).lister
  const applier = new Applier(manager)
  /** Whom no pod serves is served by nobody, whatever proxies have confirmed. */
  const notRunning = (
    kind: string,
    { metadata, spec }: KubeObject & { readonly spec?: { readonly gatewayClassName?: string } },
  ): ProgrammedAnswer | undefined => {
    if (kind !== 'Gateway') return undefined
    const name = infrastructureName(metadata.name, spec?.gatewayClassName ?? GATEWAY_CLASS)
    const { readyReplicas = 0 } = running.get(`${metadata.namespace}/${name}`)?.status ?? {}
    return readyReplicas > 0 ? undefined : { ok: false, message: `No pod of deployment ${name} is ready` }
  }
  let plannedAt = Number.NEGATIVE_INFINITY

  manager.addController({
    name: 'gateway',
    concurrency: 1,
    watches: [
      ...[gatewayClasses, gateways, listenerSets, httpRoutes, grpcRoutes, tcpRoutes, tlsRoutes, referenceGrants, backendTLSPolicies].map(
        watchAll,
      ),
      ...[ingresses, ingressClasses, services, namespaces, secrets, configMaps, deployments, addressPools].map(watchAll),
    ],
    reconciler: {
      async reconcile(_, signal) {
        const waitMs = plannedAt + PLAN_EVERY_MS - manager.clock.monotonic()
        if (waitMs > 0) return { requeueAfterMs: waitMs }
        plannedAt = manager.clock.monotonic()
        const now = objects()
        const translated = translateGatewayApi(now)
        for (const { gateway } of translated.judgedGateways.values()) await applier.apply(planInfrastructure(gateway), signal)
        await applier.applyIngress(planIngressInfrastructure(translated.gateways), signal)
        let pending = false
        const sources: StatusSources = {
          now: timestamp(manager.clock.now()),
          addresses: ({ namespace, name }) =>
            addressesOf(
              lists.services.get(`${namespace}/${infrastructureName(name, classOf(now, namespace, name))}`),
              pools.list().length > 0,
            ),
          programmed(kind, object) {
            const answer = notRunning(kind, object) ?? programmed(kind, object)
            if (!answer.ok) pending = true
            return answer
          },
        }
        for (const { kind, object } of planStatus(now, translated, sources)) {
          await manager.client.of(kind).updateStatus(object, { signal }).catch(ignoreGone)
        }
        return pending ? { requeueAfterMs: ASK_AGAIN_MS } : undefined
      },
    },
  })
  manager.addTask('gateway-classes', async (signal) => makeClasses(manager, signal))
}

const watchAll = (kind: KindDefinition<any>): ReturnType<typeof watchOf> => watchOf(kind, () => ALL)

const isAlive = ({ metadata }: KubeObject): boolean => metadata.deletionTimestamp === undefined

function classOf({ gateways: list = [] }: GatewayObjects, namespace: string, name: string): string {
  return list.find(({ metadata }) => metadata.namespace === namespace && metadata.name === name)?.spec.gatewayClassName ?? GATEWAY_CLASS
}

/** Where nobody gives out addresses for load balancers, a gateway is reached where its Service is: on the nodes, and on a laptop that is all there is. */
function addressesOf(service: Service | undefined, hasPools: boolean): string[] {
  const given = (service?.status?.loadBalancer?.ingress ?? []).flatMap(({ ip, hostname }) => ip ?? hostname ?? [])
  return given.length > 0 || hasPools ? given : (service?.spec?.clusterIPs ?? []).filter((ip) => ip !== 'None')
}

async function makeClasses(manager: Manager, signal: AbortSignal): Promise<void> {
  await manager.client
    .of(gatewayClasses)
    .create(
      { metadata: { name: GATEWAY_CLASS }, spec: { controllerName: GATEWAY_CONTROLLER, description: 'Gateways of biplane.' } },
      { signal },
    )
    .catch(ignoreExisting)
  await manager.client
    .of(ingressClasses)
    .create({ metadata: { name: GATEWAY_CLASS }, spec: { controller: INGRESS_CONTROLLER } }, { signal })
    .catch(ignoreExisting)
}

/** Makes what is wanted, and changes what is there where it is something else. */
class Applier {
  readonly #manager: Manager
  #hasIngress = true

  constructor(manager: Manager) {
    this.#manager = manager
    for (const kind of KINDS) manager.informers.informer(kind)
  }

  async apply({ serviceAccount, deployment, service }: GatewayInfrastructure, signal: AbortSignal): Promise<void> {
    await this.#one(serviceAccounts, serviceAccount, signal)
    await this.#one(deployments, deployment, signal)
    if (service) await this.#one(services, service, signal)
  }

  async applyIngress(infrastructure: GatewayInfrastructure | undefined, signal: AbortSignal): Promise<void> {
    const { namespace, name } = INGRESS_GATEWAY
    if (infrastructure) {
      const { lister } = this.#manager.informers.informer(namespaces)
      if (!lister.get(namespace)) {
        await this.#manager.client
          .of(namespaces)
          .create({ metadata: { name: namespace } }, { signal })
          .catch(ignoreExisting)
      }
      this.#hasIngress = true
      return this.apply(infrastructure, signal)
    }
    if (!this.#hasIngress) return
    // the last Ingress has gone, or there was none when this started
    for (const kind of KINDS) {
      const own = this.#manager.informers.informer<KubeObject>(kind).lister.get(`${namespace}/${infrastructureName(name, GATEWAY_CLASS)}`)
      if (own) await this.#manager.client.of(kind).delete(own.metadata.name, { namespace, signal }).catch(ignoreGone)
    }
    this.#hasIngress = false
  }

  async #one(kind: KindDefinition<any>, object: KubeObject, signal: AbortSignal): Promise<void> {
    const present = this.#manager.informers.informer<KubeObject>(kind).lister.get(keyOf(object))
    const client = this.#manager.client.of<KubeObject>(kind)
    if (!present) return void (await client.create(object, { fieldManager: FIELD_MANAGER, signal }).catch(ignoreExisting))
    const patch = planPatch(present, object)
    if (!patch) return
    const options = { type: 'merge', namespace: object.metadata.namespace, fieldManager: FIELD_MANAGER, signal } as const
    await client.patch(object.metadata.name, patch, options).catch(ignoreGone)
  }
}

/** The cache lags behind: the event that shows the object brings us back. */
function ignoreExisting(error: unknown): void {
  if (!isStatus(error, 'AlreadyExists')) throw error
}

const KINDS: readonly KindDefinition<any>[] = [serviceAccounts, deployments, services]
