import type { Protocol } from '../model/index.ts'

/** By `appProtocol`. Sources: Kubernetes (KEP-3726), IANA service names, Kuma's `kuma.io/protocol`. */
const BY_APP_PROTOCOL: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http2',
  h2c: 'http2',
  'kubernetes.io/h2c': 'http2',
  'kubernetes.io/ws': 'http',
  'kubernetes.io/wss': 'tls',
  grpc: 'grpc',
  'grpc-web': 'http',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  redis: 'tcp',
  mysql: 'tcp',
  mongo: 'tcp',
  postgresql: 'tcp',
}

/** By the first part of a port's name. Source: Istio's convention, which manifests follow. */
const BY_NAME: Readonly<Record<string, Protocol>> = {
  http: 'http',
  http2: 'http2',
  grpc: 'grpc',
  https: 'tls',
  tls: 'tls',
  tcp: 'tcp',
  redis: 'tcp',
  mysql: 'tcp',
  mongo: 'tcp',
}

/** What a port speaks: as it says, as its name says, else found out from the bytes. */
export function portProtocol(port: { readonly appProtocol?: string | undefined; readonly name?: string | undefined }): Protocol {
  const said = port.appProtocol === undefined ? undefined : BY_APP_PROTOCOL[port.appProtocol.toLowerCase()]
  return said ?? BY_NAME[(port.name ?? '').split('-')[0] as string] ?? 'auto'
}
