import { readFields } from '../protobuf/index.ts'
import type {
  DeltaDiscoveryRequest,
  DeltaDiscoveryResponse,
  DeltaResource,
  DiscoveryRequest,
  DiscoveryResponse,
  ErrorDetail,
  Node,
} from './messages.ts'
import { asBytes, text } from './wire.ts'

/** @throws {ProtobufError} */
export function decodeDiscoveryRequest(bytes: Uint8Array): DiscoveryRequest {
  let [versionInfo, typeUrl, responseNonce] = ['', '', '']
  const parts: { node?: Node; errorDetail?: ErrorDetail } = {}
  const resourceNames: string[] = []
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) versionInfo = text(value, 'version_info')
    else if (number === 2) parts.node = decodeNode(asBytes(value, 'node'), parts.node)
    else if (number === 3) resourceNames.push(text(value, 'resource_names'))
    else if (number === 4) typeUrl = text(value, 'type_url')
    else if (number === 5) responseNonce = text(value, 'response_nonce')
    else if (number === 6) parts.errorDetail = decodeStatus(asBytes(value, 'error_detail'), parts.errorDetail)
  }
  return { versionInfo, typeUrl, responseNonce, resourceNames, ...parts }
}

/** @throws {ProtobufError} */
export function decodeDeltaRequest(bytes: Uint8Array): DeltaDiscoveryRequest {
  let [typeUrl, responseNonce] = ['', '']
  const parts: { node?: Node; errorDetail?: ErrorDetail } = {}
  const subscribe: string[] = []
  const unsubscribe: string[] = []
  const initialVersions = new Map<string, string>()
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) parts.node = decodeNode(asBytes(value, 'node'), parts.node)
    else if (number === 2) typeUrl = text(value, 'type_url')
    else if (number === 3) subscribe.push(text(value, 'resource_names_subscribe'))
    else if (number === 4) unsubscribe.push(text(value, 'resource_names_unsubscribe'))
    else if (number === 5) {
      let [name, version] = ['', '']
      for (const entry of readFields(asBytes(value, 'initial_resource_versions'))) {
        if (entry.number === 1) name = text(entry.value, 'initial_resource_versions')
        else if (entry.number === 2) version = text(entry.value, 'initial_resource_versions')
      }
      initialVersions.set(name, version)
    } else if (number === 6) responseNonce = text(value, 'response_nonce')
    else if (number === 7) parts.errorDetail = decodeStatus(asBytes(value, 'error_detail'), parts.errorDetail)
  }
  return { typeUrl, responseNonce, subscribe, unsubscribe, initialVersions, ...parts }
}

/** @throws {ProtobufError} */
export function decodeDeltaResponse(bytes: Uint8Array): DeltaDiscoveryResponse {
  let [systemVersion, typeUrl, nonce] = ['', '', '']
  const resources: DeltaResource[] = []
  const removed: string[] = []
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) systemVersion = text(value, 'system_version_info')
    else if (number === 2) resources.push(decodeDeltaResource(asBytes(value, 'resources')))
    else if (number === 4) typeUrl = text(value, 'type_url')
    else if (number === 5) nonce = text(value, 'nonce')
    else if (number === 6) removed.push(text(value, 'removed_resources'))
  }
  return { systemVersion, typeUrl, nonce, resources, removed }
}

/** @throws {ProtobufError} */
export function decodeDiscoveryResponse(bytes: Uint8Array): DiscoveryResponse {
  let [versionInfo, typeUrl, nonce] = ['', '', '']
  const resources: { typeUrl: string; value: Buffer }[] = []
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) versionInfo = text(value, 'version_info')
    else if (number === 2) resources.push(decodeAny(asBytes(value, 'resources')))
    else if (number === 4) typeUrl = text(value, 'type_url')
    else if (number === 5) nonce = text(value, 'nonce')
  }
  return { versionInfo, typeUrl, nonce, resources }
}

function decodeDeltaResource(bytes: Buffer): DeltaResource {
  let [name, version] = ['', '']
  let any = { typeUrl: '', value: Buffer.alloc(0) as Buffer }
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) version = text(value, 'version')
    else if (number === 2) any = decodeAny(asBytes(value, 'resource'), any)
    else if (number === 3) name = text(value, 'name')
  }
  return { name, version, ...any }
}

// a message that comes twice is merged, field by field: protobuf's rule for fields that are messages
function decodeAny(bytes: Buffer, before?: { readonly typeUrl: string; readonly value: Buffer }): { typeUrl: string; value: Buffer } {
  let { typeUrl, value: content } = before ?? { typeUrl: '', value: Buffer.alloc(0) as Buffer }
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) typeUrl = text(value, 'type_url')
    else if (number === 2) content = asBytes(value, 'value')
  }
  return { typeUrl, value: content }
}

function decodeNode(bytes: Buffer, before?: Node): Node {
  let { id, cluster, userAgent } = before ?? { id: '', cluster: '', userAgent: '' }
  for (const { number, value } of readFields(bytes)) {
    if (number === 1) id = text(value, 'node.id')
    else if (number === 2) cluster = text(value, 'node.cluster')
    else if (number === 6) userAgent = text(value, 'node.user_agent_name')
  }
  return { id, cluster, userAgent }
}

function decodeStatus(bytes: Buffer, before?: ErrorDetail): ErrorDetail {
  let { code, message } = before ?? { code: 0, message: '' }
  for (const { number, value } of readFields(bytes)) {
    if (number === 1 && typeof value === 'bigint') code = Number(BigInt.asIntN(32, value))
    else if (number === 2) message = text(value, 'error_detail.message')
  }
  return { code, message }
}
