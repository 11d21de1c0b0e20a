import type { Finding, MeshWorld, PolicyPlugin, ProxyView, TrafficRoute } from '../input/index.ts'
import { selectsProxy } from '../kuma/merging.ts'
import { OUTBOUND_ANY, type Origin, type ProxySettings } from '../model/index.ts'
import { ClusterMaker } from './clusters.ts'
import { Collector, serviceOrigin, type CompiledResource } from './compiled.ts'
import { Effects, PolicyTable } from './effects.ts'
import { addFilterClusters } from './filter-clusters.ts'
import { compileGateway } from './gateway.ts'
import { podIdentityOf } from './identity.ts'
import { compileInbound, compileUndeclared } from './inbound.ts'
import { OutboundSets, type OutboundSet } from './outbound-sets.ts'

/** The configuration of one proxy. */
export class CompiledProxy {
  /** What this proxy has alone. */
  readonly own: readonly CompiledResource[]
  /** What it has in common with others: the same array for all of them, and in the next world too where nothing in it has changed. */
  readonly shared: readonly CompiledResource[]
  readonly findings: readonly Finding[]

  constructor(own: readonly CompiledResource[], shared: readonly CompiledResource[], findings: readonly Finding[]) {
    this.own = own
    this.shared = shared
    this.findings = findings
  }

  /** All of it, put together anew each time: with thousands of proxies and services that is dearer than compiling them. */
  get resources(): readonly CompiledResource[] {
    return [...this.own, ...this.shared]
  }
}

/**
 * Compiles the configuration of proxies in one world. What several proxies have in common, calls that go out mostly, is compiled once and is the same object for
 * all of them: whoever encodes it does so once.
 */
export class Compiler {
  readonly #world: MeshWorld
  readonly #policies: PolicyTable
  readonly #sets: OutboundSets
  /** Routes that are for the clients of some namespace, or for some proxies alone, by their numbers. */
  readonly #choosy: readonly { readonly id: number; readonly parents: TrafficRoute['parents'] }[]

  /** @param previous of the world before: what has not changed since is taken over from it, as the same objects */
  constructor(world: MeshWorld, plugins: readonly PolicyPlugin<any>[], previous?: Compiler) {
    this.#world = world
    this.#policies = new PolicyTable(world.policies, plugins)
    this.#sets = new OutboundSets(world, plugins, previous && previous.#sets)
    this.#choosy = world.routes.flatMap(({ parents }, id) =>
      parents.some((parent) => parent.type === 'service' && (parent.consumers !== undefined || parent.proxies)) ? [{ id, parents }] : [],
    )
  }

  /** Never throws: a part that cannot be compiled is left out, with a Finding. */
  compile(proxy: ProxyView): CompiledProxy {
    const own = new Collector()
    const self: Origin = { kind: 'Pod', group: '', namespace: proxy.namespace, name: proxy.pod }
    let shared: OutboundSet | undefined
    own.guard(
      () => [self],
      `proxy ${proxy.name}`,
      () => {
        const effects = new Effects(this.#world, proxy, this.#policies)
        const clusters = new ClusterMaker(effects, own)
        if (proxy.kind === 'gateway') {
          if (proxy.gateway !== undefined) compileGateway(proxy.gateway, { effects, out: own, clusters })
        } else {
          for (const port of proxy.ports) {
            const blamed = port.services.length > 0 ? port.services.map((one) => serviceOrigin({ kind: 'Service', ...one })) : [self]
            own.guard(
              () => blamed,
              `port ${port.port}`,
              () => compileInbound(port, effects, own),
            )
          }
          own.guard(
            () => [self],
            'ports that nobody declares',
            () => compileUndeclared(effects, own),
          )
          shared = this.#sets.of(effects, this.#routesKey(proxy))
        }
        addFilterClusters(own, clusters)
        own.guard(
          () => [self],
          'settings',
          () => addSettings(effects, own, shared),
        )
      },
    )
    // a cluster that filters ask through may be one that is called anyway
    const alone = own.resources.filter(({ type, value }) => !shared?.names.has(`${type}/${value.name}`))
    const findings = shared && shared.findings.length > 0 ? [...own.findings, ...shared.findings] : own.findings
    return new CompiledProxy(alone, shared?.resources ?? [], findings)
  }

  /** Says which of the choosy routes are for a proxy. */
  #routesKey(proxy: ProxyView): string {
    return this.#choosy
      .flatMap(({ id, parents }) =>
        parents.flatMap((parent, i) => {
          if (parent.type !== 'service' || (parent.consumers === undefined && !parent.proxies)) return []
          if (parent.consumers !== undefined && parent.consumers !== proxy.namespace) return []
          return parent.proxies && !selectsProxy(parent.proxies, proxy) ? [] : [`${id}.${i}`]
        }),
      )
      .join()
  }
}

function addSettings(effects: Effects, out: Collector, shared: OutboundSet | undefined): void {
  const { proxy, world } = effects
  const origins = new Set<Origin>()
  const plain: ProxySettings = {
    name: proxy.name,
    trust: world.trust,
    ...(world.mesh.mtls ? { identity: podIdentityOf(proxy, world.mesh.trustDomain), issuer: world.mesh.issuer } : {}),
    metrics: { profile: 'basic', include: [], exclude: [], includeUnused: false, applications: [] },
    ...(proxy.draining ? { draining: true } : {}),
    listeners: [
      ...out.resources.flatMap(({ type, value }) => (type === 'listener' ? [value.name] : [])),
      ...(shared?.names.has(`listener/${OUTBOUND_ANY}`) ? [OUTBOUND_ANY] : []),
    ],
    passthrough: 'all',
  }
  out.add('proxy', effects.settings(plain, origins), origins)
}
