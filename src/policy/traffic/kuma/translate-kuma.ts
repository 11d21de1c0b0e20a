import type { MeshAuthorizationPolicy, MeshRequestAuthentication } from '../../../api/biplane.dev/v1alpha1/mesh-request-policies.ts'
import { meshPolicies, type KumaObject, type KumaPolicy, type MeshRoute } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Finding, TrafficPolicy } from '../input/index.ts'
import type { Secret } from '../model/index.ts'
import { originOf, type KumaInput, type KumaResult } from './kuma-input.ts'
import { sieve } from './sieve.ts'
import { translateGateways } from './translate-gateways.ts'
import { translateIdentities, translateMesh, translateTrust } from './translate-mesh.ts'
import { translateAuthentication, translateAuthorization } from './translate-own.ts'
import { brokenPolicy, translatePolicy } from './translate-policy.ts'
import { translateRoute } from './translate-route.ts'
import { translateServices } from './translate-services.ts'

const SERVICE_KINDS = ['MeshExternalService', 'MeshMultiZoneService', 'MeshService', 'HostnameGenerator'] as const
const POLICY_KINDS: ReadonlySet<string> = new Set(meshPolicies.map(({ kind }) => kind))

/** All of Kuma's objects, and the mesh's own policies beside them, for the compiler. Pure; an object that cannot be used is left out with a Finding, a policy among them is `broken`. */
export function translateKuma(input: KumaInput): KumaResult {
  const findings: Finding[] = []
  const secrets = new Map<string, Secret>()
  const kuma = input.objects.filter(({ apiVersion }) => apiVersion === 'kuma.io/v1alpha1')
  const own = input.objects.filter(({ apiVersion }) => apiVersion === 'biplane.dev/v1alpha1')
  const of = (list: readonly KubeObject[], ...kinds: readonly string[]): KumaObject[] =>
    list.filter(({ kind = '' }) => kinds.includes(kind)) as KumaObject[]

  const sieved = <T>(list: readonly KumaObject[], translate: (list: readonly KumaObject[], findings: Finding[]) => T): [T, boolean] => {
    const {
      result,
      unreadable,
      findings: told,
    } = sieve(list, originOf, (some) => {
      const own: Finding[] = []
      return { made: translate(some, own), own }
    })
    findings.push(...told, ...result.own)
    return [result.made, unreadable.length > 0]
  }
  const [said, isMeshUnreadable] = sieved(of(kuma, 'Mesh'), (list, own) => translateMesh(list, input.mesh, own))
  // whether it asked for less than the most that it can ask for is not known
  const closed = { mtls: true, defaultMode: 'strict', defaultPermission: 'deny' } as const
  const settings = isMeshUnreadable ? { ...said, mesh: { ...said.mesh, ...closed } } : said
  const [mesh] = sieved(of(kuma, 'MeshIdentity'), (list, own) => translateIdentities(list, settings.mesh, input.zone ?? 'default', own))
  const [services] = sieved(of(kuma, ...SERVICE_KINDS), (list, own) => translateServices(list, input, secrets, own))
  const [gateways] = sieved(of(kuma, 'MeshGateway'), (list, own) => translateGateways(list, input, secrets, own))
  const [trust] = sieved(of(kuma, 'MeshTrust'), translateTrust)
  const all = new Map([...input.services, ...services])
  const each = <T>(
    list: readonly KubeObject[],
    translate: (object: KubeObject) => T,
    otherwise: (object: KubeObject, why: string) => readonly T[] = () => [],
  ): T[] =>
    list.flatMap((object) => {
      try {
        return [translate(object)]
      } catch (error) {
        const message = `cannot be read: ${messageOf(error)}`
        findings.push({ origin: originOf(object), type: 'Invalid', reason: 'Unreadable', message })
        return otherwise(object, message)
      }
    })
  // one that refuses somebody must not let everybody in because nobody can read it
  const broken = (object: KubeObject, why: string): readonly TrafficPolicy[] => [brokenPolicy(object, input.systemNamespace, why)]
  const policies: TrafficPolicy[] = [
    ...each(
      kuma.filter(({ kind = '' }) => POLICY_KINDS.has(kind)),
      (object) => translatePolicy(object as KumaPolicy, input, mesh.trustDomain, findings),
      broken,
    ),
    ...each(of(own, 'MeshRequestAuthentication'), (object) => translateAuthentication(object as MeshRequestAuthentication, input), broken),
    ...each(
      of(own, 'MeshAuthorizationPolicy'),
      (object) => translateAuthorization(object as MeshAuthorizationPolicy, input, mesh.trustDomain),
      broken,
    ),
  ]
  const routes = each(
    kuma.filter(({ kind }) => kind === 'MeshHTTPRoute' || kind === 'MeshTCPRoute'),
    (object) => translateRoute(object as MeshRoute, input, all, findings),
  ).flat()
  return {
    mesh,
    policies,
    routes,
    services,
    gateways,
    secrets,
    trust,
    skippedDefaults: settings.skippedDefaults,
    findings,
  }
}
