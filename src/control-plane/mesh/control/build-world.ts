import type { Pod, Service } from '../../../api/generated/types.ts'
import { translateGatewayApi, type TranslatedGatewayApi } from '../../../policy/traffic/gateway-api/index.ts'
import type { Finding, MeshServiceView, MeshSettings, MeshWorld, ProxyView } from '../../../policy/traffic/input/index.ts'
import { defaultPolicies, translateKuma } from '../../../policy/traffic/kuma/index.ts'
import { meshService, proxyView, type EndpointFacts } from '../../../policy/traffic/world/index.ts'
import type { MeshLists } from './mesh-lists.ts'

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

/** Keeps what was made of objects as long as they stay the same, so that what does not change stays the same value. */
export class WorldBuilder {
  readonly #lists: MeshLists
  readonly #domain: string
  readonly #services = new Map<string, { readonly text: string; readonly view: MeshServiceView }>()

  constructor(lists: MeshLists, domain: string) {
    this.#lists = lists
    this.#domain = domain
  }

  /** @param trustOf the authorities of a trust domain; undefined: it has none yet, and nobody gets an identity */
  build(trustOf: (trustDomain: string) => TrustFacts | undefined): BuiltWorld {
    const lists = this.#lists
    const base: MeshSettings = {
      mtls: true,
      trustDomain: 'default.mesh.local',
      issuer: '',
      defaultMode: 'permissive',
      defaultPermission: 'allow',
      domain: this.#domain,
    }
    const objects = lists.meshObjects()
    const secret = (namespace: string, name: string): Readonly<Record<string, string>> | undefined => {
      const found = lists.secrets.get(`${namespace}/${name}`)
      return (
        found && Object.fromEntries(Object.entries(found.data ?? {}).map(([key, value]) => [key, Buffer.from(value, 'base64').toString()]))
      )
    }
    const proxies = this.#proxies()
    const kumaInput = { objects, proxies, systemNamespace: SYSTEM_NAMESPACE, secret }
    // what Kuma's objects say of the mesh decides who has an identity, and so what endpoints are
    const { mesh: wanted } = translateKuma({ ...kumaInput, services: new Map(), mesh: base })
    const trust = trustOf(wanted.trustDomain)
    const mesh: MeshSettings = { ...wanted, mtls: wanted.mtls && trust !== undefined, issuer: `${trust?.issuer ?? ''}${wanted.issuer}` }
    const services = this.#meshServices({
      pod: (namespace, name) => lists.pods.get(`${namespace}/${name}`),
      node: (name) => lists.nodes.get(name),
      mtls: mesh.mtls,
      trustDomain: mesh.trustDomain,
    })
    const kuma = translateKuma({ ...kumaInput, services, mesh: base })
    const gatewayApi = translateGatewayApi(lists.gatewayObjects())
    const world: MeshWorld = {
      mesh,
      services: new Map([...services, ...kuma.services]),
      routes: [...gatewayApi.routes, ...kuma.routes],
      policies: [...defaultPolicies(kuma.skippedDefaults), ...kuma.policies],
      gateways: [...gatewayApi.gateways, ...kuma.gateways],
      secrets: new Map([...gatewayApi.secrets, ...kuma.secrets]),
      trust: withOwn(kuma.trust, mesh.trustDomain, trust),
    }
    return { world, proxies, gatewayApi, findings: [...kuma.findings, ...gatewayApi.findings] }
  }

  #proxies(): readonly ProxyView[] {
    const { pods, services, nodes } = this.#lists
    const byNamespace = new Map<string, Service[]>()
    for (const service of services.list()) {
      const namespace = service.metadata.namespace ?? ''
      const list = byNamespace.get(namespace) ?? []
      byNamespace.set(namespace, list)
      list.push(service)
    }
    const view = (pod: Pod): ProxyView[] => {
      const made = proxyView(pod, byNamespace.get(pod.metadata.namespace ?? '') ?? [], { node: (name) => nodes.get(name) })
      return made ? [made] : []
    }
    return pods.list().flatMap(view)
  }

  #meshServices(facts: EndpointFacts): ReadonlyMap<string, MeshServiceView> {
    const made = new Map<string, MeshServiceView>()
    for (const service of this.#lists.services.list()) {
      const view = meshService(service, this.#lists.slicesOf(service), facts)
      if (!view) continue
      const key = `${view.namespace}/${view.name}`
      const text = JSON.stringify(view)
      const known = this.#services.get(key)
      const kept = known?.text === text ? known.view : view
      if (kept !== known?.view) this.#services.set(key, { text, view })
      made.set(key, kept)
    }
    for (const key of this.#services.keys()) if (!made.has(key)) this.#services.delete(key)
    return made
  }
}

function withOwn(
  trust: Readonly<Record<string, readonly string[]>>,
  domain: string,
  own: TrustFacts | undefined,
): Readonly<Record<string, readonly string[]>> {
  if (!own) return trust
  return { ...trust, [domain]: [...new Set([...own.bundle, ...(trust[domain] ?? [])])] }
}
