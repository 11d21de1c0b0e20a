import { decodeAsPath, encodeAsPath, mergeAs4Path } from './as-path.ts'
import { writeU32 } from './attribute-block.ts'
import { AS_TRANS } from './message.ts'

/**
 * The 4-byte form of an AS_PATH from a speaker of 2-byte numbers (RFC 6793 4.2.3).
 *
 * @param aggregatorAs AS of AGGREGATOR when there is one: if it is not AS_TRANS, AS4_PATH is ignored
 */
export function mergedAsPath(
  bytes: Uint8Array,
  start: number,
  end: number,
  as4Path: Uint8Array | undefined,
  aggregatorAs: number | undefined,
): Uint8Array {
  const path = decodeAsPath(bytes, start, end, 2)
  if (!as4Path || (aggregatorAs !== undefined && aggregatorAs !== AS_TRANS)) return encodeAsPath(path, 4)
  return encodeAsPath(mergeAs4Path(path, decodeAsPath(as4Path, 0, as4Path.length, 4)), 4)
}

/** The 8-byte form of a 6-byte AGGREGATOR. */
export function mergedAggregator(bytes: Uint8Array, start: number, as4Aggregator: Uint8Array | undefined): Uint8Array {
  const as = ((bytes[start] as number) << 8) | (bytes[start + 1] as number)
  if (as === AS_TRANS && as4Aggregator) return as4Aggregator
  const out = new Uint8Array(8)
  writeU32(out, 0, as)
  out.set(bytes.subarray(start + 2, start + 6), 4)
  return out
}
