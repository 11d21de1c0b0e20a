import { readU32, SEGMENT, writeU32 } from './attribute-block.ts'
import type { AsPathSegment } from './message.ts'
import { AS_TRANS } from './message.ts'

const KINDS = [undefined, 'set', 'sequence', 'confed-sequence', 'confed-set'] as const
const NUMBERS = { set: 1, sequence: 2, 'confed-sequence': 3, 'confed-set': 4 } as const

/**
 * Checks the segments of an AS_PATH (RFC 7606 7.2).
 *
 * @param confederation whether confederation segments may stand in it (RFC 5065 5)
 * @returns what is wrong, or undefined
 */
export function checkAsPath(bytes: Uint8Array, start: number, end: number, asBytes: 2 | 4, confederation: boolean): string | undefined {
  for (let at = start; at < end;) {
    if (at + 2 > end) return 'a segment is cut off'
    const kind = bytes[at] as number
    const count = bytes[at + 1] as number
    if (kind < SEGMENT.set || kind > (confederation ? SEGMENT.confedSet : SEGMENT.sequence)) return `segment type ${kind} is not allowed`
    if (count === 0) return 'a segment is empty'
    at += 2
    if (at + count * asBytes > end) return 'a segment is cut off'
    for (const next = at + count * asBytes; at < next; at += asBytes) {
      if (isZero(bytes, at, asBytes)) return 'AS 0 is reserved (RFC 7607)'
    }
  }
  return undefined
}

function isZero(bytes: Uint8Array, at: number, asBytes: 2 | 4): boolean {
  return bytes[at] === 0 && bytes[at + 1] === 0 && (asBytes === 2 || (bytes[at + 2] === 0 && bytes[at + 3] === 0))
}

/** Reads segments that `checkAsPath` found right. */
export function decodeAsPath(bytes: Uint8Array, start: number, end: number, asBytes: 2 | 4): AsPathSegment[] {
  const out: AsPathSegment[] = []
  for (let at = start; at < end;) {
    const kind = KINDS[bytes[at] as number] as AsPathSegment['kind']
    const count = bytes[at + 1] as number
    at += 2
    const as: number[] = []
    for (let i = 0; i < count; i++, at += asBytes) {
      as.push(asBytes === 4 ? readU32(bytes, at) : ((bytes[at] as number) << 8) | (bytes[at + 1] as number))
    }
    out.push({ kind, as })
  }
  return out
}

/** Segments as bytes. Two-byte numbers replace larger ones by AS_TRANS (RFC 6793 4.2.2). */
export function encodeAsPath(segments: readonly AsPathSegment[], asBytes: 2 | 4): Uint8Array {
  const out = new Uint8Array(segments.reduce((sum, { as }) => sum + 2 + as.length * asBytes, 0))
  let at = 0
  for (const { kind, as } of segments) {
    out[at++] = NUMBERS[kind]
    out[at++] = as.length
    for (const one of as) {
      if (asBytes === 4) writeU32(out, at, one)
      else {
        const short = one > 0xffff ? AS_TRANS : one
        out[at] = short >> 8
        out[at + 1] = short
      }
      at += asBytes
    }
  }
  return out
}

/** Length as RFC 6793 4.2.3 and best path selection count it. */
export function asPathLength(segments: readonly AsPathSegment[]): number {
  return segments.reduce((sum, { kind, as }) => sum + (kind === 'sequence' ? as.length : kind === 'set' ? 1 : 0), 0)
}

/** Puts the 4-byte numbers of AS4_PATH back into a path of 2-byte numbers (RFC 6793 4.2.3). */
export function mergeAs4Path(path: readonly AsPathSegment[], as4Path: readonly AsPathSegment[]): readonly AsPathSegment[] {
  // confederation segments in AS4_PATH are invalid and dropped (RFC 6793 6)
  const tail = as4Path.filter(({ kind }) => kind === 'set' || kind === 'sequence')
  let missing = asPathLength(path) - asPathLength(tail)
  if (tail.length === 0 || missing < 0) return path
  const out: AsPathSegment[] = []
  for (const segment of path) {
    const { kind, as } = segment
    if (kind === 'confed-sequence' || kind === 'confed-set') {
      // counted as nothing: those between leading numbers stay with them
      if (missing > 0 || out.length === 0 || out.at(-1)?.kind.startsWith('confed')) out.push(segment)
      continue
    }
    if (missing === 0) break
    const length = kind === 'sequence' ? as.length : 1
    out.push(length <= missing ? segment : { kind, as: as.slice(0, missing) })
    missing -= Math.min(length, missing)
  }
  const first = tail[0] as AsPathSegment
  const last = out.at(-1)
  if (last?.kind === 'sequence' && first.kind === 'sequence' && last.as.length + first.as.length <= 255) {
    return [...out.slice(0, -1), { kind: 'sequence', as: [...last.as, ...first.as] }, ...tail.slice(1)]
  }
  return [...out, ...tail]
}

/** `64500 64501 {64502,64503}`, as the field writes it; confederation segments in parentheses or brackets. */
export function formatAsPath(segments: readonly AsPathSegment[]): string {
  return segments
    .map(({ kind, as }) => {
      if (kind === 'sequence') return as.join(' ')
      if (kind === 'set') return `{${as.join(',')}}`
      return kind === 'confed-sequence' ? `(${as.join(' ')})` : `[${as.join(',')}]`
    })
    .join(' ')
}
