/** A message in the JSON form of protocols/xds. Members that are undefined are absent. */
export type Json = { readonly [field: string]: unknown }

/** Type URLs of what is sent. */
export const ENVOY_TYPE = {
  listener: 'type.googleapis.com/envoy.config.listener.v3.Listener',
  route: 'type.googleapis.com/envoy.config.route.v3.RouteConfiguration',
  cluster: 'type.googleapis.com/envoy.config.cluster.v3.Cluster',
  endpoints: 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment',
  secret: 'type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.Secret',
} as const

export type EnvoyType = keyof typeof ENVOY_TYPE

/** Something that a policy asks for and Envoy or gRPC cannot do, or that a patch says wrongly: the rest of the resource is as asked. */
export interface Unsupported {
  readonly type: EnvoyType
  /** Of the resource. */
  readonly name: string
  /** What, and what happens instead. */
  readonly reason: string
}

/** Takes what cannot be expressed in the resource that is being made. */
export type Note = (reason: string) => void

/** An Any of a message; `type` without the host. */
export const any = (type: string, fields: Json = {}): Json => ({ '@type': `type.googleapis.com/${type}`, ...fields })

/** How Envoy says that something comes over the stream of everything. */
export const ADS = { ads: {}, resource_api_version: 'V3' } as const

/** A percentage from 0 to 100 in millionths. */
export const percent = (value: number): Json => ({ numerator: Math.round(value * 10_000), denominator: 'MILLION' })

export const socketAddress = (address: string, port: number): Json => ({ socket_address: { address, port_value: port } })

/** An address to bind; all addresses are those of both families. */
export const boundAddress = (address: string, port: number): Json => ({
  socket_address: { address, port_value: port, ...(address === '::' ? { ipv4_compat: true } : {}) },
})

/** Without the given member when the list is empty. */
export const nonEmpty = <T>(list: readonly T[]): readonly T[] | undefined => (list.length === 0 ? undefined : list)

/** By UTF-16 code units: the same everywhere. */
export const byText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
