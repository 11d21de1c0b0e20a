import type { DeltaDiscoveryRequest, DiscoveryRequest, ErrorDetail, Node } from './messages.ts'
import { bytesField, numberField, textField, textFields } from './wire.ts'

const NOTHING = Buffer.alloc(0)

const node = (field: number, value: Node | undefined): Buffer =>
  value ? bytesField(field, Buffer.concat([textField(1, value.id), textField(2, value.cluster), textField(6, value.userAgent)])) : NOTHING

const status = (field: number, value: ErrorDetail | undefined): Buffer =>
  value ? bytesField(field, Buffer.concat([numberField(1, value.code), textField(2, value.message)])) : NOTHING

const any = (typeUrl: string, value: Uint8Array): Buffer => Buffer.concat([textField(1, typeUrl), bytesField(2, value)])

export function encodeDiscoveryRequest(request: DiscoveryRequest): Buffer {
  return Buffer.concat([
    textField(1, request.versionInfo),
    node(2, request.node),
    textFields(3, request.resourceNames),
    textField(4, request.typeUrl),
    textField(5, request.responseNonce),
    status(6, request.errorDetail),
  ])
}

export function encodeDeltaRequest(request: DeltaDiscoveryRequest): Buffer {
  return Buffer.concat([
    node(1, request.node),
    textField(2, request.typeUrl),
    textFields(3, request.subscribe),
    textFields(4, request.unsubscribe),
    ...[...request.initialVersions].map(([name, version]) => bytesField(5, Buffer.concat([textField(1, name), textField(2, version)]))),
    textField(6, request.responseNonce),
    status(7, request.errorDetail),
  ])
}

/** One entry of `resources` in a DiscoveryResponse: can be kept and put together with others. */
export function sotwEntry(typeUrl: string, value: Uint8Array): Buffer {
  return bytesField(2, any(typeUrl, value))
}

/** One entry of `resources` in a DeltaDiscoveryResponse: can be kept and put together with others. */
export function deltaEntry(resource: {
  readonly name: string
  readonly version: string
  readonly typeUrl: string
  readonly value: Uint8Array
}): Buffer {
  const { name, version, typeUrl, value } = resource
  return bytesField(2, Buffer.concat([textField(1, version), bytesField(2, any(typeUrl, value)), textField(3, name)]))
}

/** A DiscoveryResponse of entries that are encoded already. */
export function sotwResponse(response: {
  readonly versionInfo: string
  readonly typeUrl: string
  readonly nonce: string
  readonly entries: readonly Buffer[]
}): Buffer {
  return Buffer.concat([
    textField(1, response.versionInfo),
    ...response.entries,
    textField(4, response.typeUrl),
    textField(5, response.nonce),
  ])
}

/** A DeltaDiscoveryResponse of entries that are encoded already. */
export function deltaResponse(response: {
  readonly typeUrl: string
  readonly nonce: string
  readonly entries: readonly Buffer[]
  readonly removed: readonly string[]
}): Buffer {
  return Buffer.concat([...response.entries, textField(4, response.typeUrl), textField(5, response.nonce), textFields(6, response.removed)])
}

/** LoadStatsResponse: report all clusters, every `seconds`. Source: envoy/service/load_stats/v3/lrs.proto. */
export function loadStatsResponse(seconds: number): Buffer {
  return Buffer.concat([bytesField(2, numberField(1, seconds)), numberField(4, 1)])
}
