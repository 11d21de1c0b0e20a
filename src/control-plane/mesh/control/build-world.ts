import { isDeepStrictEqual } from 'node:util'
import type { EndpointSlice, Node, Pod, Service } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { translateGatewayApi, type TranslatedGatewayApi } from '../../../policy/traffic/gateway-api/index.ts'
import type { Finding, MeshServiceView, MeshSettings, MeshWorld, ProxyView } from '../../../policy/traffic/input/index.ts'
import { defaultPolicies, translateKuma } from '../../../policy/traffic/kuma/index.ts'
import { meshService, proxyView } from '../../../policy/traffic/world/index.ts'
import { keepSame, KeptViews } from './kept-views.ts'
import { serviceOfSlice, type MeshLists } from './mesh-lists.ts'
import { SelectorIndex } from './selector-index.ts'

/** Where what the control plane keeps for itself is; policies in it are for all namespaces. */
export const SYSTEM_NAMESPACE = 'biplane-system'

export interface BuiltWorld {
  readonly world: MeshWorld
  readonly proxies: readonly ProxyView[]
  readonly gatewayApi: TranslatedGatewayApi
  readonly findings: readonly Finding[]
}

/** What the authorities say of the trust domain. */
export interface TrustFacts {
  readonly bundle: readonly string[]
  readonly issuer: string
}

type Kuma = ReturnType<typeof translateKuma>

/** Objects that Gateway API and Ingress are translated from, besides services. */
const GATEWAY_KINDS: ReadonlySet<string> = new Set([
  'GatewayClass',
  'Gateway',
  'ListenerSet',
  'HTTPRoute',
  'GRPCRoute',
  'TCPRoute',
  'TLSRoute',
  'ReferenceGrant',
  'BackendTLSPolicy',
  'Ingress',
  'IngressClass',
  'Namespace',
  'Secret',
  'ConfigMap',
])
const NO_GATEWAYS = translateGatewayApi({})

/**
 * Objects as plain values. What was made of objects stays, as the same values, as long as nothing has changed that they were made of: who has the lists' handlers
 * says what has, and building costs no more than that. The world is the same as one that is built from nothing.
 */
export class WorldBuilder {
  readonly #lists: MeshLists
  readonly #domain: string
  readonly #services = new KeptViews<MeshServiceView>()
  readonly #proxies = new KeptViews<ProxyView>()
  /** Services of each namespace by what they select. */
  readonly #selectors = new SelectorIndex()
  /** What services are made of besides objects of their own. */
  #frame: { readonly mtls: boolean; readonly trustDomain: string } | undefined
  #isGatewayApiDue = true
  #isKumaDue = true
  /** Services or proxies have changed since Kuma's objects were translated, which speak of them. */
  #areViewsNew = false
  #gatewayApi: TranslatedGatewayApi = NO_GATEWAYS
  #settings: Kuma | undefined
  #kuma: Kuma | undefined
  #world: MeshWorld | undefined

  /** The lists may be filled or not: everything that is in them when `build` is called first is looked at. */
  constructor(lists: MeshLists, domain: string) {
    this.#lists = lists
    this.#domain = domain
  }

  /** An object has come, changed or gone; the lists show it already. */
  changed(kind: string, next: KubeObject | undefined, previous: KubeObject | undefined): void {
    // the first build looks at everything
    if (!this.#world) return
    switch (kind) {
      case 'Service':
        this.#serviceChanged(next as Service | undefined, previous as Service | undefined)
        this.#isGatewayApiDue = true
        return
      case 'EndpointSlice':
        for (const slice of [next, previous] as (EndpointSlice | undefined)[]) this.#sliceChanged(slice)
        return
      case 'Pod': {
        const key = keyOf(next ?? previous)
        this.#proxies.mark(key)
        for (const slice of this.#lists.slicesWithPod(key)) this.#sliceChanged(slice)
        return
      }
      case 'Node': {
        const name = (next ?? previous)?.metadata.name ?? ''
        for (const slice of this.#lists.slicesOnNode(name)) this.#sliceChanged(slice)
        for (const pod of this.#lists.podsOnNode(name)) this.#proxies.mark(keyOf(pod))
        return
      }
      default:
        if (GATEWAY_KINDS.has(kind)) this.#isGatewayApiDue = true
        // policies and services of Kuma speak of Secrets
        if (!GATEWAY_KINDS.has(kind) || kind === 'Secret') this.#isKumaDue = true
    }
  }

  /**
   * What it was told of and could not build is due again the next time.
   * @param trustOf the authorities of a trust domain; undefined: it has none yet, and nobody gets an identity
   */
  build(trustOf: (trustDomain: string) => TrustFacts | undefined): BuiltWorld {
    if (!this.#world) this.#markAll()
    const base: MeshSettings = {
      mtls: true,
      trustDomain: 'default.mesh.local',
      issuer: '',
      defaultMode: 'permissive',
      defaultPermission: 'allow',
      domain: this.#domain,
    }
    const objects = this.#lists.meshObjects()
    if (this.#proxies.refresh((key) => this.#proxy(key))) this.#areViewsNew = true
    const kumaInput = {
      objects,
      proxies: this.#proxies.list,
      systemNamespace: SYSTEM_NAMESPACE,
      secret: (namespace: string, name: string) => this.#secret(namespace, name),
    }
    // what Kuma's objects say of the mesh decides who has an identity, and so what endpoints are
    if (!this.#settings || this.#isKumaDue) this.#settings = translateKuma({ ...kumaInput, services: new Map(), mesh: base })
    const wanted = this.#settings.mesh
    const trust = trustOf(wanted.trustDomain)
    const mesh: MeshSettings = {
      ...wanted,
      mtls: wanted.mtls && trust !== undefined,
      issuer: `${trust?.issuer ?? ''}${wanted.issuer}`,
      proxyless: this.#proxies.list.some(({ dataPlane }) => dataPlane === 'grpc'),
    }
    const frame = { mtls: mesh.mtls, trustDomain: mesh.trustDomain }
    if (!isDeepStrictEqual(this.#frame, frame)) for (const service of this.#lists.services.list()) this.#services.mark(keyOf(service))
    if (this.#services.refresh((key) => this.#service(key, frame))) this.#areViewsNew = true
    this.#frame = frame
    if (!this.#kuma || this.#isKumaDue || (objects.length > 0 && this.#areViewsNew)) {
      this.#kuma = this.#kept(translateKuma({ ...kumaInput, services: this.#services.map, mesh: base }))
    }
    if (this.#isGatewayApiDue)
      this.#gatewayApi = this.#lists.hasGatewayObjects() ? translateGatewayApi(this.#lists.gatewayObjects()) : NO_GATEWAYS
    const [kuma, gatewayApi] = [this.#kuma, this.#gatewayApi]
    const world = keepSame(this.#world, {
      mesh,
      services: new Map([...this.#services.map, ...kuma.services]),
      routes: [...gatewayApi.routes, ...kuma.routes],
      policies: [...defaultPolicies(kuma.skippedDefaults), ...kuma.policies],
      gateways: [...gatewayApi.gateways, ...kuma.gateways],
      secrets: new Map([...gatewayApi.secrets, ...kuma.secrets]),
      trust: withOwn(kuma.trust, mesh.trustDomain, trust),
    })
    this.#world = world
    this.#isGatewayApiDue = false
    this.#isKumaDue = false
    this.#areViewsNew = false
    return { world, proxies: this.#proxies.list, gatewayApi, findings: [...kuma.findings, ...gatewayApi.findings] }
  }

  #markAll(): void {
    for (const service of this.#lists.services.list()) {
      this.#services.mark(keyOf(service))
      this.#selectors.set(keyOf(service), service)
    }
    for (const pod of this.#lists.pods.list()) this.#proxies.mark(keyOf(pod))
  }

  #serviceChanged(next: Service | undefined, previous: Service | undefined): void {
    const key = keyOf(next ?? previous)
    this.#services.mark(key)
    this.#selectors.set(key, next)
    const selectors = [previous, next].flatMap((service) => Object.entries(service?.spec?.selector ?? {}).slice(0, 1))
    if (selectors.length === 0) return
    // a label of the selector is enough to leave most pods alone
    for (const pod of this.#lists.pods.list((next ?? previous)?.metadata.namespace ?? '')) {
      if (selectors.some(([label, value]) => pod.metadata.labels?.[label] === value)) this.#proxies.mark(keyOf(pod))
    }
  }

  #sliceChanged(slice: EndpointSlice | undefined): void {
    const service = slice && serviceOfSlice(slice)
    if (service !== undefined) this.#services.mark(service)
  }

  #proxy(key: string): ProxyView | undefined {
    const pod = this.#lists.pods.get(key)
    return pod && proxyView(pod, this.#selectors.candidates(pod), { node: (name) => this.#lists.nodes.get(name) })
  }

  #service(key: string, frame: { readonly mtls: boolean; readonly trustDomain: string }): MeshServiceView | undefined {
    const { services, pods, nodes } = this.#lists
    const service = services.get(key)
    return (
      service &&
      meshService(service, this.#lists.slicesOf(service), {
        pod: (namespace, name): Pod | undefined => pods.get(`${namespace}/${name}`),
        node: (name): Node | undefined => nodes.get(name),
        ...frame,
      })
    )
  }

  /** Services that are the same as before, as the same objects. */
  #kept(made: Kuma): Kuma {
    const before = this.#kuma?.services
    if (!before) return made
    return {
      ...made,
      services: new Map(
        [...made.services].map(([key, service]) => {
          const known = before.get(key)
          return [key, known && isDeepStrictEqual(known, service) ? known : service]
        }),
      ),
    }
  }

  #secret(namespace: string, name: string): Readonly<Record<string, string>> | undefined {
    const found = this.#lists.secrets.get(`${namespace}/${name}`)
    return (
      found && Object.fromEntries(Object.entries(found.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
    )
  }
}

const keyOf = (object: KubeObject | undefined): string => `${object?.metadata.namespace ?? ''}/${object?.metadata.name ?? ''}`

function withOwn(
  trust: Readonly<Record<string, readonly string[]>>,
  domain: string,
  own: TrustFacts | undefined,
): Readonly<Record<string, readonly string[]>> {
  if (!own) return trust
  return { ...trust, [domain]: [...new Set([...own.bundle, ...(trust[domain] ?? [])])] }
}
