/** Names of what is compiled: readable, and the same for the same thing. */
export const clusterName = (namespace: string, name: string, port: number): string => `${name}.${namespace}:${port}`
export const outboundRoutes = (namespace: string, name: string, port: number): string => `outbound|${name}.${namespace}:${port}`
export const inboundCluster = (port: number): string => `inbound|${port}`
export const inboundRoutes = (port: number): string => `inbound|${port}`
export const gatewayListener = (gateway: string, port: number): string => `gateway|${gateway}|${port}`
export const gatewayRoutes = (gateway: string, port: number, section: string): string => `gateway|${gateway}|${port}|${section}`
