import { PROTOBUF_MESSAGES } from '../../../api/generated/protobuf.ts'
import { canonicalQuantity } from '../../../api/meta/quantity.ts'
import { decodeJson } from '../../../base/json.ts'
import { MessageDecoder, ProtobufError, readFields, type FieldShape } from '../../../protocols/protobuf/index.ts'

/** Media type of Kubernetes' protobuf bodies. */
export const PROTOBUF_TYPE = 'application/vnd.kubernetes.protobuf'

const MAGIC = Buffer.from('k8s\0', 'latin1')
const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'

/**
 * A body of kubectl 1.32 and later, of helm 4 and of Go operators: four magic bytes and a `runtime.Unknown` around the kind's message.
 * Becomes what the same object is in JSON. @throws {ProtobufError}
 */
export function decodeProtobufBody(body: Uint8Array): Record<string, unknown> {
  if (!Buffer.from(body.buffer, body.byteOffset, Math.min(4, body.byteLength)).equals(MAGIC))
    throw new ProtobufError('the body does not begin with the bytes "k8s\\0"')
  let apiVersion = ''
  let kind = ''
  let raw: Uint8Array = new Uint8Array()
  for (const { number, value } of readFields(body.subarray(4))) {
    if (typeof value === 'bigint') continue
    if (number === 2) raw = value
    if (number !== 1) continue
    for (const field of readFields(value)) {
      if (typeof field.value === 'bigint') continue
      if (field.number === 1) apiVersion = Buffer.from(field.value).toString()
      if (field.number === 2) kind = Buffer.from(field.value).toString()
    }
  }
  const message = messageOf(apiVersion, kind)
  if (!message)
    throw new ProtobufError(`kind ${JSON.stringify(kind)} of ${JSON.stringify(apiVersion)} has no known protobuf form; send JSON`)
  return { apiVersion, kind, ...decoder.decode(message, raw) }
}

/** `apps/v1`, `Deployment` -> `io.k8s.api.apps.v1.Deployment`. Options of requests come in every group. */
function messageOf(apiVersion: string, kind: string): string | undefined {
  const [group, version] = apiVersion.includes('/') ? (apiVersion.split('/', 2) as [string, string]) : ['', apiVersion]
  const folder = group === '' ? 'core' : (group.split('.', 1)[0] as string)
  return [`io.k8s.api.${folder}.${version}.${kind}`, `${META}.${kind}`].find((name) => Object.hasOwn(PROTOBUF_MESSAGES, name))
}

const shapes = new Map<string, readonly FieldShape[]>()

function shapesOf(message: string): readonly FieldShape[] | undefined {
  const known = shapes.get(message)
  if (known) return known
  if (!Object.hasOwn(PROTOBUF_MESSAGES, message)) return undefined
  const parsed = (PROTOBUF_MESSAGES[message] as string).split('\n').filter(Boolean).map(parseShape)
  shapes.set(message, parsed)
  return parsed
}

function parseShape(line: string): FieldShape {
  const [number, name, type, flags = ''] = line.split(' ') as [string, string, string, string?]
  const map = /^map<(.*)>$/.exec(type)
  return {
    number: Number(number),
    name,
    type: map ? (map[1] as string) : type,
    map: map !== null,
    repeated: flags.includes('r'),
    zeroIsAbsent: flags.includes('z'),
    inline: flags.includes('i'),
  }
}

const decoder = new MessageDecoder({
  shapes: shapesOf,
  special: {
    [`${META}.Time`]: (bytes) => time(bytes, 0),
    [`${META}.MicroTime`]: (bytes) => time(bytes, 6),
    'io.k8s.apimachinery.pkg.api.resource.Quantity': (bytes) => canonicalQuantity(text(bytes, 1)),
    'io.k8s.apimachinery.pkg.util.intstr.IntOrString': intOrString,
    'io.k8s.apimachinery.pkg.runtime.RawExtension': raw,
    [`${META}.FieldsV1`]: raw,
    'io.k8s.api.authentication.v1.ExtraValue': items,
    'io.k8s.api.authorization.v1.ExtraValue': items,
    'io.k8s.api.certificates.v1.ExtraValue': items,
  },
})

/** Seconds and nanoseconds as RFC 3339; the zero time is how "not set" looks. */
function time(bytes: Uint8Array, digits: 0 | 6): string | undefined {
  if (bytes.length === 0) return undefined
  let seconds = 0n
  let nanos = 0n
  for (const { number, value } of readFields(bytes)) {
    if (typeof value !== 'bigint') continue
    if (number === 1) seconds = BigInt.asIntN(64, value)
    if (number === 2) nanos = BigInt.asIntN(32, value)
  }
  // years 0 to 9999: all that RFC 3339 can say
  if (seconds < -62_135_596_800n || seconds > 253_402_300_799n) throw new ProtobufError('a time is out of range')
  const whole = new Date(Number(seconds) * 1000).toISOString().slice(0, 19)
  return digits === 0 ? `${whole}Z` : `${whole}.${String(nanos / 1000n).padStart(6, '0')}Z`
}

function intOrString(bytes: Uint8Array): number | string {
  let type = 0n
  let number = 0
  for (const field of readFields(bytes)) {
    if (typeof field.value !== 'bigint') continue
    if (field.number === 1) type = field.value
    if (field.number === 2) number = Number(BigInt.asIntN(32, field.value))
  }
  return type === 0n ? number : text(bytes, 3)
}

function raw(bytes: Uint8Array): unknown {
  const json = find(bytes, 1)
  return json === undefined || json.length === 0 ? undefined : decodeJson(json).value
}

function items(bytes: Uint8Array): string[] {
  return [...readFields(bytes)]
    .filter(({ number }) => number === 1)
    .map(({ value }) => (typeof value === 'bigint' ? '' : Buffer.from(value).toString()))
}

const text = (bytes: Uint8Array, wanted: number): string => Buffer.from(find(bytes, wanted) ?? new Uint8Array()).toString()

function find(bytes: Uint8Array, wanted: number): Uint8Array | undefined {
  for (const { number, value } of readFields(bytes)) if (number === wanted && typeof value !== 'bigint') return value
  return undefined
}
