/** Names of what is compiled: readable, and the same for the same thing. */
export { clusterName } from '../kuma/cluster-name.ts'
/** For metrics: without signs that mean something in their names. */
export const outboundStats = (namespace: string, name: string, port: number): string => `outbound_${name}.${namespace}:${port}`
/** `endpoint`: of a headless service, what is dialled. */
export const outboundRoutes = (namespace: string, name: string, port: number, endpoint = ''): string =>
  `outbound|${name}.${namespace}:${port}${endpoint}`
export const inboundCluster = (port: number): string => `inbound|${port}`
export const inboundRoutes = (port: number): string => `inbound|${port}`
export const gatewayListener = (gateway: string, port: number): string => `gateway|${gateway}|${port}`
export const gatewayRoutes = (gateway: string, port: number, section: string): string => `gateway|${gateway}|${port}|${section}`

/** What a cluster name of `clusterName` says; undefined: it is another's. */
export function portOfCluster(name: string): { readonly namespace: string; readonly name: string; readonly port: number } | undefined {
  const [, namespace, service, port] = /^([^/|]+)\/([^/|]+)\|(\d{1,5})$/.exec(name) ?? []
  return namespace === undefined || service === undefined ? undefined : { namespace, name: service, port: Number(port) }
}
