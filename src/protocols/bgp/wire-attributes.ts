import { asPathLength, decodeAsPath, encodeAsPath } from './as-path.ts'
import { ATTRIBUTE, FLAG, readU32 } from './attribute-block.ts'
import type { AsPathSegment } from './message.ts'
import { AS_TRANS } from './message.ts'

/** How a block goes to one peer. */
export interface AttributeWireOptions {
  readonly fourOctetAs: boolean
  /** Put the next hop in as NEXT_HOP; otherwise the caller puts it into MP_REACH_NLRI. */
  readonly withNextHop: boolean
}

/**
 * Writes the attributes of a block in normal form as they go on the wire.
 *
 * @param out with room for the block and a half: 2-byte speakers get AS4_PATH beside AS_PATH
 * @returns the offset behind the last byte
 */
export function writeWireAttributes(
  block: Uint8Array,
  offset: number,
  length: number,
  options: AttributeWireOptions,
  out: Uint8Array,
  at: number,
): number {
  const end = offset + length
  const hop = block[offset] as number
  let from = offset + 1 + hop
  let hopMissing = options.withNextHop && hop === 4
  while (from < end || hopMissing) {
    const type = from < end ? (block[from + 1] as number) : 256
    if (hopMissing && type > ATTRIBUTE.nextHop) {
      at = writeAttribute(out, at, FLAG.transitive, ATTRIBUTE.nextHop, block, offset + 1, offset + 5)
      hopMissing = false
      continue
    }
    const wide = ((block[from] as number) & FLAG.extendedLength) !== 0
    const size = wide ? ((block[from + 2] as number) << 8) | (block[from + 3] as number) : (block[from + 2] as number)
    const next = from + (wide ? 4 : 3) + size
    if (!options.fourOctetAs && (type === ATTRIBUTE.asPath || type === ATTRIBUTE.aggregator)) {
      at = writeShort(out, at, block[from] as number, type, block.subarray(next - size, next))
    } else for (let i = from; i < next; i++) out[at++] = block[i] as number
    from = next
  }
  return at
}

/** Writes one attribute; the extended length only when needed. @returns the offset behind it */
export function writeAttribute(
  out: Uint8Array,
  at: number,
  flags: number,
  type: number,
  value: Uint8Array,
  start: number,
  end: number,
): number {
  const size = end - start
  const wide = size > 255
  out[at] = wide ? flags | FLAG.extendedLength : flags & ~FLAG.extendedLength
  out[at + 1] = type
  if (wide) out[at + 2] = size >> 8
  out[at + (wide ? 3 : 2)] = size
  at += wide ? 4 : 3
  for (let i = start; i < end; i++) out[at++] = value[i] as number
  return at
}

/** For a speaker of 2-byte AS numbers (RFC 6793 4.2.2): the numbers that do not fit travel beside in AS4_PATH and AS4_AGGREGATOR. */
function writeShort(out: Uint8Array, at: number, flags: number, type: number, value: Uint8Array): number {
  if (type === ATTRIBUTE.aggregator) {
    const as = readU32(value, 0)
    const short = as > 0xffff ? AS_TRANS : as
    at = writeAttribute(out, at, flags, type, Uint8Array.of(short >> 8, short, ...value.subarray(4)), 0, 6)
    return short === as ? at : writeAttribute(out, at, OPTIONAL_TRANSITIVE, ATTRIBUTE.as4Aggregator, value, 0, 8)
  }
  const path = decodeAsPath(value, 0, value.length, 4)
  const short = encodeAsPath(path, 2)
  at = writeAttribute(out, at, flags, type, short, 0, short.length)
  const long = path.filter(({ kind }) => kind === 'set' || kind === 'sequence')
  if (asPathLength(long) === 0 || !needsAs4Path(long)) return at
  const as4 = encodeAsPath(long, 4)
  return writeAttribute(out, at, OPTIONAL_TRANSITIVE, ATTRIBUTE.as4Path, as4, 0, as4.length)
}

const OPTIONAL_TRANSITIVE = FLAG.optional | FLAG.transitive

function needsAs4Path(path: readonly AsPathSegment[]): boolean {
  return path.some(({ as }) => as.some((one) => one > 0xffff))
}
