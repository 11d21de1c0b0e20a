import { join } from 'node:path'
import type { MeshCa } from '../envoy-support/mesh-ca.ts'
import { REPOSITORY } from '../support/program.ts'

const GATEWAY_API = 'gateway.networking.k8s.io/v1'
const base64 = (text: string): string => Buffer.from(text).toString('base64')

/** A Deployment and a Service of edge-backend.mjs. */
export function backend(
  name: string,
  namespace: string,
  certificate?: { readonly certificate: string; readonly privateKey: string },
): readonly object[] {
  const env = {
    NAME: name,
    ...(certificate ? { CERTIFICATE: certificate.certificate, PRIVATE_KEY: certificate.privateKey } : {}),
  }
  const container = {
    name: 'main',
    image: 'node:22',
    command: [process.execPath, join(REPOSITORY, 'test/mesh-support/edge-backend.mjs')],
    env: Object.entries(env).map(([key, value]) => ({ name: key, value })),
    readinessProbe: { tcpSocket: { port: 8080 }, periodSeconds: 1 },
  }
  return [
    {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: { name, namespace },
      spec: {
        selector: { matchLabels: { app: name } },
        template: { metadata: { labels: { app: name } }, spec: { terminationGracePeriodSeconds: 1, containers: [container] } },
      },
    },
    {
      apiVersion: 'v1',
      kind: 'Service',
      metadata: { name, namespace },
      spec: {
        selector: { app: name },
        ports: [
          { name: 'http', port: 80, targetPort: 8080 },
          { name: 'tls', port: 443, targetPort: 8443 },
          { name: 'grpc', port: 9000, appProtocol: 'kubernetes.io/h2c' },
        ],
      },
    },
  ]
}

/** A Secret with a certificate for a host. */
export function tlsSecret(name: string, namespace: string, ca: MeshCa, host: string): object {
  const { certificate, privateKey } = ca.server(host)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    type: 'kubernetes.io/tls',
    metadata: { name, namespace },
    data: { 'tls.crt': base64(certificate), 'tls.key': base64(privateKey) },
  }
}

/** Gateway `edge`: HTTP, HTTPS for `shop.example`, TLS passed through for `pass.example`. */
/** @param dataPlane what is to run it */
export const gateway = (namespace: string, dataPlane: 'biplane' | 'envoy' = 'biplane'): object => ({
  apiVersion: GATEWAY_API,
  kind: 'Gateway',
  metadata: { name: 'edge', namespace },
  spec: {
    gatewayClassName: 'biplane',
    ...(dataPlane === 'biplane' ? {} : { infrastructure: { annotations: { 'biplane.dev/data-plane': dataPlane } } }),
    listeners: [
      { name: 'http', port: 80, protocol: 'HTTP' },
      { name: 'https', port: 443, protocol: 'HTTPS', hostname: 'shop.example', tls: { certificateRefs: [{ name: 'shop' }] } },
      { name: 'pass', port: 8443, protocol: 'TLS', hostname: 'pass.example', tls: { mode: 'Passthrough' } },
    ],
  },
})

const header = (type: 'RequestHeaderModifier' | 'ResponseHeaderModifier', change: object): object => ({
  type,
  [type === 'RequestHeaderModifier' ? 'requestHeaderModifier' : 'responseHeaderModifier']: change,
})
const path = (value: string): object => ({ path: { type: 'PathPrefix', value } })

/** Routes of each kind, and who they lead to: backends `a`, `b` and `m`. */
export const routes = (namespace: string): readonly object[] => [
  {
    apiVersion: GATEWAY_API,
    kind: 'HTTPRoute',
    metadata: { name: 'shop', namespace },
    spec: {
      parentRefs: [{ name: 'edge' }],
      hostnames: ['shop.example'],
      rules: [
        { matches: [path('/secure')], filters: [{ type: 'RequestRedirect', requestRedirect: { scheme: 'https', statusCode: 301 } }] },
        { matches: [path('/away')], filters: [{ type: 'RequestRedirect', requestRedirect: { hostname: 'other.example' } }] },
        {
          matches: [path('/old')],
          filters: [
            {
              type: 'URLRewrite',
              urlRewrite: { hostname: 'inner.example', path: { type: 'ReplacePrefixMatch', replacePrefixMatch: '/new' } },
            },
          ],
          backendRefs: [{ name: 'a', port: 80 }],
        },
        {
          matches: [path('/twice')],
          filters: [{ type: 'RequestMirror', requestMirror: { backendRef: { name: 'm', port: 80 } } }],
          backendRefs: [{ name: 'a', port: 80 }],
        },
        {
          matches: [path('/headers')],
          filters: [
            header('RequestHeaderModifier', {
              set: [{ name: 'x-set', value: 'new' }],
              add: [{ name: 'x-add', value: '2' }],
              remove: ['x-gone'],
            }),
            header('ResponseHeaderModifier', { set: [{ name: 'x-edge', value: 'yes' }], remove: ['x-inner'] }),
          ],
          backendRefs: [{ name: 'a', port: 80 }],
        },
        { matches: [{ headers: [{ name: 'x-version', value: 'b' }] }], backendRefs: [{ name: 'b', port: 80 }] },
        { matches: [path('/tls')], backendRefs: [{ name: 'a', port: 443 }] },
        { backendRefs: [{ name: 'a', port: 80 }] },
      ],
    },
  },
  {
    apiVersion: GATEWAY_API,
    kind: 'GRPCRoute',
    metadata: { name: 'cart', namespace },
    spec: {
      parentRefs: [{ name: 'edge', sectionName: 'http' }],
      hostnames: ['grpc.example'],
      rules: [{ matches: [{ method: { service: 'shop.Cart' } }], backendRefs: [{ name: 'a', port: 9000 }] }],
    },
  },
  {
    apiVersion: GATEWAY_API,
    kind: 'TLSRoute',
    metadata: { name: 'pass', namespace },
    spec: { parentRefs: [{ name: 'edge' }], hostnames: ['pass.example'], rules: [{ backendRefs: [{ name: 'a', port: 443 }] }] },
  },
]

/** How gateways call the TLS port of `a`. */
export const backendTls = (namespace: string, ca: MeshCa, hostname: string): readonly object[] => [
  { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'authority', namespace }, data: { 'ca.crt': ca.ca } },
  {
    apiVersion: GATEWAY_API,
    kind: 'BackendTLSPolicy',
    metadata: { name: 'a', namespace },
    spec: {
      targetRefs: [{ group: '', kind: 'Service', name: 'a', sectionName: 'tls' }],
      validation: { hostname, caCertificateRefs: [{ group: '', kind: 'ConfigMap', name: 'authority' }] },
    },
  },
]

export const ingress = (namespace: string): object => ({
  apiVersion: 'networking.k8s.io/v1',
  kind: 'Ingress',
  metadata: { name: 'front', namespace },
  spec: {
    ingressClassName: 'biplane',
    tls: [{ hosts: ['ingress.example'], secretName: 'ingress' }],
    rules: [
      {
        host: 'ingress.example',
        http: { paths: [{ path: '/', pathType: 'Prefix', backend: { service: { name: 'b', port: { name: 'http' } } } }] },
      },
    ],
  },
})
