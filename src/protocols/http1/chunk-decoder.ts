import { CHARACTERS, HEX, VALUE } from './characters.ts'
import { Http1Error } from './http1-error.ts'
import { parseFields, type FieldPairs } from './parse-fields.ts'

/** Who gets the pieces. */
export interface ChunkSink {
  /** Data from `start` to `end`, without framing. */
  onData(buffer: Buffer, start: number, end: number): void
}

const SIZE = 0
const EXTENSION = 1
const SIZE_LF = 2
const DATA = 3
const DATA_CR = 4
const DATA_LF = 5
const TRAILERS = 6
const DONE = 7

/** Digits of a size: more are no size that a body can have. */
const MAX_DIGITS = 13
const MAX_EXTENSION_BYTES = 256
const MAX_TRAILER_BYTES = 8_192
const MAX_TRAILERS = 64
/** Fields that say something about the message itself come too late in a trailer. Source: RFC 9110 section 6.5.1. */
const NOT_IN_TRAILERS = new Set([
  'authorization',
  'cache-control',
  'connection',
  'content-encoding',
  'content-length',
  'content-range',
  'content-type',
  'cookie',
  'expect',
  'host',
  'keep-alive',
  'proxy-connection',
  'range',
  'set-cookie',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/** Takes a chunked body apart as it comes. Source: RFC 9112 section 7.1. Extensions are read and dropped. */
export class ChunkDecoder {
  #state = SIZE
  #size = 0
  #digits = 0
  #extension = 0
  #line = ''
  /** Once done: fields behind the last chunk that may stand there. */
  trailers: FieldPairs = []

  get isDone(): boolean {
    return this.#state === DONE
  }

  /** @returns where it stopped: `end`, or behind the body when that is done @throws {Http1Error} */
  decode(buffer: Buffer, start: number, end: number, sink: ChunkSink): number {
    let at = start
    while (at < end && this.#state !== DONE) {
      switch (this.#state) {
        case SIZE:
          at = this.#readSize(buffer, at, end)
          break
        case EXTENSION:
          at = this.#readExtension(buffer, at, end)
          break
        case SIZE_LF:
          this.#expect(buffer[at], 10, 'a chunk size ends with CR alone')
          at++
          this.#state = this.#size === 0 ? TRAILERS : DATA
          break
        case DATA: {
          const take = Math.min(this.#size, end - at)
          sink.onData(buffer, at, at + take)
          at += take
          this.#size -= take
          if (this.#size === 0) this.#state = DATA_CR
          break
        }
        case DATA_CR:
          this.#expect(buffer[at], 13, 'a chunk is longer than its size')
          at++
          this.#state = DATA_LF
          break
        case DATA_LF:
          this.#expect(buffer[at], 10, 'a chunk ends with CR alone')
          at++
          this.#begin()
          break
        default:
          at = this.#readTrailers(buffer, at, end)
      }
    }
    return at
  }

  #begin(): void {
    this.#state = SIZE
    this.#size = 0
    this.#digits = 0
    this.#extension = 0
  }

  #readSize(buffer: Buffer, start: number, end: number): number {
    let at = start
    for (; at < end; at++) {
      const byte = buffer[at] as number
      if (((CHARACTERS[byte] as number) & HEX) !== 0) {
        if (++this.#digits > MAX_DIGITS) throw new Http1Error('BadChunk', 'a chunk size has too many digits')
        this.#size = this.#size * 16 + Number.parseInt(String.fromCharCode(byte), 16)
        continue
      }
      if (this.#digits === 0) throw new Http1Error('BadChunk', 'a chunk has no size')
      if (byte === 13) this.#state = SIZE_LF
      else if (byte === 59) this.#state = EXTENSION
      else throw new Http1Error('BadChunk', 'a chunk size has a character that is not allowed')
      return at + 1
    }
    return at
  }

  #readExtension(buffer: Buffer, start: number, end: number): number {
    for (let at = start; at < end; at++) {
      const byte = buffer[at] as number
      if (byte === 13) {
        this.#state = SIZE_LF
        return at + 1
      }
      if (((CHARACTERS[byte] as number) & VALUE) === 0)
        throw new Http1Error('BadChunk', 'a chunk extension has a character that is not allowed')
      if (++this.#extension > MAX_EXTENSION_BYTES)
        throw new Http1Error('BadChunk', `a chunk extension is longer than ${MAX_EXTENSION_BYTES} bytes`)
    }
    return end
  }

  #readTrailers(buffer: Buffer, start: number, end: number): number {
    const seam = this.#line.length
    const text = this.#line + buffer.toString('latin1', start, Math.min(end, start + MAX_TRAILER_BYTES + 4))
    const finish = (length: number): number => {
      this.#state = DONE
      this.trailers = readTrailers(text.slice(0, length))
      this.#line = ''
      return start + length - seam
    }
    if (text.startsWith('\r\n')) return finish(2)
    const close = text.indexOf('\r\n\r\n', Math.max(0, seam - 3))
    if (close >= 0) return finish(close + 4)
    if (text.length > MAX_TRAILER_BYTES) throw new Http1Error('BadChunk', `the trailers are longer than ${MAX_TRAILER_BYTES} bytes`)
    // told early: a peer that sends LF alone would wait for ever
    if (/^\n|[^\r]\n/.test(text)) throw new Http1Error('BadChunk', 'a line of the trailers ends with LF alone')
    this.#line = text
    return end
  }

  #expect(byte: number | undefined, expected: number, message: string): void {
    if (byte !== expected) throw new Http1Error('BadChunk', message)
  }
}

function readTrailers(text: string): FieldPairs {
  const fields = parseFields(text, 0, MAX_TRAILERS)
  const kept: FieldPairs = []
  for (let i = 0; i < fields.length; i += 2)
    if (!NOT_IN_TRAILERS.has(fields[i] as string)) kept.push(fields[i] as string, fields[i + 1] as string)
  return kept
}
