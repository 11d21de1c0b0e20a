/**
 * The mesh's control plane, put together.
 *
 *   mesh-control      objects -> world -> compiler -> snapshots -> proxies; identities; who may ask for what
 *     mesh-lists      the objects; concerns-mesh: which of their changes matter
 *     build-world     objects as plain values: only what has changed is made anew (kept-views); selector-index: which services select a pod
 *     distinct-findings  what authors should know, each once
 *     call-ledger     who was seen to call whom; call-reports: proxies tell
 *     mesh-gauges     how many proxies have in force what they were told
 *     quarantine      which policies and routes clients have refused; refusals: when that is judged; compilers: leaves them out for these clients
 */
export { SYSTEM_NAMESPACE, type BuiltWorld } from './build-world.ts'
export { MeshControl, type MeshControlOptions } from './mesh-control.ts'
export type { CallLedger, SeenCall } from './call-ledger.ts'
export type { Refused } from './quarantine.ts'
export { addAuthorityRequests, BROUGHT_AUTHORITY, ROTATE_ANNOTATION } from './authority-requests.ts'
