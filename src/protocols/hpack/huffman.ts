import { HpackError } from './error.ts'

/** Bits of the code of each octet, sixteen to a line. The code is canonical: lengths are all there is to say. Source: RFC 7541 appendix B. */
const LENGTHS = `
13 23 28 28 28 28 28 28 28 24 30 28 28 30 28 28
28 28 28 28 28 28 30 28 28 28 28 28 28 28 28 28
6 10 10 12 13 6 8 11 10 10 8 11 8 6 6 6
5 5 5 6 6 6 6 6 6 6 7 8 15 6 12 10
13 6 7 7 7 7 7 7 7 7 7 7 7 7 7 7
7 7 7 7 7 7 7 7 8 7 8 13 19 13 14 6
15 5 6 5 6 5 6 6 6 5 7 7 6 6 6 5
6 7 6 5 5 6 7 7 7 7 7 15 11 14 13 28
20 22 20 20 22 22 22 23 22 23 23 23 23 23 24 23
24 24 22 23 24 23 23 23 23 21 22 23 22 23 23 24
22 21 20 22 22 23 23 21 23 22 22 24 21 22 23 23
21 21 22 21 23 22 23 23 20 22 22 22 23 22 22 23
26 26 20 19 22 23 22 25 26 26 26 27 27 26 24 25
19 21 26 27 27 26 27 24 21 21 26 26 28 27 27 27
20 24 20 21 22 21 21 23 22 22 25 25 24 24 26 23
26 27 26 26 27 27 27 27 27 28 27 27 27 27 27 26`
const LENGTH_OF = Uint8Array.from([...LENGTHS.trim().split(/\s+/).map(Number), 30])
const EOS = 256
const CODE_OF = new Uint32Array(257)

// Steps of four bits: the lowest byte is the next state, then the octet that came out.
const EMITS = 1 << 16
const MAY_END = 1 << 17
const FAILS = 1 << 18
/** The octet must not stand in a field value: NUL, LF or CR (RFC 9113 8.2.1). */
const FORBIDDEN = 1 << 19
const STEPS = new Int32Array(256 * 16)

function assignCodes(): void {
  let code = 0
  for (let bits = 5; bits <= 30; bits++) {
    for (let symbol = 0; symbol <= EOS; symbol++) if (LENGTH_OF[symbol] === bits) CODE_OF[symbol] = code++
    code *= 2
  }
}

/** A binary tree as [zero, one] pairs: a positive number is an inner node, a negative one the octet -1 - n, 0 nothing yet. */
function buildTree(): [number, number][] {
  const nodes: [number, number][] = [[0, 0]]
  for (let symbol = 0; symbol <= EOS; symbol++) {
    let node = 0
    for (let bit = (LENGTH_OF[symbol] as number) - 1; bit >= 0; bit--) {
      const side = ((CODE_OF[symbol] as number) >>> bit) & 1
      const pair = nodes[node] as [number, number]
      if (bit === 0) pair[side] = -1 - symbol
      else if (pair[side] === 0) node = pair[side] = nodes.push([0, 0]) - 1
      else node = pair[side] as number
    }
  }
  return nodes
}

function buildSteps(): void {
  const nodes = buildTree()
  // Padding is up to seven bits of the code of EOS, which is all ones.
  const mayEnd = new Set([0])
  for (let node = 0, depth = 1; depth <= 7; depth++) mayEnd.add((node = (nodes[node] as [number, number])[1]))
  for (let state = 0; state < 256; state++) {
    for (let nibble = 0; nibble < 16; nibble++) {
      let node = state
      let step = 0
      for (let bit = 3; bit >= 0; bit--) {
        const next = (nodes[node] as [number, number])[(nibble >> bit) & 1] as number
        if (next >= 0) node = next
        else if (next === -1 - EOS) step |= FAILS
        else {
          const octet = -1 - next
          step |= EMITS | (octet << 8) | (octet === 0 || octet === 10 || octet === 13 ? FORBIDDEN : 0)
          node = 0
        }
        if (step & FAILS) break
      }
      STEPS[state * 16 + nibble] = step | node | (mayEnd.has(node) ? MAY_END : 0)
    }
  }
}

assignCodes()
buildSteps()

/**
 * Decodes `source[start..end)` into `target` from `at` on; octets are at most 1.6 times the bytes. Returns the new end, or minus that if an octet is one that
 * field values must not have (NUL, LF, CR). @throws {HpackError} for EOS within, and padding that is too long or not all ones. Source: RFC 7541 5.2.
 */
export function decodeHuffman(source: Uint8Array, start: number, end: number, target: Uint8Array, at: number): number {
  let state = 0
  let step = MAY_END
  let flags = 0
  for (let i = start; i < end; i++) {
    const byte = source[i] as number
    step = STEPS[(state << 4) | (byte >> 4)] as number
    flags |= step
    if (step & EMITS) target[at++] = step >> 8
    step = STEPS[((step & 255) << 4) | (byte & 15)] as number
    flags |= step
    if (step & EMITS) target[at++] = step >> 8
    state = step & 255
  }
  if (flags & FAILS) throw new HpackError('a Huffman string contains the end-of-string code')
  if (!(step & MAY_END)) throw new HpackError('a Huffman string is padded with more than seven bits or not with ones')
  return flags & FORBIDDEN ? -at : at
}

/** Bytes of `text` (one octet a character) in Huffman code. */
export function huffmanLength(text: string): number {
  let bits = 0
  for (let i = 0; i < text.length; i++) bits += LENGTH_OF[text.charCodeAt(i) & 255] as number
  return (bits + 7) >> 3
}

/** Writes the code of `text` at `at`, returns the end. The caller has made room for {@link huffmanLength} bytes. */
export function encodeHuffman(text: string, target: Uint8Array, at: number): number {
  let held = 0
  let bits = 0
  for (let i = 0; i < text.length; i++) {
    const octet = text.charCodeAt(i) & 255
    let length = LENGTH_OF[octet] as number
    const code = CODE_OF[octet] as number
    while (length > 0) {
      const take = Math.min(length, 8 - bits)
      length -= take
      held = (held << take) | ((code >>> length) & ((1 << take) - 1))
      bits += take
      if (bits === 8) {
        target[at++] = held
        held = bits = 0
      }
    }
  }
  if (bits > 0) target[at++] = (held << (8 - bits)) | ((1 << (8 - bits)) - 1)
  return at
}
