import { createHash } from 'node:crypto'
import type { Gateway } from '../../../api/gateway.networking.k8s.io/v1/gateway.ts'
import type { Container, Deployment, ObjectMeta, OwnerReference, Service, ServiceAccount } from '../../../api/generated/types.ts'
import { MESH_AUDIENCE } from '../../../protocols/mesh-link.ts'
import { gatewayBindPort, INGRESS_GATEWAY } from '../../../policy/traffic/gateway-api/index.ts'
import type { GatewayListener } from '../../../policy/traffic/input/route.ts'
import {
  DATA_PLANE_ANNOTATION,
  GATEWAY_NAME_LABEL,
  HEALTH_PORT,
  PROXY_IMAGE,
  PROXY_UID,
  TOKEN_PATH,
  TOKEN_VOLUME,
} from '../../../policy/traffic/model/index.ts'

const CLASS_LABEL = 'gateway.networking.k8s.io/gateway-class-name'
const TOKEN_LIFE_S = 3_600

/** What runs a gateway: proxies, their identity, and the Service in front of them. All have one name. */
export interface GatewayInfrastructure {
  readonly serviceAccount: ServiceAccount
  readonly deployment: Deployment
  /** Absent: no listener has a port that proxies could serve. */
  readonly service?: Service
}

interface Wish {
  readonly namespace: string
  readonly gateway: string
  readonly className: string
  readonly ports: readonly { readonly port: number; readonly name: string }[]
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly address?: string
  readonly owner?: OwnerReference
}

/** Name of what runs a gateway: with the class behind, shortened with a hash where it would be longer than a label. */
export function infrastructureName(gateway: string, className: string): string {
  const name = `${gateway}-${className}`.replaceAll('.', '-')
  if (name.length <= 63) return name
  const hash = createHash('sha256').update(`${gateway}/${className}`).digest('hex').slice(0, 10)
  return `${name.slice(0, 52)}-${hash}`
}

/** Value of the label that names the gateway of a pod: its name, or a shortened one with a hash. */
export function gatewayLabelValue(gateway: string): string {
  if (gateway.length <= 63) return gateway
  return `${gateway.slice(0, 52)}-${createHash('sha256').update(gateway).digest('hex').slice(0, 10)}`
}

/** What runs a Gateway, owned by it. Source: GEP-1762 (in-cluster deployments), GEP-1867 (infrastructure). */
export function planInfrastructure({ metadata, spec }: Gateway): GatewayInfrastructure {
  const ports = spec.listeners.filter(({ protocol }) => ['HTTP', 'HTTPS', 'TLS', 'TCP'].includes(protocol))
  const address = spec.addresses?.find(({ type = 'IPAddress', value }) => type === 'IPAddress' && value)?.value
  return plan({
    namespace: metadata.namespace ?? '',
    gateway: metadata.name,
    className: spec.gatewayClassName,
    ports: ports.map(({ port, protocol }) => ({ port, name: `${protocol.toLowerCase()}-${port}` })),
    labels: spec.infrastructure?.labels ?? {},
    annotations: spec.infrastructure?.annotations ?? {},
    ...(address ? { address } : {}),
    owner: {
      apiVersion: 'gateway.networking.k8s.io/v1',
      kind: 'Gateway',
      name: metadata.name,
      uid: metadata.uid ?? '',
      controller: true,
      blockOwnerDeletion: true,
    },
  })
}

/** What runs the gateway that Ingresses share; undefined where there is none to serve. */
export function planIngressInfrastructure(listeners: readonly GatewayListener[]): GatewayInfrastructure | undefined {
  const own = listeners.filter(({ gateway }) => gateway.namespace === INGRESS_GATEWAY.namespace && gateway.name === INGRESS_GATEWAY.name)
  if (own.length === 0) return undefined
  return plan({
    namespace: INGRESS_GATEWAY.namespace,
    gateway: INGRESS_GATEWAY.name,
    className: 'biplane',
    ports: own.map(({ port, protocol }) => ({ port, name: `${protocol}-${port}` })),
    labels: {},
    annotations: {},
  })
}

function plan(wish: Wish): GatewayInfrastructure {
  const selector = { [GATEWAY_NAME_LABEL]: gatewayLabelValue(wish.gateway) }
  const labels = { ...wish.labels, ...selector, [CLASS_LABEL]: wish.className }
  const name = infrastructureName(wish.gateway, wish.className)
  const metadata = (): ObjectMeta & { name: string } => ({
    name,
    namespace: wish.namespace,
    labels,
    ...(Object.keys(wish.annotations).length > 0 ? { annotations: { ...wish.annotations } } : {}),
    ...(wish.owner ? { ownerReferences: [wish.owner] } : {}),
  })
  // several listeners may share a port
  const ports = wish.ports
    .filter(({ port }, i) => wish.ports.findIndex((other) => other.port === port) === i)
    .sort((a, b) => a.port - b.port)
  return {
    serviceAccount: { apiVersion: 'v1', kind: 'ServiceAccount', metadata: metadata() },
    deployment: {
      apiVersion: 'apps/v1',
      kind: 'Deployment',
      metadata: metadata(),
      spec: {
        // replicas are left to whoever scales it
        selector: { matchLabels: selector },
        template: {
          metadata: {
            // a gateway is a proxy already
            labels: { ...labels, 'biplane.dev/mesh': 'disabled' },
            annotations: { ...wish.annotations, [GATEWAY_NAME_LABEL]: wish.gateway },
          },
          spec: {
            serviceAccountName: name,
            containers: [proxyContainer(ports, wish.annotations[DATA_PLANE_ANNOTATION])],
            volumes: [TOKEN],
          },
        },
      },
    },
    ...(ports.length > 0
      ? {
          service: {
            apiVersion: 'v1',
            kind: 'Service',
            metadata: metadata(),
            spec: {
              type: 'LoadBalancer',
              selector,
              ports: ports.map((one) => ({ ...one, protocol: 'TCP', targetPort: gatewayBindPort(one.port) })),
              ...(wish.address ? { loadBalancerIP: wish.address } : {}),
            },
          },
        }
      : {}),
  }
}

const TOKEN = {
  name: TOKEN_VOLUME,
  projected: {
    defaultMode: 0o444,
    sources: [{ serviceAccountToken: { path: 'token', audience: MESH_AUDIENCE, expirationSeconds: TOKEN_LIFE_S } }],
  },
}

/** @param dataPlane what carries it out; gRPC inside of an application is no gateway */
function proxyContainer(ports: Wish['ports'], dataPlane: string | undefined): Container {
  return {
    name: 'proxy',
    image: PROXY_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    args: ['gateway', ...(dataPlane === 'envoy' ? ['--data-plane', dataPlane] : [])],
    env: [
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      field('POD_UID', 'metadata.uid'),
      field('POD_IPS', 'status.podIPs'),
      field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      field('NODE_NAME', 'spec.nodeName'),
    ],
    ports: [
      ...ports.map(({ port }) => ({ containerPort: gatewayBindPort(port), protocol: 'TCP' })),
      { name: 'biplane-health', containerPort: HEALTH_PORT, protocol: 'TCP' },
    ],
    securityContext: { runAsUser: PROXY_UID, runAsGroup: PROXY_UID, runAsNonRoot: true, allowPrivilegeEscalation: false },
    readinessProbe: { httpGet: { path: '/ready', port: HEALTH_PORT }, periodSeconds: 2, failureThreshold: 3 },
    volumeMounts: [{ name: TOKEN_VOLUME, mountPath: TOKEN_PATH.slice(0, TOKEN_PATH.lastIndexOf('/')), readOnly: true }],
  }
}

const field = (name: string, fieldPath: string): NonNullable<Container['env']>[number] => ({ name, valueFrom: { fieldRef: { fieldPath } } })
