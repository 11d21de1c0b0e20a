import type { Container, Pod, PodSpec, Probe, Volume } from '../../../api/generated/types.ts'
import { qosClassOf } from '../../../api/pod-status.ts'
import {
  APP_HEALTH_PREFIX,
  APP_PROBES_VARIABLE,
  DATA_PLANE_ANNOTATION,
  DRAIN_HEADER,
  DRAIN_PATH,
  DRAIN_VARIABLE,
  GATEWAY_NAME_LABEL,
  GRPC_DIR,
  GRPC_DIR_VARIABLE,
  HEALTH_PORT,
  HOSTED_ANNOTATION,
  INJECTED_ANNOTATION,
  injectionOf,
  NODE_PROXY_UID,
  PROXY_IMAGE,
  PROXY_UID,
  SIDECAR_CONTAINER,
  TOKEN_PATH,
  TOKEN_VARIABLE,
  TOKEN_VOLUME,
  type AppProbes,
  type HostedProxy,
} from '../../../policy/traffic/model/index.ts'
import { MESH_AUDIENCE } from '../../../protocols/mesh-link.ts'

export type DataPlane = 'biplane' | 'envoy' | 'grpc' | 'node'

const GRPC_VOLUME = 'biplane-grpc'
const TOKEN_LIFE_S = 3600

/** What asks for a sidecar, or forbids it. */
export interface InjectionScope {
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined
  readonly namespaceAnnotations: Readonly<Record<string, string>> | undefined
}

/** Why a pod gets no sidecar although its namespace asks for one; undefined: nothing stands in the way, or nobody asks. */
export function injectionProblem(pod: Pod): string | undefined {
  if (pod.spec?.hostNetwork) return 'pods with hostNetwork get no sidecar: it would take the connections of the whole node'
  const uid = pod.spec?.securityContext?.runAsUser
  const asProxy = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])].find(
    (container) => container.name !== SIDECAR_CONTAINER && isProxyUser(container.securityContext?.runAsUser ?? uid),
  )
  if (asProxy) {
    const user = asProxy.securityContext?.runAsUser ?? uid
    return `container ${asProxy.name} runs as user ${user}, which is the proxy's: its connections would pass by the mesh`
  }
  return undefined
}

const isProxyUser = (uid: number | undefined): boolean => uid === PROXY_UID || uid === NODE_PROXY_UID

/** Whether a new pod is to have a sidecar, or the node's proxy in its place. The pod's own labels win over its namespace's. */
export function wantsSidecar(pod: Pod, scope: InjectionScope): boolean {
  if (pod.metadata.labels?.[GATEWAY_NAME_LABEL] !== undefined) return false
  if (pod.spec?.initContainers?.some(({ name }) => name === SIDECAR_CONTAINER)) return false
  // a copy of a pod that has been through here: its probes are led elsewhere already
  if (pod.metadata.annotations?.[HOSTED_ANNOTATION] !== undefined) return false
  return injectionOf(pod.metadata.labels) ?? injectionOf(scope.namespaceLabels) ?? false
}

/** What executes the mesh's configuration for a pod. */
export function dataPlaneOf(pod: Pod, scope: InjectionScope): DataPlane {
  const asked = pod.metadata.annotations?.[DATA_PLANE_ANNOTATION] ?? scope.namespaceAnnotations?.[DATA_PLANE_ANNOTATION]
  return asked === 'envoy' || asked === 'grpc' || asked === 'node' ? asked : 'biplane'
}

/**
 * Puts the sidecar into a new pod, whose defaults have been set: a native sidecar (KEP-753) before all other init containers, the token that names the pod, and the
 * application's network probes led through the sidecar, where they get through whatever the mesh demands of other callers. With data plane `node` there is no container: annotations
 * tell the node what its proxy has to know.
 */
export function injectSidecar(pod: Pod, dataPlane: DataPlane, drainToken: string): void {
  const spec = pod.spec as PodSpec
  const probes: Record<string, AppProbes[string]> = {}
  for (const container of [...(spec.containers ?? []), ...(spec.initContainers ?? [])]) rewriteProbes(container, spec, probes)
  // gRPC in an application is sent away by the application
  if (dataPlane !== 'grpc') for (const container of spec.containers ?? []) drainFirst(container, drainToken)
  if (dataPlane === 'node') {
    const hosted: HostedProxy = { drainToken, probes }
    annotate(pod, { [INJECTED_ANNOTATION]: 'node', [DATA_PLANE_ANNOTATION]: dataPlane, [HOSTED_ANNOTATION]: JSON.stringify(hosted) })
    return
  }
  if (dataPlane === 'grpc') for (const container of spec.containers ?? []) joinGrpc(container)
  spec.initContainers = [sidecar(dataPlane, probes, drainToken), ...(spec.initContainers ?? [])]
  spec.volumes = [...(spec.volumes ?? []), tokenVolume(), ...(dataPlane === 'grpc' ? [{ name: GRPC_VOLUME, emptyDir: {} }] : [])]
  annotate(pod, { [INJECTED_ANNOTATION]: 'injected', [DATA_PLANE_ANNOTATION]: dataPlane })
  if (pod.status) pod.status.qosClass = qosClassOf(pod)
}

function annotate(pod: Pod, annotations: Readonly<Record<string, string>>): void {
  pod.metadata.annotations = { ...pod.metadata.annotations, ...annotations }
}

function sidecar(dataPlane: DataPlane, probes: AppProbes, drainToken: string): Container {
  const ready: Probe = {
    httpGet: { path: '/ready', port: HEALTH_PORT, scheme: 'HTTP' },
    timeoutSeconds: 3,
    successThreshold: 1,
  }
  return {
    name: SIDECAR_CONTAINER,
    image: PROXY_IMAGE,
    imagePullPolicy: 'IfNotPresent',
    args: ['sidecar', '--data-plane', dataPlane],
    restartPolicy: 'Always',
    env: [
      field('POD_NAME', 'metadata.name'),
      field('POD_NAMESPACE', 'metadata.namespace'),
      field('POD_UID', 'metadata.uid'),
      field('POD_IPS', 'status.podIPs'),
      field('SERVICE_ACCOUNT', 'spec.serviceAccountName'),
      field('NODE_NAME', 'spec.nodeName'),
      // where nothing can be mounted, the node writes the file's real place into variables
      { name: TOKEN_VARIABLE, value: TOKEN_PATH },
      { name: DRAIN_VARIABLE, value: drainToken },
      ...(dataPlane === 'grpc' ? [{ name: GRPC_DIR_VARIABLE, value: GRPC_DIR }] : []),
      ...(Object.keys(probes).length > 0 ? [{ name: APP_PROBES_VARIABLE, value: JSON.stringify(probes) }] : []),
    ],
    ports: [{ name: 'biplane-health', containerPort: HEALTH_PORT, protocol: 'TCP' }],
    resources: {},
    securityContext: { runAsUser: PROXY_UID, runAsGroup: PROXY_UID, runAsNonRoot: true, allowPrivilegeEscalation: false },
    // the application starts once the sidecar can carry its connections, after two minutes at the latest
    startupProbe: { ...ready, periodSeconds: 1, failureThreshold: 120 },
    readinessProbe: { ...ready, periodSeconds: 5, failureThreshold: 3 },
    terminationMessagePath: '/dev/termination-log',
    terminationMessagePolicy: 'File',
    volumeMounts: [
      { name: TOKEN_VOLUME, mountPath: TOKEN_PATH.slice(0, TOKEN_PATH.lastIndexOf('/')), readOnly: true },
      ...(dataPlane === 'grpc' ? [{ name: GRPC_VOLUME, mountPath: GRPC_DIR }] : []),
    ],
  }
}

function tokenVolume(): Volume {
  return {
    name: TOKEN_VOLUME,
    projected: {
      // the sidecar is another user than the application
      defaultMode: 0o444,
      sources: [{ serviceAccountToken: { path: 'token', audience: MESH_AUDIENCE, expirationSeconds: TOKEN_LIFE_S } }],
    },
  }
}

/** gRPC libraries read their bootstrap when the first channel is made. Sources: gRFC A27, A29. */
function joinGrpc(container: Container): void {
  const has = new Set(container.env?.map(({ name }) => name))
  const own = [{ name: 'GRPC_XDS_BOOTSTRAP', value: `${GRPC_DIR}/bootstrap.json` }].filter(({ name }) => !has.has(name))
  container.env = [...(container.env ?? []), ...own]
  container.volumeMounts = [...(container.volumeMounts ?? []), { name: GRPC_VOLUME, mountPath: GRPC_DIR, readOnly: true }]
}

/**
 * The application goes on serving until its callers have gone elsewhere: those that know it only as an address of a while ago would meet a closed port.
 * A hook of its own is left as it is.
 */
function drainFirst(container: Container, token: string): void {
  if (container.lifecycle?.preStop) return
  const httpGet = { path: DRAIN_PATH, port: HEALTH_PORT, scheme: 'HTTP', httpHeaders: [{ name: DRAIN_HEADER, value: token }] }
  container.lifecycle = { ...container.lifecycle, preStop: { httpGet } }
}

const PROBES = { livenessProbe: 'livez', readinessProbe: 'readyz', startupProbe: 'startupz' } as const

function rewriteProbes(container: Container, spec: PodSpec, probes: Record<string, AppProbes[string]>): void {
  for (const [kind, path] of Object.entries(PROBES) as [keyof typeof PROBES, string][]) {
    const probe = container[kind]
    const asked = probe && askedOf(probe, container)
    if (!probe || !asked) continue
    const target = `${APP_HEALTH_PREFIX}${container.name}/${path}`
    probes[target] = asked
    delete probe.tcpSocket
    delete probe.grpc
    probe.httpGet = { path: target, port: HEALTH_PORT, scheme: 'HTTP' }
  }
}

/** What a probe asks over the network; undefined: it runs a command, or asks another machine. */
function askedOf(probe: Probe, container: Container): AppProbes[string] | undefined {
  const { httpGet, tcpSocket, grpc, timeoutSeconds = 1 } = probe
  if (httpGet && !httpGet.host) {
    const port = portOf(httpGet.port, container)
    if (port === undefined) return undefined
    const { path, scheme, httpHeaders } = httpGet
    return {
      httpGet: {
        port,
        ...(path === undefined ? {} : { path }),
        ...(scheme === undefined ? {} : { scheme }),
        ...(httpHeaders ? { httpHeaders: httpHeaders.map(({ name, value }) => ({ name, value })) } : {}),
      },
      timeoutSeconds,
    }
  }
  if (tcpSocket && !tcpSocket.host) {
    const port = portOf(tcpSocket.port, container)
    return port === undefined ? undefined : { tcpSocket: { port }, timeoutSeconds }
  }
  return grpc ? { grpc: { port: grpc.port, ...(grpc.service ? { service: grpc.service } : {}) }, timeoutSeconds } : undefined
}

function portOf(port: number | string, container: Container): number | undefined {
  return typeof port === 'number' ? port : container.ports?.find(({ name }) => name === port)?.containerPort
}

const field = (name: string, fieldPath: string): NonNullable<Container['env']>[number] => ({
  name,
  valueFrom: { fieldRef: { apiVersion: 'v1', fieldPath } },
})
