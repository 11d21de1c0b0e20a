/**
 * Kinds of `kuma.io/v1alpha1`, as Kuma 3 has them; Kuma 2's spellings are taken and warned about.
 *
 *   mesh-policy    policies of the common frame (targetRef, to, rules, default): one row each in policy-frames
 *   mesh-route     MeshHTTPRoute, MeshTCPRoute
 *   mesh-objects   Mesh, identities and trust, services, gateways, Dataplane
 *   policy-checks  the frame's rules; conf-checks: what names of fields promise; policy-conf-checks: the rules of single kinds
 *   deprecations   Kuma 2's words, and what to write instead
 *   kuma-duration  durations, percentages, bandwidths
 *
 * The structure of every object, and its documentation, stand in scripts/schema-extras-kuma*.mjs.
 */
export { KUMA_DURATIONS, KUMA_PERCENTAGES } from './conf-checks.ts'
export * from './deprecations.ts'
export * from './kuma-duration.ts'
export * from './kuma-object.ts'
export * from './mesh-objects.ts'
export * from './mesh-policy.ts'
export * from './mesh-route.ts'
