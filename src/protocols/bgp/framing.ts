import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from './faults.ts'
import type { BgpFault, MessageType } from './message.ts'
import { HEADER_BYTES, MAX_MESSAGE_BYTES, MESSAGE_TYPE } from './message.ts'

/** Where a message lies in a buffer: body from `start + 19` to `end`. */
export interface Frame {
  readonly type: MessageType
  readonly start: number
  readonly end: number
}

const MINIMUM = { 1: 29, 2: 23, 3: 21, 4: 19, 5: 23 } as const

/**
 * Looks for the next message in `bytes[start..end)`.
 *
 * @param maxBytes 4096, or 65535 once both sides announced extended messages (RFC 8654)
 * @returns undefined when more bytes are needed; a fault when the header breaks a rule of RFC 4271 section 6.1. Never looks past the header, so a
 *   caller that keeps at most `maxBytes` of an incomplete message is bounded.
 */
export function nextFrame(bytes: Uint8Array, start: number, end: number, maxBytes: number): Frame | BgpFault | undefined {
  const available = end - start
  for (let i = 0; i < 16 && i < available; i++) {
    if (bytes[start + i] === 0xff) continue
    return bgpFault(ERROR_CODE.header, ERROR_SUBCODE.header.notSynchronized, 'the marker is not all ones (RFC 4271 6.1)')
  }
  if (available < HEADER_BYTES) return undefined
  const length = ((bytes[start + 16] as number) << 8) | (bytes[start + 17] as number)
  const type = bytes[start + 18] as number
  const minimum = MINIMUM[type as MessageType] as number | undefined
  if (minimum === undefined) {
    return bgpFault(ERROR_CODE.header, ERROR_SUBCODE.header.badType, `unknown message type ${type}`, Uint8Array.of(type))
  }
  // RFC 8654 section 4: OPEN and KEEPALIVE are never extended
  const maximum = type === MESSAGE_TYPE.open ? MAX_MESSAGE_BYTES : type === MESSAGE_TYPE.keepalive ? HEADER_BYTES : maxBytes
  if (length < minimum || length > maximum) {
    const data = Uint8Array.of(length >> 8, length & 0xff)
    if (type === MESSAGE_TYPE.routeRefresh && length >= HEADER_BYTES && length <= maximum) {
      return bgpFault(ERROR_CODE.routeRefresh, ERROR_SUBCODE.routeRefresh.badLength, `ROUTE-REFRESH of ${length} bytes (RFC 7313 5)`)
    }
    return bgpFault(ERROR_CODE.header, ERROR_SUBCODE.header.badLength, `message of type ${type} with ${length} bytes`, data)
  }
  if (available < length) return undefined
  return { type: type as MessageType, start, end: start + length }
}

/** Puts a header before a body. */
export function frameMessage(type: MessageType, body: Uint8Array): Uint8Array {
  const out = new Uint8Array(HEADER_BYTES + body.length)
  writeHeader(out, 0, type, out.length)
  out.set(body, HEADER_BYTES)
  return out
}

/** Writes the 19 bytes before a message of `length` bytes. */
export function writeHeader(out: Uint8Array, offset: number, type: MessageType, length: number): void {
  out.fill(0xff, offset, offset + 16)
  out[offset + 16] = length >> 8
  out[offset + 17] = length
  out[offset + 18] = type
}
