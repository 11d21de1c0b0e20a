import type { KubeObject } from '../../../api/meta/object.ts'
import type { MeshServiceView, MeshSettings, MeshWorld, ProxyView } from '../input/index.ts'
import { translateKuma, type KumaResult } from '../kuma/index.ts'
import type { Cluster, FilterChain, HttpConnectionManager, ProxySettings, Route, TcpProxy } from '../model/index.ts'

/** A small mesh that tests of policies share: `web` calls `cart` in namespace `shop`; `prober` has web's service account; `admin` is in `ops`. */
export const MESH: MeshSettings = {
  mtls: true,
  trustDomain: 'default.mesh.local',
  issuer: 'own',
  defaultMode: 'permissive',
  defaultPermission: 'deny',
  domain: 'cluster.local',
}

const service = (
  namespace: string,
  name: string,
  port: number,
  protocol: 'http' | 'grpc' | 'tcp',
  labels: Record<string, string> = {},
): MeshServiceView => ({
  kind: 'Service',
  namespace,
  name,
  labels,
  vips: [`10.96.0.${port % 200}`],
  headless: false,
  hostnames: [],
  ports: [{ port, name: protocol, protocol, targetPort: 8080, endpoints: [] }],
})

export const SERVICES: ReadonlyMap<string, MeshServiceView> = new Map([
  ['shop/cart', service('shop', 'cart', 80, 'http', { app: 'cart' })],
  ['shop/stock', service('shop', 'stock', 50, 'grpc')],
  ['shop/db', service('shop', 'db', 5432, 'tcp')],
])

const proxy = (namespace: string, name: string, serviceAccount: string, serves?: string, more: Partial<ProxyView> = {}): ProxyView => ({
  name: `${name}-1.${namespace}`,
  kind: 'sidecar',
  dataPlane: 'biplane',
  namespace,
  pod: `${name}-1`,
  labels: { app: name },
  serviceAccount,
  node: 'node-1',
  ips: ['10.0.0.1'],
  ports: serves === undefined ? [] : [{ port: 8080, name: 'http', protocol: 'http', services: [{ namespace, name: serves, port: 80 }] }],
  draining: false,
  ...more,
})

export const PROXIES: readonly ProxyView[] = [
  proxy('shop', 'web', 'web'),
  proxy('shop', 'prober', 'web'),
  proxy('shop', 'cart', 'cart', 'cart'),
  proxy('ops', 'admin', 'admin'),
]
export const WEB: ProxyView = PROXIES[0]!
export const CART: ProxyView = PROXIES[2]!

export function translated(objects: readonly KubeObject[], mesh: MeshSettings = MESH): KumaResult {
  return translateKuma({ objects, services: SERVICES, proxies: PROXIES, mesh, systemNamespace: 'biplane-system' })
}

export function worldOf({ mesh, policies, routes, gateways, trust, services, secrets }: KumaResult): MeshWorld {
  return { mesh, policies, routes, gateways, trust, secrets, services: new Map([...SERVICES, ...services]) }
}

/** Parts of a configuration before any policy. */
export const BASE = {
  cluster: {
    name: 'shop/cart|80',
    discovery: { type: 'eds', name: 'shop/cart|80' },
    protocol: 'http',
    loadBalancer: { type: 'leastRequest', choices: 2 },
    limits: {},
    healthChecks: [],
  } as Cluster,
  route: { name: 'shop/cart/0', match: {}, action: { type: 'forward', clusters: [{ cluster: 'shop/cart|80', weight: 1 }] } } as Route,
  http: {
    statPrefix: 'base',
    routes: 'base',
    filters: [],
    timeouts: {},
    accessLogs: [],
    appendForwardedFor: true,
  } as HttpConnectionManager,
  tcp: { statPrefix: 'base', clusters: [{ name: 'shop/db|5432', weight: 1 }], accessLogs: [] } as TcpProxy,
  chains: [
    { name: 'mesh', match: { transport: ['mesh'] }, tls: { mode: 'mesh' } },
    { name: 'tls', match: { transport: ['tls'] } },
    { name: 'plaintext', match: { transport: ['plaintext'] } },
  ] as FilterChain[],
  settings: {
    name: 'cart-1.shop',
    trust: {},
    metrics: { profile: 'basic', include: [], exclude: [], includeUnused: false, applications: [] },
    passthrough: 'all',
  } as ProxySettings,
} as const
