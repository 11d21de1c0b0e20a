import { decodeJson, encodeJson } from '../../../base/json.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { KeyValue } from '../../store/contract.ts'
import type { Resource } from './resource.ts'

/**
 * Objects as the store keeps them: JSON without `resourceVersion`, and with apiVersion, kind and metadata in front. So the
 * wire form of a stored object is its bytes with one field put in at a place known beforehand, and nothing is parsed.
 */
export function encodeObject(resource: Resource, object: KubeObject): Uint8Array {
  const home = resource.kind.storedAs?.encode(object) ?? object
  const { apiVersion, kind, metadata, ...rest } = home
  const { resourceVersion: _, selfLink: __, managedFields: ___, ...meta } = metadata
  return Buffer.from(encodeJson({ apiVersion, kind, metadata: meta, ...rest }))
}

/** A fresh object, resourceVersion included. */
export function decodeObject(resource: Resource, value: Uint8Array, revision: bigint): KubeObject {
  const stored = parseStored(value)
  stored.metadata.resourceVersion = String(revision)
  return resource.kind.storedAs?.decode(stored) ?? stored
}

export function decodeKeyValue(resource: Resource, kv: KeyValue): KubeObject {
  return decodeObject(resource, kv.value, kv.modRevision)
}

/** The JSON of a stored object as clients see it, in pieces that share the stored bytes. */
export function wireChunks(resource: Resource, value: Uint8Array, revision: bigint): readonly Uint8Array[] {
  const { head, kind } = resource
  if (kind.storedAs !== undefined || !startsWith(value, head)) return [Buffer.from(encodeJson(decodeObject(resource, value, revision)))]
  return [head, Buffer.from(`"resourceVersion":"${revision}",`, 'latin1'), value.subarray(head.length)]
}

/** Parses stored JSON; its own text, so nothing is checked. */
function parseStored(value: Uint8Array): KubeObject {
  // the native parser would round integers beyond 2^53
  if (hasLongNumber(value)) return decodeJson(value).value as KubeObject
  return JSON.parse(Buffer.from(value.buffer, value.byteOffset, value.byteLength).toString()) as KubeObject
}

const LONG = 16

/** Whether there are 16 digits in a row: one of them then lies on a multiple of 16, so few bytes are looked at. */
function hasLongNumber(bytes: Uint8Array): boolean {
  for (let i = LONG - 1; i < bytes.length; i += LONG) {
    if (!isDigit(bytes[i])) continue
    let first = i
    let last = i
    while (isDigit(bytes[first - 1])) first--
    while (isDigit(bytes[last + 1])) last++
    if (last - first + 1 >= LONG) return true
  }
  return false
}

const isDigit = (byte: number | undefined): boolean => byte !== undefined && byte >= 0x30 && byte <= 0x39

function startsWith(value: Uint8Array, head: Uint8Array): boolean {
  return value.length > head.length && Buffer.compare(value.subarray(0, head.length), head) === 0
}
