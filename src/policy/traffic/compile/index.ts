/**
 * The compiler: a world of plain values in, resources of the intermediate form for each proxy out. Pure, and never stopped by one bad object.
 *
 *   compile-proxy   Compiler: all of a proxy; what proxies have in common is compiled once
 *     outbound-sets which calls that go out several proxies have in common, and what stays the same from world to world
 *     inbound       a port of the application: chains for the mesh, plain text and foreign TLS, before and after policies
 *     outbound      a port of a service: listeners, route table, chains; outbound-pods: endpoints that are dialled by their own addresses
 *     gateway       listeners that a gateway binds
 *     routes        rules of routes -> virtual hosts; clusters: whom they lead to
 *     server-names  which of several routes TLS goes by
 *     filter-clusters  clusters that filters ask through
 *     effects       what policies do to each part (plug-ins of ../policies)
 *     quarantine    policies that cannot be carried out, or were refused by a proxy: left out, or closed; closed: listeners that close what cannot be compiled
 *     compiled      collects; names, identity
 */
export { CompiledProxy, Compiler } from './compile-proxy.ts'
export type { CompiledResource } from './compiled.ts'
export { podIdentityOf } from './identity.ts'
export type { CompilerOptions } from './quarantine.ts'
export { clusterName, inboundCluster, outboundRoutes } from './names.ts'
