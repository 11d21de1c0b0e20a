/** HTTP/2 with prior knowledge begins so. Source: RFC 9113 section 3.4. */
const PREFACE = 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'
/** A method, a target and a version: as much of a request line as must be seen. */
const METHOD = /^[A-Z][A-Z-]{0,31} $/
const MAX_LINE = 8_192

export type SniffedProtocol = 'http1' | 'http2' | 'opaque' | 'unknown'

/**
 * What plain bytes speak. `unknown`: more are needed to tell. A request line must end in an HTTP version: other protocols of text (Redis inline commands, SMTP)
 * begin with words too.
 */
export function sniffProtocol(bytes: Uint8Array, start = 0, end: number = bytes.length): SniffedProtocol {
  const text = Buffer.from(bytes.buffer, bytes.byteOffset + start, Math.min(end - start, MAX_LINE)).toString('latin1')
  if (text === '') return 'unknown'
  if (PREFACE.startsWith(text.slice(0, PREFACE.length))) return text.length >= PREFACE.length ? 'http2' : 'unknown'
  const space = text.indexOf(' ')
  if (space < 0) return text.length <= 32 && /^[A-Z][A-Z-]*$/.test(text) ? 'unknown' : 'opaque'
  if (!METHOD.test(text.slice(0, space + 1))) return 'opaque'
  const lineEnd = text.indexOf('\n')
  if (lineEnd < 0) return /[^\x21-\x7e ]/.test(text.slice(space + 1).replace(/\r$/, '')) || text.length >= MAX_LINE ? 'opaque' : 'unknown'
  return / HTTP\/1\.[01]\r?$/.test(text.slice(0, lineEnd)) ? 'http1' : 'opaque'
}
