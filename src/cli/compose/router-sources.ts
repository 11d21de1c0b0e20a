import { secrets } from '../../api/core/v1/secret.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { services } from '../../api/core/v1/service.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import type { Secret } from '../../api/generated/types.ts'
import { bgpPeers, type BgpPeer } from '../../api/routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { routePolicies } from '../../api/routing.biplane.dev/v1alpha1/route-policy.ts'
import { routers, type Router } from '../../api/routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes, type StaticRoute } from '../../api/routing.biplane.dev/v1alpha1/static-route.ts'
import type { KindDefinition } from '../../api/kind.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import type { Clock, Timer } from '../../base/clock.ts'
import type { Logger } from '../../base/log.ts'
import type { Informer } from '../../client/cache.ts'
import type { Client } from '../../client/client.ts'
import { createInformer } from '../../client/informer.ts'
import { compileRouting, secretsOf, type RoutingConfig } from '../../control-plane/routing/index.ts'

export interface RouterSourcesOptions {
  readonly client: Client
  /** Of the node. */
  readonly name: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
  /** Called with each new configuration, first when everything is known. */
  readonly onConfig: (config: RoutingConfig) => void
}

/** The objects that a configuration is compiled from, for those who report on them. */
export interface RouterObjects {
  readonly routers: Informer<Router>
  readonly peers: Informer<BgpPeer>
  readonly statics: Informer<StaticRoute>
}

/** Changes that come together are compiled together. */
const SETTLE_MS = 30
/** A Secret that cannot be read must not hold up everything else for ever. */
const SECRET_WAIT_MS = 5_000

/** Follows the API and compiles what the node does in routing. */
export class RouterSources {
  readonly objects: RouterObjects
  readonly #options: RouterSourcesOptions
  readonly #informers: readonly Informer<any>[]
  readonly #secrets = new Map<string, Informer<Secret>>()
  readonly #signal: AbortSignal
  readonly #running = new Set<Promise<void>>()
  #timer: Timer | undefined
  #revision = ''

  constructor(options: RouterSourcesOptions, signal: AbortSignal) {
    this.#options = options
    this.#signal = signal
    const make = <T extends KubeObject>(kind: KindDefinition<T>, fieldSelector?: string): Informer<T> => {
      const informer = createInformer(kind, options, fieldSelector === undefined ? {} : { fieldSelector })
      this.#watch(informer)
      return informer
    }
    const own = make(nodes, `metadata.name=${options.name}`)
    this.objects = { routers: make(routers), peers: make(bgpPeers), statics: make(staticRoutes) }
    const policies = make(routePolicies)
    const [serviceList, sliceList] = [make(services), make(endpointSlices)]
    const { routers: routerList, peers, statics } = this.objects
    this.#informers = [own, routerList, peers, statics, policies, serviceList, sliceList]
    this.#compile = () => {
      const node = own.lister.get(options.name)
      if (!node || !this.#informers.every(({ synced }) => synced) || !this.#followSecrets()) return
      const config = compileRouting({
        node,
        routers: routerList.lister.list(),
        peers: peers.lister.list(),
        policies: policies.lister.list(),
        statics: statics.lister.list(),
        services: serviceList.lister.list(),
        slices: sliceList.lister.list(),
        secret: (key) => this.#secrets.get(key)?.lister.get(key),
      })
      if (config.revision === this.#revision) return
      this.#revision = config.revision
      options.onConfig(config)
    }
  }

  readonly #compile: () => void

  async run(): Promise<void> {
    await Promise.all(this.#informers.map((informer) => informer.run(this.#signal)))
    await Promise.allSettled(this.#running)
  }

  #watch(informer: Informer<any>): void {
    const changed = (): void => this.#soon()
    void informer.whenSynced(this.#signal).then(changed, () => {})
    informer.addHandler({ add: changed, update: changed, delete: changed })
  }

  #soon(): void {
    if (this.#timer || this.#signal.aborted) return
    this.#timer = this.#options.clock.after(SETTLE_MS, () => {
      this.#timer = undefined
      if (!this.#signal.aborted) this.#compile()
    })
  }

  /** @returns whether all that are needed are known, or have had their time */
  #followSecrets(): boolean {
    const wanted = secretsOf(this.objects.peers.lister.list())
    let isComplete = true
    for (const key of wanted) {
      const known = this.#secrets.get(key)
      if (known) {
        isComplete &&= known.synced || this.#expired.has(key)
        continue
      }
      isComplete = false
      const [namespace = '', name = ''] = key.split('/')
      const informer = createInformer(secrets, this.#options, { namespace, fieldSelector: `metadata.name=${name}` })
      this.#secrets.set(key, informer)
      this.#watch(informer)
      const run = informer.run(this.#signal).finally(() => this.#running.delete(run))
      this.#running.add(run)
      this.#options.clock.after(SECRET_WAIT_MS, () => {
        this.#expired.add(key)
        this.#soon()
      })
    }
    return isComplete
  }

  readonly #expired = new Set<string>()
}
