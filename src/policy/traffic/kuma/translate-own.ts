import type {
  MeshAuthorizationPolicy,
  MeshBackendRef,
  MeshNamedMatch,
  MeshRequestAuthentication,
  MeshStringMatch,
  MeshTargetRef,
} from '../../../api/biplane.dev/v1alpha1/mesh-request-policies.ts'
import { parseKumaDuration } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { ProxySelector, TrafficPolicy } from '../input/index.ts'
import { clusterName } from './cluster-name.ts'
import {
  originName,
  type ExtAuthzFilter,
  type JwtProvider,
  type Origin,
  type Principal,
  type Rbac,
  type RbacRule,
  type RequestMatch,
  type StringMatch,
} from '../model/index.ts'
import { originOf, type KumaInput } from './kuma-input.ts'
import { selectorRank } from './select-proxies.ts'

/** Normalised MeshRequestAuthentication. */
export interface AuthenticationConf {
  readonly providers: readonly JwtProvider[]
  readonly required: boolean
  /** Names of policies that cannot be carried out: as no token can be verified as they say, all requests are refused. */
  readonly refusing?: readonly string[]
}

/** Normalised MeshAuthorizationPolicy: any part of it. */
export interface AuthorizationConf {
  readonly rbac: Pick<Rbac, 'deny' | 'allow'>
  /** The same, of policies that are only tried. */
  readonly dryRun: Pick<Rbac, 'deny' | 'allow'>
  readonly custom: readonly ExtAuthzFilter[]
}

/** How a token is verified, as one rule for all callers. */
export function translateAuthentication(object: MeshRequestAuthentication, input: KumaInput): TrafficPolicy {
  const origin = originOf(object)
  const providers = (object.spec?.providers ?? []).map((one): JwtProvider => ({
    name: one.name,
    issuer: one.issuer,
    audiences: one.audiences ?? [],
    forward: one.forward ?? false,
    ...(one.jwks === undefined ? {} : { jwks: one.jwks }),
    ...(one.remoteJwks
      ? {
          remoteJwks: {
            uri: one.remoteJwks.uri,
            cluster: backendCluster(one.remoteJwks.backendRef, origin),
            timeoutMs: parseKumaDuration(one.remoteJwks.timeout ?? '5s') ?? 5000,
            cacheMs: parseKumaDuration(one.remoteJwks.cacheDuration ?? '5m') ?? 300_000,
          },
        }
      : {}),
    ...(one.fromHeaders?.length
      ? {
          fromHeaders: one.fromHeaders.map(({ name, prefix }) => ({
            name: name.toLowerCase(),
            ...(prefix === undefined ? {} : { prefix }),
          })),
        }
      : {}),
    ...(one.fromParams?.length ? { fromParams: one.fromParams } : {}),
    ...(one.claimsToHeaders?.length
      ? { claimsToHeaders: one.claimsToHeaders.map(({ claim, header }) => ({ claim, header: header.toLowerCase() })) }
      : {}),
  }))
  const conf: AuthenticationConf = { providers, required: object.spec?.required ?? false }
  return framed(origin, object.spec?.targetRef, input, conf)
}

/** Rules by caller and request, or an authority to ask, as one rule for all callers. */
export function translateAuthorization(object: MeshAuthorizationPolicy, input: KumaInput, trustDomain: string): TrafficPolicy {
  const origin = originOf(object)
  const { spec } = object
  const name = originName(origin)
  const rules = (spec?.rules ?? []).map((rule, i): RbacRule => ({
    name: (spec?.rules?.length ?? 0) > 1 || rule.name !== undefined ? `${name}/${rule.name ?? i}` : name,
    principals: (rule.from ?? []).flatMap((peer) => principals(peer, origin, trustDomain)),
    requests: (rule.to ?? []).map(requestMatch),
  }))
  // an Allow that allows nothing still refuses the rest
  const judged =
    spec?.action === 'Allow'
      ? { deny: [], allow: rules.length > 0 ? rules : [{ name, principals: [NOBODY], requests: [] }] }
      : { deny: spec?.action === 'Deny' ? rules : [], allow: [] }
  const none = { deny: [], allow: [] }
  const custom = spec?.action === 'Custom' && spec.custom ? [extAuthz(name, spec.custom, origin)] : []
  const conf: AuthorizationConf = { rbac: spec?.dryRun ? none : judged, dryRun: spec?.dryRun ? judged : none, custom }
  return framed(origin, spec?.targetRef, input, conf)
}

/** Matches nothing: no SPIFFE id is empty. */
export const NOBODY: Principal = { spiffeId: { exact: '' }, authenticated: true }

function framed(origin: Origin, ref: MeshTargetRef | undefined, { systemNamespace }: KumaInput, conf: unknown): TrafficPolicy {
  const isSystem = origin.namespace === systemNamespace
  const proxies: ProxySelector = {
    ...(isSystem ? (ref?.namespace === undefined ? {} : { namespace: ref.namespace }) : { namespace: origin.namespace }),
    ...(ref?.kind === 'Gateway' ? { kinds: ['gateway'], gateway: `${ref.namespace ?? origin.namespace}/${ref.name ?? ''}` } : {}),
    ...(ref?.kind === 'Dataplane' && ref.name !== undefined ? { name: ref.name } : {}),
    ...(ref?.labels ? { labels: ref.labels } : {}),
    ...(ref?.sectionName === undefined ? {} : { section: ref.sectionName }),
  }
  return { type: origin.kind, origin, proxies, rank: [isSystem ? 0 : 3, selectorRank(proxies)], rules: [{ matches: [], conf }] }
}

type Spec = NonNullable<MeshAuthorizationPolicy['spec']>
type Rule = NonNullable<Spec['rules']>[number]

// namespaces and service accounts are prefixes and exact ids: one principal for each, all other fields repeated
function principals(peer: NonNullable<Rule['from']>[number], origin: Origin, trustDomain: string): readonly Principal[] {
  const rest: Principal = {
    ...(peer.claims?.length ? { claims: peer.claims.map(named) } : {}),
    ...(peer.sourceIPs?.length ? { sourceIps: peer.sourceIPs } : {}),
    ...(peer.notSourceIPs?.length ? { notSourceIps: peer.notSourceIPs } : {}),
  }
  const ids: StringMatch[] = [
    ...(peer.spiffeID ? [stringMatch(peer.spiffeID)] : []),
    ...(peer.namespaces ?? []).map((namespace) => ({ prefix: `spiffe://${trustDomain}/ns/${namespace}/` })),
    ...(peer.serviceAccounts ?? []).map((account) => {
      const [namespace, name] = account.includes('/') ? account.split('/') : [origin.namespace, account]
      return { exact: `spiffe://${trustDomain}/ns/${namespace}/sa/${name}` }
    }),
  ]
  return ids.length > 0 ? ids.map((spiffeId) => ({ ...rest, spiffeId })) : [rest]
}

function requestMatch(match: NonNullable<Rule['to']>[number]): RequestMatch {
  return {
    ...(match.methods?.length ? { methods: match.methods } : {}),
    ...(match.notMethods?.length ? { notMethods: match.notMethods } : {}),
    ...(match.paths?.length ? { paths: match.paths.map(stringMatch) } : {}),
    ...(match.notPaths?.length ? { notPaths: match.notPaths.map(stringMatch) } : {}),
    ...(match.hosts?.length ? { hosts: match.hosts.map(stringMatch) } : {}),
    ...(match.ports?.length ? { ports: match.ports } : {}),
    ...(match.headers?.length ? { headers: match.headers.map((one) => ({ ...named(one), name: one.name.toLowerCase() })) } : {}),
  }
}

function named({ name, invert, ...match }: MeshNamedMatch): { name: string; value: StringMatch; invert?: boolean } {
  return { name, value: stringMatch(match), ...(invert === true ? { invert } : {}) }
}

function stringMatch({ exact, prefix, suffix, contains, regex }: MeshStringMatch): StringMatch {
  if (exact !== undefined) return { exact }
  if (prefix !== undefined) return { prefix }
  if (suffix !== undefined) return { suffix }
  if (contains !== undefined) return { contains }
  return regex === undefined ? { present: true } : { regex }
}

function extAuthz(name: string, custom: NonNullable<Spec['custom']>, origin: Origin): ExtAuthzFilter {
  const timeoutMs = parseKumaDuration(custom.timeout ?? '200ms')
  return {
    type: 'extAuthz',
    name,
    protocol: custom.protocol === 'HTTP' ? 'http' : 'grpc',
    cluster: backendCluster(custom.backendRef, origin),
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ...(custom.failOpen === undefined ? {} : { failOpen: custom.failOpen }),
    ...(custom.pathPrefix === undefined ? {} : { pathPrefix: custom.pathPrefix }),
    ...(custom.maxBodyBytes === undefined ? {} : { maxBodyBytes: custom.maxBodyBytes }),
    ...(custom.includeHeaders ? { includeHeaders: custom.includeHeaders.map((one) => one.toLowerCase()) } : {}),
    ...(custom.upstreamHeaders ? { upstreamHeaders: custom.upstreamHeaders.map((one) => one.toLowerCase()) } : {}),
  }
}

function backendCluster({ name, namespace, port }: MeshBackendRef, origin: Origin): string {
  return clusterName(namespace ?? origin.namespace, name, port)
}
