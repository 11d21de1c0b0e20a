import { Http1Error } from './http1-error.ts'

/** Default most bytes of a head. */
export const MAX_HEAD_BYTES = 65_536

/**
 * Finds the end of a head in bytes as they come, looking at each byte once. What has come so far is kept as text; a head that arrives whole, the usual
 * case, is cut out in one piece.
 */
export class HeadReader {
  readonly #maxBytes: number
  #kept = ''

  constructor(maxBytes: number = MAX_HEAD_BYTES) {
    this.#maxBytes = maxBytes
  }

  /** Bytes of a head have come, and it is not whole. */
  get isInside(): boolean {
    return this.#kept !== ''
  }

  /**
   * @returns the head with its CRLF CRLF and where it ends, or undefined when more is needed (then all bytes up to `end` have been taken)
   * @throws {Http1Error} `HeadTooLarge`, and `BadField` as soon as a line ends with LF alone
   */
  read(buffer: Buffer, start: number, end: number): { readonly text: string; readonly end: number } | undefined {
    const kept = this.#kept
    // a CRLF CRLF may lie across the seam
    const tail = kept.length > 3 ? kept.length - 3 : 0
    const limit = Math.min(end, start + this.#maxBytes - kept.length + 1)
    if (kept === '') {
      const close = buffer.indexOf('\r\n\r\n', start, 'latin1')
      if (close >= 0 && close + 4 <= end && close + 4 - start <= this.#maxBytes)
        return { text: buffer.toString('latin1', start, close + 4), end: close + 4 }
    }
    const text = kept + buffer.toString('latin1', start, limit)
    const close = text.indexOf('\r\n\r\n', tail)
    if (close >= 0 && close + 4 <= this.#maxBytes) {
      this.#kept = ''
      return { text: text.slice(0, close + 4), end: start + close + 4 - kept.length }
    }
    if (text.length > this.#maxBytes) throw new Http1Error('HeadTooLarge', `the head is longer than ${this.#maxBytes} bytes`)
    if (hasBareLf(text, tail)) throw new Http1Error('BadField', 'a line ends with LF alone')
    this.#kept = text
    return undefined
  }
}

function hasBareLf(text: string, from: number): boolean {
  for (let at = text.indexOf('\n', from); at >= 0; at = text.indexOf('\n', at + 1)) if (text.charCodeAt(at - 1) !== 13) return true
  return false
}
