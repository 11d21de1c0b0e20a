import { isDeepStrictEqual } from 'node:util'
import type { Finding, MeshServiceView, MeshWorld, PolicyPlugin, ProxyView, TrafficRoute } from '../input/index.ts'
import { selectsProxy } from '../kuma/merging.ts'
import { OUTBOUND_ANY, type Origin, type ProxySettings } from '../model/index.ts'
import { closedInbound } from './closed.ts'
import { ClusterMaker } from './clusters.ts'
import { Collector, serviceOrigin, type CompiledResource } from './compiled.ts'
import { Effects, PolicyTable } from './effects.ts'
import { addFilterClusters } from './filter-clusters.ts'
import { compileGateway } from './gateway.ts'
import { podIdentityOf } from './identity.ts'
import { compileInbound, compileUndeclared } from './inbound.ts'
import { OutboundSets, type OutboundSet } from './outbound-sets.ts'
import { safeWorld, type CompilerOptions } from './quarantine.ts'

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

/** What one proxy was compiled to, and what has to be the same for it to be taken over. */
interface Kept {
  readonly proxy: ProxyView
  readonly compiled: CompiledProxy
  readonly set: OutboundSet | undefined
  /** Findings of what it has alone. */
  readonly findings: readonly Finding[]
  /** Of its policies and routes; see OutboundSets. */
  readonly scope: string
  /** Names that decide what it has alone: whether calls that go out have them anyway. */
  readonly asked: readonly string[]
  /** Services that what it has alone was made of. */
  readonly used: ReadonlyMap<string, MeshServiceView | undefined>
}

/**
 * Compiles the configuration of proxies in one world. What several proxies have in common, calls that go out mostly, is compiled once and is the same object for
 * all of them: whoever encodes it does so once.
 */
export class Compiler {
  readonly #world: MeshWorld
  readonly #plugins: readonly PolicyPlugin<any>[]
  readonly #policies: PolicyTable
  readonly #sets: OutboundSets
  /** By name of the proxy. */
  readonly #kept = new Map<string, Kept>()
  /** Of the world before; empty where something has changed that is not just a service or a proxy. */
  #before: ReadonlyMap<string, Kept> = new Map()
  /** Routes that are for the clients of some namespace, or for some proxies alone, by their numbers. */
  readonly #choosy: readonly { readonly id: number; readonly parents: TrafficRoute['parents'] }[]

  /** What authors of policies and routes should know, whichever proxies these are for; those of a proxy are also among its own. */
  readonly findings: readonly Finding[]
  readonly #quarantine: ReturnType<typeof safeWorld>['findings']

  /** @param previous of the world before: what has not changed since is taken over from it, as the same objects */
  constructor(given: MeshWorld, plugins: readonly PolicyPlugin<any>[], previous?: Compiler, options: CompilerOptions = {}) {
    const { world, findings } = safeWorld(given, new Map(plugins.map((plugin) => [plugin.type, plugin])), options)
    this.#quarantine = findings
    this.findings = findings.map(({ policy: _policy, ...finding }) => finding)
    this.#world = world
    this.#policies = new PolicyTable(world.policies, plugins)
    this.#sets = new OutboundSets(world, plugins, previous && previous.#sets)
    if (previous && isSameFrame(previous.#world, world) && previous.#plugins === plugins) this.#before = previous.#kept
    // nothing older than the last world is kept alive
    if (previous) previous.#before = new Map()
    this.#plugins = plugins
    this.#choosy = world.routes.flatMap(({ parents }, id) =>
      parents.some((parent) => parent.type === 'service' && (parent.consumers !== undefined || parent.proxies)) ? [{ id, parents }] : [],
    )
  }

  /**
   * Never throws: a part that cannot be compiled is left out, or closed where that would leave it open, with a Finding. The same proxy (by identity) gives the
   * same object again, and so it does in the next world where nothing of it has changed; what it has alone stays the same array where only calls that go out
   * have changed.
   */
  compile(proxy: ProxyView): CompiledProxy {
    const known = this.#kept.get(proxy.name)
    if (known?.proxy === proxy) return known.compiled
    const kept = this.#takeOver(proxy) ?? this.#compile(proxy)
    this.#kept.set(proxy.name, kept)
    return kept.compiled
  }

  #takeOver(proxy: ProxyView): Kept | undefined {
    const before = this.#before.get(proxy.name)
    if (before?.proxy !== proxy) return undefined
    for (const [name, service] of before.used) if (this.#world.services.get(name) !== service) return undefined
    if (!before.set) return before
    const set = this.#sets.of(before.scope, proxy, () => new Effects(this.#world, proxy, this.#policies))
    if (set === before.set) return before
    const { names } = before.set
    if (set.names !== names && before.asked.some((name) => set.names.has(name) !== names.has(name))) return undefined
    return { ...before, set, compiled: new CompiledProxy(before.compiled.own, set.resources, both(before.findings, set.findings)) }
  }

  #compile(proxy: ProxyView): Kept {
    const own = new Collector()
    for (const { policy, ...finding } of this.#quarantine) if (!policy || selectsProxy(policy.proxies, proxy)) own.findings.push(finding)
    const self: Origin = { kind: 'Pod', group: '', namespace: proxy.namespace, name: proxy.pod }
    let shared: OutboundSet | undefined
    let scope = ''
    let used: Kept['used'] = new Map()
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
              () => {
                if (proxy.dataPlane !== 'grpc') own.add('listener', closedInbound(port, proxy))
              },
            )
          }
          own.guard(
            () => [self],
            'ports that nobody declares',
            () => compileUndeclared(effects, own),
          )
          own.findings.push(...effects.takeFindings())
          scope = `${effects.key}#${this.#routesKey(proxy)}#${proxy.dataPlane}`
          shared = this.#sets.of(scope, proxy, () => effects)
        }
        addFilterClusters(own, clusters)
        used = clusters.used
        own.guard(
          () => [self],
          'settings',
          () => addSettings(effects, own, shared),
        )
        own.findings.push(...effects.takeFindings())
      },
    )
    // a cluster that filters ask through may be one that is called anyway
    const alone = own.resources.filter((one) => !shared?.names.has(nameOf(one)))
    const compiled = new CompiledProxy(alone, shared?.resources ?? NOTHING, both(own.findings, shared?.findings ?? []))
    const asked = [...own.resources.map(nameOf), `listener/${OUTBOUND_ANY}`]
    return { proxy, compiled, set: shared, findings: own.findings, scope, asked, used }
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

const NOTHING: readonly CompiledResource[] = []

const nameOf = ({ type, value }: CompiledResource): string => `${type}/${value.name}`

const both = (own: readonly Finding[], shared: readonly Finding[]): readonly Finding[] => (shared.length > 0 ? [...own, ...shared] : own)

/** Whether two worlds differ in nothing but services and proxies. */
function isSameFrame(before: MeshWorld, after: MeshWorld): boolean {
  const partsOf = ({ mesh, routes, policies, secrets, gateways, trust }: MeshWorld): readonly unknown[] => [
    mesh,
    routes,
    policies,
    secrets,
    gateways,
    trust,
  ]
  return isDeepStrictEqual(partsOf(before), partsOf(after))
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
