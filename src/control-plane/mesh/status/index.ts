/**
 * What became of policies and routes, as conditions: `kubectl wait --for=condition=Programmed meshtrafficpermission/x`.
 *
 *   mesh-status      looks after changes of the mesh and of what proxies confirm, and writes what differs: the only part with I/O
 *   plan-conditions  Accepted, Programmed, Conflicted, Shadowed of one object (pure)
 *   programmed       whether proxies carry an object out, for statuses of Gateway API too (pure)
 */
export { addMeshStatus, programmedBy } from './mesh-status.ts'
export { planConditions, type PolicyObject, type PolicyObjectFacts } from './plan-conditions.ts'
export { programmedOf, wasProgrammed, type ObjectFacts, type Programmed } from './programmed.ts'
