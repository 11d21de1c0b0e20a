/**
 * Messages of Envoy's discovery protocol (xDS v3), bytes in and values out. Resources stay as they are encoded: what is sent to many is put together
 * from entries that were encoded once.
 *
 *   messages  requests and responses, of the state of the world and of deltas, with the fields we look at
 *   decode    bytes -> messages; unknown fields are passed over
 *   encode    messages -> bytes
 *   wire      fields
 *
 * Source: envoy/service/discovery/v3/discovery.proto.
 */
export { decodeDeltaRequest, decodeDeltaResponse, decodeDiscoveryRequest, decodeDiscoveryResponse } from './decode.ts'
export {
  deltaEntry,
  deltaResponse,
  encodeDeltaRequest,
  encodeDiscoveryRequest,
  loadStatsResponse,
  sotwEntry,
  sotwResponse,
} from './encode.ts'
export type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DeltaResource,
  DiscoveryRequest,
  DiscoveryResponse,
  ErrorDetail,
  Node,
} from './messages.ts'
