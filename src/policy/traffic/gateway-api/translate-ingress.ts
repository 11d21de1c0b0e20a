import type { Ingress, IngressBackend, IngressClass } from '../../../api/generated/types.ts'
import type { Finding } from '../input/world.ts'
import type { BackendRef, GatewayListener, RouteParent, TrafficRoute, TrafficRule } from '../input/route.ts'
import type { PathMatch, Secret } from '../model/index.ts'
import { compareOrigins, GATEWAY_CLASS, INGRESS_CONTROLLER, INGRESS_GATEWAY, originOf } from './gateway-objects.ts'
import { groupBy, type ObjectIndex } from './object-index.ts'
import { readServerSecret, secretName } from './pem-secrets.ts'

export interface TranslatedIngresses {
  readonly routes: readonly TrafficRoute[]
  readonly gateways: readonly GatewayListener[]
  readonly secrets: readonly Secret[]
  readonly findings: readonly Finding[]
}

const DEFAULT_CLASS = 'ingressclass.kubernetes.io/is-default-class'
const CLASS_ANNOTATION = 'kubernetes.io/ingress.class'

/** Whether an Ingress is ours: by class (`biplane`, or an IngressClass of our controller), or because the default class is ours. */
export function isOurIngress({ metadata, spec }: Ingress, classes: readonly IngressClass[]): boolean {
  const ours = (name: string): boolean => {
    const found = classes.find((one) => one.metadata.name === name)
    return found ? found.spec?.controller === INGRESS_CONTROLLER : name === GATEWAY_CLASS
  }
  const asked = spec?.ingressClassName ?? metadata.annotations?.[CLASS_ANNOTATION]
  if (asked !== undefined) return ours(asked)
  return classes.some((one) => one.metadata.annotations?.[DEFAULT_CLASS] === 'true' && one.spec?.controller === INGRESS_CONTROLLER)
}

/**
 * Ingresses as routes of one shared gateway: port 80, and port 443 for each host that has a Secret. Hosts with TLS are served on both ports.
 * Source: Kubernetes, networking.k8s.io/v1 Ingress.
 */
export function translateIngresses(
  ingresses: readonly Ingress[],
  classes: readonly IngressClass[],
  index: ObjectIndex,
): TranslatedIngresses {
  const routes: TrafficRoute[] = []
  const findings: Finding[] = []
  const secrets = new Map<string, Secret>()
  const listeners = new Map<string, GatewayListener>()
  const ours = ingresses
    .filter((one) => isOurIngress(one, classes))
    .map((ingress) => ({ ingress, origin: originOf('Ingress', 'networking.k8s.io', ingress) }))
    .sort((a, b) => compareOrigins(a.origin, b.origin))
  for (const { ingress, origin } of ours) {
    listeners.set('http', { gateway: INGRESS_GATEWAY, section: 'http', port: 80, protocol: 'http', origin })
    for (const { hosts, secretName: name } of ingress.spec?.tls ?? []) {
      const secret = name ? index.secret(origin.namespace, name) : undefined
      const read = secret ? readServerSecret(secret, secretName(origin.namespace, name!)) : 'does not exist'
      if (typeof read === 'string') {
        const message = `Secret ${origin.namespace}/${name ?? ''} ${read}: its hosts are not served on port 443`
        findings.push({ origin, type: 'Invalid', reason: 'InvalidCertificateRef', message })
        continue
      }
      secrets.set(read.name, read)
      for (const host of hosts?.length ? hosts : ['']) {
        const section = `https-${host || 'all'}`
        const tls = { mode: 'terminate', certificates: [read.name], alpn: ['h2', 'http/1.1'] } as const
        // the oldest Ingress that brings a certificate for a host wins
        if (listeners.has(section)) {
          if (listeners.get(section)!.tls && JSON.stringify(listeners.get(section)!.tls) !== JSON.stringify(tls)) {
            findings.push({
              origin,
              type: 'Conflicted',
              reason: 'HostnameConflict',
              message: `An older Ingress brings another certificate for host ${host || '*'}`,
            })
          }
          continue
        }
        listeners.set(section, {
          gateway: INGRESS_GATEWAY,
          section,
          port: 443,
          protocol: 'https',
          ...(host ? { hostname: host.toLowerCase() } : {}),
          tls,
          origin,
        })
      }
    }
  }
  const parents: RouteParent[] = [...listeners.keys()].map((section) => ({ type: 'gateway', ...INGRESS_GATEWAY, section }))
  for (const { ingress, origin } of ours) {
    const backendOf = (backend: IngressBackend | undefined): BackendRef[] => {
      const translated = backend && translateBackend(backend, origin.namespace, index)
      if (translated?.invalid) {
        const message = `Service ${translated.namespace}/${translated.name} or its port does not exist`
        findings.push({ origin, type: 'Invalid', reason: translated.invalid, message })
      }
      return translated ? [translated] : []
    }
    const fallback = ingress.spec?.defaultBackend
    const everything = (): TrafficRule[] =>
      fallback ? [{ name: 'default', matches: [{ path: { pathPrefix: '/' } }], backends: backendOf(fallback) }] : []
    const route = (hostnames: string[], rules: TrafficRule[]): TrafficRoute => ({
      origin,
      kind: 'http',
      parents,
      hostnames,
      rules,
      unmatched: 'notFound',
    })
    const byHost = groupBy(ingress.spec?.rules ?? [], ({ host = '' }) => host.toLowerCase())
    for (const [host, rules] of byHost) {
      const paths = rules.flatMap(({ http }) => http?.paths ?? [])
      const translated = paths.map((path): TrafficRule => ({
        matches: [{ path: pathOf(path.pathType, path.path ?? '/') }],
        backends: backendOf(path.backend),
      }))
      const hasRoot = paths.some(({ path = '/', pathType }) => path === '/' && pathType !== 'Exact')
      routes.push(route(host ? [host] : [], hasRoot ? translated : [...translated, ...everything()]))
    }
    if (fallback && !byHost.has('')) routes.push(route([], everything()))
  }
  return { routes, gateways: [...listeners.values()], secrets: [...secrets.values()], findings }
}

function pathOf(type: string, path: string): PathMatch {
  if (type === 'Exact') return { exact: path }
  return { pathPrefix: path.length > 1 ? path.replace(/\/$/, '') : path || '/' }
}

function translateBackend({ service }: IngressBackend, namespace: string, index: ObjectIndex): BackendRef {
  const base = { namespace, kind: 'Service', weight: 1 } as const
  // a backend of another kind than Service is named by `resource`
  if (!service) return { ...base, name: '', port: 0, invalid: 'InvalidKind' }
  const found = index.service(namespace, service.name)
  const port = found?.spec?.ports?.find(({ port: number, name }) =>
    service.port?.name ? name === service.port.name : number === service.port?.number,
  )
  const invalid = found ? (port ? undefined : 'PortNotFound') : 'BackendNotFound'
  return { ...base, name: service.name, port: port?.port ?? service.port?.number ?? 0, ...(invalid ? { invalid } : {}) }
}
