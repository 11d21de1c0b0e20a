/**
 * Objects of the cluster as the mesh sees them: plain values for the compiler. Pure.
 *
 *   services        Service and EndpointSlice -> MeshServiceView with endpoints, their identities and states
 *   proxies         Pod -> ProxyView: which ports come in, whom it wants to reach
 *   mesh-pods       which pods have a proxy, who they are, where they take connections of the mesh
 *   port-protocol   what a port speaks
 */
export { gatewayName, meshPortOf, meshRole, podIdentity, takesMeshTraffic } from './mesh-pods.ts'
export { portProtocol } from './port-protocol.ts'
export { proxyView } from './proxies.ts'
export { meshService, meshServices, type EndpointFacts } from './services.ts'
