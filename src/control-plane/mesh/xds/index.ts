/**
 * Distribution: brings what the compiler makes to the proxies, and says what has arrived.
 *
 *   compiler --SourceResource--> SnapshotStore --EncodedResource--> DeltaStream | SotwStream --bytes--> HTTP/2
 *                                     `-- change --> Pusher (when)            `-- acks, refusals --> Truth
 *
 *   contract         what compiler, generators and streams agree on; biplane-generator: what our own proxies take
 *   snapshots        encoded resources of each proxy, shared; versions are hashes of the content; urgency: what must not wait
 *   stream-state     what both protocols have in common; delta-stream, sotw-stream: the protocols, pure
 *   type-order       make-before-break: what is referred to first, deletions when nobody refers any more
 *   push-schedule    when to push (pure); pusher: does it
 *   xds-server       sessions, authentication, limits; discovery-call: one stream; send-budget: what may wait to be read; metrics
 *   truth            what is in force on which proxy, by type and by the object of the API it comes from
 */
export { biplaneGenerator } from './biplane-generator.ts'
export type {
  ClientKind,
  EncodedResource,
  GeneratedResource,
  Generator,
  Quarantine,
  ResourceChange,
  ResourceRef,
  ResourceSource,
  SourceResource,
} from './contract.ts'
export type { StreamIdentity } from './discovery-call.ts'
export { encodeResource } from './encode-resource.ts'
export { SnapshotStore } from './snapshots.ts'
export { Truth, type OriginAcks, type ProxyTruth, type ProxyTypeTruth } from './truth.ts'
export { XDS_TYPE } from './type-order.ts'
export { DELTA_PATH, LOAD_STATS_PATH, SOTW_PATH, XdsServer, type XdsServerLimits, type XdsServerOptions } from './xds-server.ts'
