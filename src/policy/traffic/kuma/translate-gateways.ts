import type { KumaObject } from '../../../api/kuma.io/v1alpha1/index.ts'
import type { Finding, GatewayListener } from '../input/index.ts'
import type { Secret } from '../model/index.ts'
import { originOf, type KumaInput } from './kuma-input.ts'

interface Listener {
  port?: number
  hostname?: string
  protocol?: 'TCP' | 'TLS' | 'HTTP' | 'HTTPS'
  tls?: { mode?: 'NONE' | 'TERMINATE' | 'PASSTHROUGH'; certificates?: { secret?: string; inlineString?: string }[] }
}
const PROTOCOLS = { TCP: 'tcp', TLS: 'tls', HTTP: 'http', HTTPS: 'https' } as const

/** Listeners of Kuma 2's gateways; their name has no namespace. A certificate is the keys `tls.crt` and `tls.key` of a Secret of the system namespace. */
export function translateGateways(
  objects: readonly KumaObject[],
  input: KumaInput,
  secrets: Map<string, Secret>,
  findings: Finding[],
): readonly GatewayListener[] {
  return objects.flatMap((object) => {
    const origin = originOf(object)
    findings.push({
      origin,
      type: 'Deprecated',
      reason: 'DeprecatedKind',
      message: 'MeshGateway is deprecated since Kuma 3; use gateway.networking.k8s.io/v1 Gateway',
    })
    const { conf } = (object.spec ?? {}) as { conf?: { listeners?: Listener[] } }
    return (conf?.listeners ?? []).flatMap((listener, i): GatewayListener[] => {
      if (listener.port === undefined) return []
      const mode = listener.tls?.mode
      const certificates = (listener.tls?.certificates ?? []).flatMap(({ secret = '' }) => {
        const keys = input.secret?.(input.systemNamespace, secret)
        const certificate = keys?.['tls.crt'] ?? keys?.['value']
        const privateKey = keys?.['tls.key'] ?? keys?.['value']
        if (certificate === undefined || privateKey === undefined) {
          findings.push({
            origin,
            type: 'Invalid',
            reason: 'SecretNotFound',
            message: `spec.conf.listeners[${i}].tls: there is no Secret ${input.systemNamespace}/${secret} with tls.crt and tls.key`,
          })
          return []
        }
        const name = `${input.systemNamespace}/${secret}`
        secrets.set(name, { name, certificate, privateKey })
        return [name]
      })
      if (mode === 'TERMINATE' && certificates.length === 0) return []
      const host = listener.hostname?.toLowerCase()
      const tls =
        mode === 'TERMINATE'
          ? ({ mode: 'terminate', certificates, alpn: listener.protocol === 'HTTPS' ? ['h2', 'http/1.1'] : [] } as const)
          : mode === 'PASSTHROUGH'
            ? ({ mode: 'passthrough' } as const)
            : undefined
      return [
        {
          gateway: { namespace: '', name: origin.name },
          section: String(i),
          port: listener.port,
          protocol: PROTOCOLS[listener.protocol ?? 'HTTP'],
          origin,
          ...(host !== undefined && host !== '' && host !== '*' ? { hostname: host } : {}),
          ...(tls ? { tls } : {}),
        },
      ]
    })
  })
}
