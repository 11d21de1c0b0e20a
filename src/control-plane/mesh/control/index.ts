/**
 * The mesh's control plane, put together.
 *
 *   mesh-control      objects -> world -> compiler -> snapshots -> proxies; identities; who may ask for what
 *     mesh-lists      the objects; concerns-mesh: which of their changes matter
 *     build-world     objects as plain values, kept as long as they stay the same
 *     resource-pool   what stays the same from round to round stays the same object
 */
export { SYSTEM_NAMESPACE, type BuiltWorld } from './build-world.ts'
export { MeshControl, type MeshControlOptions } from './mesh-control.ts'
export { addAuthorityRequests, BROUGHT_AUTHORITY, ROTATE_ANNOTATION } from './authority-requests.ts'
