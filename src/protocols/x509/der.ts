/** DER, the one way to write ASN.1. Source: ITU-T X.690. */

/** Thrown for bytes that are not DER or not what was expected. `code` is `InvalidDer`. */
export class DerError extends Error {
  override readonly name = 'DerError'
  readonly code = 'InvalidDer'
}

export const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  null: 0x05,
  oid: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const

/** Tag of a context-specific field: `[n]` holding other values, or `[n] IMPLICIT` of a simple type. */
export function contextTag(n: number, form: 'constructed' | 'primitive'): number {
  return (form === 'constructed' ? 0xa0 : 0x80) | n
}

/** Tag, length and content in one buffer. */
export function encodeDer(tag: number, ...contents: readonly Uint8Array[]): Buffer {
  const length = contents.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([Buffer.from([tag]), encodeLength(length), ...contents])
}

export function sequence(...items: readonly Uint8Array[]): Buffer {
  return encodeDer(TAG.sequence, ...items)
}

/** A SET OF: the items sorted by their encoding, as DER wants it. */
export function setOf(...items: readonly Uint8Array[]): Buffer {
  return encodeDer(TAG.set, ...[...items].sort((a, b) => Buffer.compare(a, b)))
}

export function boolean(value: boolean): Buffer {
  return encodeDer(TAG.boolean, Buffer.from([value ? 0xff : 0]))
}

/** A non-negative integer from its big-endian bytes. */
export function unsignedInteger(bytes: Uint8Array): Buffer {
  let start = 0
  while (start < bytes.length - 1 && bytes[start] === 0) start++
  const digits = bytes.length === 0 ? Buffer.from([0]) : bytes.subarray(start)
  // a leading one bit would make it negative
  return (digits[0] as number) & 0x80 ? encodeDer(TAG.integer, Buffer.from([0]), digits) : encodeDer(TAG.integer, digits)
}

export function octetString(bytes: Uint8Array): Buffer {
  return encodeDer(TAG.octetString, bytes)
}

/** A bit string; `unusedBits` of the last byte do not count. */
export function bitString(bytes: Uint8Array, unusedBits = 0): Buffer {
  return encodeDer(TAG.bitString, Buffer.from([unusedBits]), bytes)
}

export function oid(dotted: string): Buffer {
  const [first, second, ...rest] = dotted.split('.').map(Number)
  const bytes: number[] = []
  for (const arc of [(first as number) * 40 + (second as number), ...rest]) {
    const digits = [arc % 128]
    for (let left = Math.floor(arc / 128); left > 0; left = Math.floor(left / 128)) digits.unshift(0x80 | (left % 128))
    bytes.push(...digits)
  }
  return encodeDer(TAG.oid, Buffer.from(bytes))
}

export function utf8String(text: string): Buffer {
  return encodeDer(TAG.utf8String, Buffer.from(text))
}

/** UTCTime before 2050, GeneralizedTime from then on; whole seconds. Source: RFC 5280 section 4.1.2.5. */
export function time(ms: number): Buffer {
  const digits = new Date(ms).toISOString().replaceAll(/[-:T]|\.\d+/g, '')
  return new Date(ms).getUTCFullYear() < 2050
    ? encodeDer(TAG.utcTime, Buffer.from(digits.slice(2)))
    : encodeDer(TAG.generalizedTime, Buffer.from(digits))
}

/** One value as it stands in the bytes. */
export interface DerNode {
  readonly tag: number
  readonly content: Buffer
  /** Tag, length and content: what signatures are made over. */
  readonly raw: Buffer
}

/** Nesting that is read: a certificate has about ten levels. */
const MAX_DEPTH = 32

/** The one value that `bytes` hold. @throws {DerError} also for bytes behind it */
export function decodeDer(bytes: Uint8Array): DerNode {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const node = readNode(buffer, 0)
  if (node.raw.length !== buffer.length) throw new DerError(`${buffer.length - node.raw.length} bytes behind the value`)
  return node
}

/** The values inside a constructed value. @throws {DerError} */
export function childrenOf(node: DerNode): readonly DerNode[] {
  const children: DerNode[] = []
  for (let at = 0; at < node.content.length; at += (children.at(-1) as DerNode).raw.length) children.push(readNode(node.content, at))
  return children
}

/** The values inside a value that must have `tag`. @throws {DerError} */
export function childrenOfTag(node: DerNode | undefined, tag: number): readonly DerNode[] {
  return childrenOf(expectTag(node, tag))
}

/** `node`, which must be there and have `tag`. @throws {DerError} */
export function expectTag(node: DerNode | undefined, tag: number): DerNode {
  if (node?.tag !== tag) {
    throw new DerError(`expected tag 0x${tag.toString(16)}, found ${node === undefined ? 'nothing' : `0x${node.tag.toString(16)}`}`)
  }
  return node
}

/** An object identifier in dotted form. @throws {DerError} */
export function readOid(node: DerNode | undefined): string {
  const { content } = expectTag(node, TAG.oid)
  if (content.length === 0 || (content.at(-1) as number) & 0x80) throw new DerError('cut object identifier')
  const arcs: number[] = []
  let arc = 0
  for (const byte of content) {
    arc = arc * 128 + (byte & 0x7f)
    if (arc > Number.MAX_SAFE_INTEGER) throw new DerError('too large an arc in an object identifier')
    if (byte & 0x80) continue
    arcs.push(arc)
    arc = 0
  }
  const first = Math.min(Math.floor((arcs[0] as number) / 40), 2)
  return [first, (arcs[0] as number) - first * 40, ...arcs.slice(1)].join('.')
}

/** A UTCTime or GeneralizedTime in milliseconds since 1970. @throws {DerError} */
export function readTime(node: DerNode | undefined): number {
  const text = node?.content.toString('latin1') ?? ''
  const full = node?.tag === TAG.utcTime ? (Number(text.slice(0, 2)) < 50 ? '20' : '19') + text : text
  const match = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(full)
  if (!match || (node?.tag !== TAG.utcTime && node?.tag !== TAG.generalizedTime)) throw new DerError('not a time')
  const [year, month, day, hour, minute, second] = match.slice(1).map(Number) as [number, number, number, number, number, number]
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** The bytes of a bit string whose length is whole bytes. @throws {DerError} */
export function readBitString(node: DerNode | undefined): Buffer {
  const { content } = expectTag(node, TAG.bitString)
  if (content[0] !== 0) throw new DerError('a bit string of odd length')
  return content.subarray(1)
}

/** Text of any of the string types in use. @throws {DerError} */
export function readString(node: DerNode | undefined): string {
  const known: readonly number[] = [TAG.utf8String, TAG.printableString, TAG.ia5String]
  if (node === undefined || !known.includes(node.tag)) throw new DerError('not a string')
  return node.content.toString(node.tag === TAG.utf8String ? 'utf8' : 'latin1')
}

/** Checks that all of a value is well formed, to bounded depth. @throws {DerError} */
export function checkDer(node: DerNode, depth = 0): void {
  if (depth > MAX_DEPTH) throw new DerError(`nested deeper than ${MAX_DEPTH} levels`)
  if (node.tag & 0x20) for (const child of childrenOf(node)) checkDer(child, depth + 1)
}

function encodeLength(length: number): Buffer {
  if (length < 0x80) return Buffer.from([length])
  const bytes: number[] = []
  for (let left = length; left > 0; left = Math.floor(left / 256)) bytes.unshift(left % 256)
  return Buffer.from([0x80 | bytes.length, ...bytes])
}

function readNode(buffer: Buffer, at: number): DerNode {
  const tag = buffer[at]
  const first = buffer[at + 1]
  if (tag === undefined || first === undefined) throw new DerError('cut value')
  if ((tag & 0x1f) === 0x1f) throw new DerError('tags of several bytes are not supported')
  let length = first
  let start = at + 2
  if (first >= 0x80) {
    const count = first & 0x7f
    if (count === 0 || count > 4 || start + count > buffer.length) throw new DerError('bad length')
    length = buffer.readUIntBE(start, count)
    start += count
    if (length < 0x80 || length < 256 ** (count - 1)) throw new DerError('a length that is not the shortest')
  }
  if (start + length > buffer.length) throw new DerError('cut value')
  return { tag, content: buffer.subarray(start, start + length), raw: buffer.subarray(at, start + length) }
}
