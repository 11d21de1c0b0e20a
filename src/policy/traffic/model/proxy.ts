import type { ProxyPatch } from './patch.ts'
import type { MetricSettings } from './telemetry.ts'

/** What concerns a proxy as a whole: one resource of the proxy's own name. Also says whom it may trust. */
export interface ProxySettings {
  /** `proxyName(...)` of the proxy. */
  readonly name: string
  /** CA certificates in PEM by trust domain: identities of these domains are accepted. */
  readonly trust: Readonly<Record<string, readonly string[]>>
  /** SPIFFE ID that the proxy is to have; absent: mutual TLS is off. */
  readonly identity?: string
  /** Changes when a new certificate must be asked for although the old one has not run out (the issuer was changed). */
  readonly issuer?: string
  readonly metrics: MetricSettings
  /** Pod is going: inbound listeners finish what they have and take nothing new; outbound goes on. */
  readonly draining?: boolean
  /** Listeners that it is to have before anything comes: its inbound ports, `inbound|*`, those of its gateway, `outbound|*`. Others are asked for by need. */
  readonly listeners?: readonly string[]
  /** What becomes of connections to destinations that are no service of the mesh; the listener `outbound|*` carries what is allowed. */
  readonly passthrough: 'all' | 'none' | 'matched'
  /** Modifications of Envoy's own resources by MeshProxyPatch, in order; for its generator alone. */
  readonly envoyPatches?: readonly Readonly<Record<string, unknown>>[]
  /** For Envoy alone. */
  readonly patches?: readonly ProxyPatch[]
}

/** How a proxy is called in streams, status and commands: `pod.namespace`; unique while it lives. */
export const proxyName = (namespace: string, pod: string): string => `${pod}.${namespace}`
