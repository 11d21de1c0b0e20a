import { GATEWAY_GROUP, type RouteGroupKind } from '../../../api/gateway.networking.k8s.io/v1/references.ts'
import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import type { Listener } from '../../../api/gateway.networking.k8s.io/v1/listener.ts'
import type { Secret } from '../model/index.ts'
import { gatewayBindPort } from './bind-port.ts'
import type { Problem } from './gateway-objects.ts'
import { judgeFrontend } from './judge-frontend.ts'
import type { ObjectIndex } from './object-index.ts'
import { readServerSecret, secretName } from './pem-secrets.ts'

/** What there is to say about a listener. No problem: it is bound. */
export interface ListenerJudgement {
  readonly listener: Listener
  readonly supportedKinds: readonly { readonly group: string; readonly kind: string }[]
  readonly accepted?: Problem
  readonly resolvedRefs?: Problem
  readonly conflicted?: Problem
  /** Certificates that can be used, and authorities of clients. */
  readonly secrets: readonly Secret[]
  readonly clientCa?: string
}

const KINDS: Readonly<Record<string, readonly string[]>> = {
  HTTP: ['HTTPRoute', 'GRPCRoute'],
  HTTPS: ['HTTPRoute', 'GRPCRoute'],
  TLS: ['TLSRoute'],
  TCP: ['TCPRoute'],
}

/** Protocols, certificates, route kinds and conflicts of a gateway's listeners, in their order. Source: Gateway API, Gateway.spec.listeners. */
export function judgeListeners(gateway: Gateway, index: ObjectIndex): readonly ListenerJudgement[] {
  const { listeners } = gateway.spec
  return listeners.map((listener) => {
    const conflicted = conflictOf(listener, listeners)
    // what is behind TLS that ends here may also be bytes of any kind
    const isOpaque = listener.protocol === 'TLS' && listener.tls?.mode !== 'Passthrough'
    const supported = isOpaque ? ['TLSRoute', 'TCPRoute'] : KINDS[listener.protocol]
    const asked = listener.allowedRoutes?.kinds
    const supportedKinds = (supported ?? [])
      .filter((kind) => !asked?.length || asked.some((one) => one.kind === kind && (one.group ?? GATEWAY_GROUP) === GATEWAY_GROUP))
      .map((kind) => ({ group: GATEWAY_GROUP, kind }))
    const terminates = listener.protocol === 'HTTPS' || (listener.protocol === 'TLS' && listener.tls?.mode !== 'Passthrough')
    const certificates = terminates ? judgeCertificates(gateway, listener, index) : { secrets: [] }
    const frontend = listener.protocol === 'HTTPS' ? judgeFrontend(gateway, listener.port, index) : undefined
    const unsupported = supported
      ? undefined
      : { reason: 'UnsupportedProtocol', message: `Protocol ${listener.protocol} is not served; use HTTP, HTTPS, TLS or TCP` }
    const accepted = unsupported ?? conflicted ?? frontend?.accepted
    const resolvedRefs = kindsProblem(asked, supported ?? []) ?? certificates.problem ?? frontend?.resolvedRefs
    return {
      listener,
      supportedKinds,
      ...(accepted ? { accepted } : {}),
      ...(resolvedRefs ? { resolvedRefs } : {}),
      ...(conflicted && conflicted.reason !== 'PortUnavailable' ? { conflicted } : {}),
      secrets: [...certificates.secrets, ...(frontend?.authorities ? [frontend.authorities] : [])],
      ...(frontend?.authorities ? { clientCa: frontend.authorities.name } : {}),
    }
  })
}

/** Whether proxies bind the listener: it is accepted, and what it refers to is there. */
export function isListenerUsable({ accepted, listener, secrets }: ListenerJudgement): boolean {
  if (accepted) return false
  const needsCertificate = listener.protocol === 'HTTPS' || (listener.protocol === 'TLS' && listener.tls?.mode !== 'Passthrough')
  return !needsCertificate || secrets.some(({ certificate }) => certificate !== undefined)
}

function kindsProblem(asked: readonly RouteGroupKind[] | undefined, supported: readonly string[]): Problem | undefined {
  const wrong = asked?.find(({ group, kind }) => (group ?? GATEWAY_GROUP) !== GATEWAY_GROUP || !supported.includes(kind))
  if (!wrong) return undefined
  return { reason: 'InvalidRouteKinds', message: `Routes of kind ${wrong.kind} cannot attach to a listener of this protocol` }
}

function conflictOf(listener: Listener, all: readonly Listener[]): Problem | undefined {
  const layer = (protocol: string): string => (protocol === 'HTTPS' ? 'TLS' : protocol)
  for (const other of all) {
    if (other === listener) continue
    if (other.port !== listener.port && gatewayBindPort(other.port) === gatewayBindPort(listener.port)) {
      const message = `Port ${listener.port} and port ${other.port} of listener ${other.name} are the same inside of the pod: use another one of them`
      return { reason: 'PortUnavailable', message }
    }
    if (other.port !== listener.port) continue
    // UDP has ports of its own
    if ((other.protocol === 'UDP') !== (listener.protocol === 'UDP')) continue
    if (layer(other.protocol) !== layer(listener.protocol)) {
      const message = `Port ${listener.port} is also asked for with protocol ${other.protocol}, by listener ${other.name}`
      return { reason: 'ProtocolConflict', message }
    }
    if (layer(listener.protocol) === 'TCP' || (other.hostname ?? '') === (listener.hostname ?? '')) {
      const message = `Port ${listener.port} with the same hostname is also asked for by listener ${other.name}`
      return { reason: 'HostnameConflict', message }
    }
  }
  return undefined
}

function judgeCertificates(gateway: Gateway, { tls }: Listener, index: ObjectIndex): { secrets: Secret[]; problem?: Problem } {
  const own = gateway.metadata.namespace ?? ''
  const secrets: Secret[] = []
  let problem: Problem | undefined
  const refs = tls?.certificateRefs ?? []
  if (refs.length === 0) problem = { reason: 'InvalidCertificateRef', message: 'There is no certificateRef' }
  for (const { group = '', kind = 'Secret', namespace = own, name } of refs) {
    const shown = `Secret ${namespace}/${name}`
    if (group !== '' || kind !== 'Secret') {
      problem ??= { reason: 'InvalidCertificateRef', message: `A certificateRef is to a ${kind}, it must be to a Secret` }
      continue
    }
    if (!index.isPermitted({ group: GATEWAY_GROUP, kind: 'Gateway', namespace: own }, { group, kind, namespace, name })) {
      problem ??= {
        reason: 'RefNotPermitted',
        message: `${shown} may not be referred to: no ReferenceGrant of namespace ${namespace} permits it`,
      }
      continue
    }
    const secret = index.secret(namespace, name)
    const read = secret ? readServerSecret(secret, secretName(namespace, name)) : 'does not exist'
    if (typeof read === 'string') problem ??= { reason: 'InvalidCertificateRef', message: `${shown} ${read}` }
    else secrets.push(read)
  }
  return { secrets, ...(problem ? { problem } : {}) }
}
