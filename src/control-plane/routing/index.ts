/**
 * Routing of one node (BGP). `Speaker` follows a `RoutingConfig` (config/: what objects of the API are compiled to) and joins
 *
 *   session/   sessions with peers: a pure state machine and its sockets
 *   rib/       the routes: AdjRibIn, LocRib, AdjRibOut
 *   bfd/       detection of dead paths
 *   fib-feeder.ts, interior.ts   routes to the kernel, and the kernel's routes by which next hops are reached
 *
 * It imports nothing of the data plane: forwarding table, sockets and kernel routes come in by interface (see cli/compose/router.ts).
 */
export { Speaker, type SpeakerOptions } from './speaker.ts'
export { Neighbor } from './neighbor.ts'
export { compileRouting, readStoredConfig, secretsOf, storeConfig, type RoutingConfig, type RoutingInput } from './config/index.ts'
export { InteriorTable, type InteriorRoute, type InteriorRoutes } from './interior.ts'
export { kernelSockets, type BgpSockets } from './session/bgp-sockets.ts'
export { BfdManager, bfdWorker, kernelBfdSockets, ThreadedBfd, type BfdPaths, type BfdSockets } from './bfd/index.ts'
export { fibRouteText } from './fib-feeder.ts'
export { routingStatus, type RoutingStatus } from './status.ts'
export { explainView, peerViews, routeViews, type PeerView, type RouteView } from './views.ts'
