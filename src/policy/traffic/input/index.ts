/**
 * What the compiler works on: objects of the API turned into plain values, and the contract of its plug-ins.
 *
 *   world   MeshWorld: services, routes, policies, gateways, secrets, trust; ProxyView: who wants configuration; Finding: what authors should know
 *   route   TrafficRoute: every spelling of a route in one form; GatewayListener; ProxySelector
 *   policy  TrafficPolicy: every spelling of a policy in one form; PolicyPlugin: its meaning as functions over the model
 */
export * from './policy.ts'
export * from './route.ts'
export * from './world.ts'
