import type { Family, Nlri } from './message.ts'
import { readU32, writeU32 } from './attribute-block.ts'

/** @returns the number of prefixes in a field, -1 when it is malformed (RFC 7606 5.3): a length too long for the family, or cut off */
export function countNlri(bytes: Uint8Array, start: number, end: number, family: Family, addPath: boolean): number {
  const longest = family === 4 ? 32 : 128
  let count = 0
  let at = start
  while (at < end) {
    if (addPath) at += 4
    if (at >= end) return -1
    const length = bytes[at] as number
    if (length > longest) return -1
    at += 1 + ((length + 7) >> 3)
    count++
  }
  return at === end ? count : -1
}

/** Reads a field that `countNlri` found well-formed. Bits behind the length are cleared: RFC 4271 4.3 calls them irrelevant. */
export function decodeNlri(bytes: Uint8Array, start: number, end: number, family: Family, addPath: boolean): Nlri[] {
  const out: Nlri[] = []
  for (let at = start; at < end;) {
    const pathId = addPath ? readU32(bytes, at) : undefined
    if (addPath) at += 4
    const length = bytes[at++] as number
    const size = (length + 7) >> 3
    const address = new Uint8Array(family === 4 ? 4 : 16)
    address.set(bytes.subarray(at, at + size))
    if ((length & 7) !== 0) address[size - 1] = (address[size - 1] as number) & (0xff00 >> (length & 7))
    at += size
    out.push({ family, bytes: address, length, ...(pathId === undefined ? {} : { pathId }) })
  }
  return out
}

/** Bytes of prefixes; with `addPath` each is led by its path identifier (0 when it has none). */
export function encodeNlri(nlri: readonly Nlri[], addPath: boolean): Uint8Array {
  const sizes = nlri.reduce((sum, { length }) => sum + (addPath ? 5 : 1) + ((length + 7) >> 3), 0)
  const out = new Uint8Array(sizes)
  let at = 0
  for (const { bytes, length, pathId } of nlri) {
    if (addPath) {
      writeU32(out, at, pathId ?? 0)
      at += 4
    }
    out[at++] = length
    out.set(bytes.subarray(0, (length + 7) >> 3), at)
    at += (length + 7) >> 3
  }
  return out
}
