import { constants, inflateSync } from 'node:zlib'
import { SPDY_DICTIONARY } from './dictionary.ts'
import { SpdyError } from './frames.ts'

/** Of all header blocks of a connection together, compressed. */
const MAX_BYTES = 64 * 1024
/** The same, inflated. */
const MAX_INFLATED_BYTES = 256 * 1024

/**
 * Reads the header blocks of one connection, which are one zlib stream cut in pieces: every block must come by here, in order. It keeps what came
 * before, 64 KiB at most, and inflates it again for each: connections of exec open five streams.
 */
export class SpdyHeaderReader {
  #compressed: Buffer = Buffer.alloc(0)
  #known = 0

  /** @returns the fields, names in lower case; of several values the first. @throws {SpdyError} for what is broken or more than allowed */
  read(block: Uint8Array): ReadonlyMap<string, string> {
    if (this.#compressed.length + block.length > MAX_BYTES) throw new SpdyError(`more than ${MAX_BYTES} bytes of headers on one connection`)
    this.#compressed = Buffer.concat([this.#compressed, block])
    const all = inflate(this.#compressed)
    const fields = parse(all.subarray(this.#known))
    this.#known = all.length
    return fields
  }
}

function inflate(bytes: Uint8Array): Buffer {
  try {
    // a stream in the middle has no end: a flush is all there is to find
    const options = { dictionary: SPDY_DICTIONARY, finishFlush: constants.Z_SYNC_FLUSH, maxOutputLength: MAX_INFLATED_BYTES }
    return inflateSync(bytes, options)
  } catch (error) {
    throw new SpdyError('a header block that cannot be inflated', { cause: error })
  }
}

function parse(bytes: Buffer): ReadonlyMap<string, string> {
  let at = 0
  const number = (): number => {
    if (bytes.length - at < 4) throw new SpdyError('a header block that ends too early')
    at += 4
    return bytes.readUInt32BE(at - 4)
  }
  const text = (): string => {
    const length = number()
    if (bytes.length - at < length) throw new SpdyError('a header block that ends too early')
    at += length
    return bytes.toString('utf8', at - length, at)
  }
  const fields = new Map<string, string>()
  for (let left = number(); left > 0; left--) {
    const name = text().toLowerCase()
    fields.set(name, text().split('\0', 1)[0] as string)
  }
  return fields
}

/**
 * Header blocks without fields, the only ones that a server of exec needs. The first has zlib's head with the dictionary's checksum; each is a stored block
 * of one zero count and the empty block of a flush, for which Go's inflate waits.
 */
export function emptyHeaderBlock(isFirst: boolean): Buffer {
  return Buffer.from(`${isFirst ? '78bbe3c6a7c2' : ''}000400fbff00000000000000ffff`, 'hex')
}
