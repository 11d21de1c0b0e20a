/**
 * The proxy's configuration: asked for by need, checked, whole, and kept on disk.
 *
 *   control plane --delta xDS--> ConfigClient --> ConfigState --> ProxySnapshot --> runtime
 *                                     `-- last good --> config-file
 *
 *   config-client   the stream: dialling, back-off, pings, saving
 *   config-state    what is wanted, told and refused; subscriptions follow references (pure)
 *   check-resource  why a value is no resource
 *   warm            what of it can be executed: nothing before all that it refers to is there (pure); references: what refers to what
 *   config-file     on disk: atomic, with a checksum
 */
export { ConfigClient, type ConfigClientOptions, type ConfigStatus } from './config-client.ts'
export { ConfigState, type SavedConfig } from './config-state.ts'
export { EMPTY_SNAPSHOT, type ProxySnapshot } from './proxy-snapshot.ts'
