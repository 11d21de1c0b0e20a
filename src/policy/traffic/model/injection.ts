/**
 * How sidecars come into pods. Names of labels are Kuma's where it has one; ours mean the same.
 */

/** Name of the sidecar: an init container that goes on running (KEP-753). */
export const SIDECAR_CONTAINER = 'biplane-proxy'
/** Image of sidecars and gateways; nodes know how to run it. */
export const PROXY_IMAGE = 'biplane.dev/proxy'
/** On namespaces and pods: `enabled` (or `true`) or `disabled`. A pod's own wins. */
export const INJECTION_LABELS = ['biplane.dev/mesh', 'kuma.io/sidecar-injection'] as const
/** On namespaces and pods: what executes the configuration: a sidecar `biplane` (default) or `envoy`, `grpc` in the application, or the proxy of the `node`. */
export const DATA_PLANE_ANNOTATION = 'biplane.dev/data-plane'
/** On pods: services that are called, `name`, `namespace/name` or `namespace/*`, with commas between; absent: all. */
export const REACHABLE_ANNOTATION = 'biplane.dev/reachable-services'
/** On pods: ports, with commas between, whose connections are left alone. Kuma's names. */
export const EXCLUDE_INBOUND_ANNOTATION = 'traffic.kuma.io/exclude-inbound-ports'
export const EXCLUDE_OUTBOUND_ANNOTATION = 'traffic.kuma.io/exclude-outbound-ports'
/** On pods that have been given a sidecar: `injected`; on pods that have none because the proxy of their node stands in for it: `node`. */
export const INJECTED_ANNOTATION = 'biplane.dev/sidecar'
/** On pods that the proxy of their node serves: what a sidecar is told by its variables, JSON of HostedProxy. */
export const HOSTED_ANNOTATION = 'biplane.dev/node-proxy'

export interface HostedProxy {
  /** See DRAIN_VARIABLE. */
  readonly drainToken: string
  readonly probes: AppProbes
}

/** Whether the proxy of its node serves a pod with these annotations. */
export function isHosted(annotations: Readonly<Record<string, string>> | undefined): boolean {
  return annotations?.[INJECTED_ANNOTATION] === 'node'
}

/** Label of the pods of a Gateway. Source: Gateway API, infrastructure labels. */
export const GATEWAY_NAME_LABEL = 'gateway.networking.k8s.io/gateway-name'

/** Volume with the token that names the pod, and where the sidecar finds it. */
export const TOKEN_VOLUME = 'biplane-mesh-token'
export const TOKEN_PATH = '/var/run/secrets/biplane.dev/mesh/token'
/** Variable with the path of the token. */
export const TOKEN_VARIABLE = 'BIPLANE_MESH_TOKEN'
/** Where gRPC applications find their bootstrap and certificates: a volume of their pod. */
export const GRPC_DIR = '/etc/biplane/grpc'
/** The same, where nothing can be mounted. */
export const GRPC_DIR_VARIABLE = 'BIPLANE_GRPC_DIR'

/** Probes of the application that the sidecar makes in the kubelet's name: JSON of AppProbes in this variable. */
export const APP_PROBES_VARIABLE = 'BIPLANE_APP_PROBES'
/** By `/app-health/<container>/<livez|readyz|startupz>`, what to ask the application. */
export type AppProbes = Readonly<
  Record<
    string,
    {
      readonly httpGet?: {
        readonly path?: string
        readonly port: number
        readonly scheme?: string
        readonly host?: string
        readonly httpHeaders?: readonly { readonly name: string; readonly value: string }[]
      }
      readonly tcpSocket?: { readonly port: number; readonly host?: string }
      readonly grpc?: { readonly port: number; readonly service?: string }
      readonly timeoutSeconds: number
    }
  >
>
export const APP_HEALTH_PREFIX = '/app-health/'

/**
 * Path of the sidecar's health port that the kubelet asks before it stops a container (its preStop hook): answers once callers have gone elsewhere. With the
 * header and the value that the sidecar finds in the variable: nobody else is to send callers away.
 */
export const DRAIN_PATH = '/drain'
export const DRAIN_HEADER = 'biplane-drain'
export const DRAIN_VARIABLE = 'BIPLANE_DRAIN_TOKEN'

/** Whether a value of an injection label asks for a sidecar; undefined: says nothing. */
export function injectionOf(labels: Readonly<Record<string, string>> | undefined): boolean | undefined {
  for (const label of INJECTION_LABELS) {
    const value = labels?.[label]
    if (value === 'enabled' || value === 'true') return true
    if (value === 'disabled' || value === 'false') return false
  }
  return undefined
}

/** Of a node whose pods share its network: `cgroup` where the kernel leads what is dialled at a pod to its sidecar, `none` where plain text goes past sidecars. */
export const INTERCEPTION_ANNOTATION = 'biplane.dev/mesh-interception'
