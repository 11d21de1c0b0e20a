import { StatusError } from '../../../base/errors.ts'

/**
 * The one spelling of a request path: what is authorized, routed and logged. Percent-encoding is reduced to what a segment needs, one trailing
 * slash is dropped. Everything two readers could understand differently is refused: `//`, dot segments in any encoding, encoded
 * slashes, backslashes, control characters, broken percent-encoding.
 *
 * @throws {StatusError} `BadRequest`
 */
export function normalizePath(path: string): string {
  if (PLAIN.test(path)) return path
  if (!path.startsWith('/')) throw refused('it must start with "/"')
  if (path === '/') return path
  const trimmed = path.endsWith('/') ? path.slice(0, -1) : path
  return `/${trimmed.slice(1).split('/').map(normalizeSegment).join('/')}`
}

/** The decoded segments of a path that `normalizePath` returned. */
export function segmentsOf(path: string): string[] {
  if (path === '/') return []
  const segments = path.slice(1).split('/')
  return path.includes('%') ? segments.map(decodeURIComponent) : segments
}

/** No percent sign, no segment that starts with a dot: nearly every real request. */
const PLAIN = /^(?:\/[A-Za-z0-9_~:-][A-Za-z0-9._~:-]*)+$/
/** What a segment may hold unencoded. Source: RFC 3986 section 3.3, `pchar`. */
const SEGMENT = /^[A-Za-z0-9._~!$&'()*+,;=:@%-]+$/
const KEPT = /%(?:21|24|26|2B|2C|3A|3B|3D|40)/g

function normalizeSegment(segment: string): string {
  if (segment === '') throw refused('it has an empty segment')
  if (!SEGMENT.test(segment)) throw refused('it has a character that must be percent-encoded')
  const decoded = decode(segment)
  if (decoded === '.' || decoded === '..') throw refused('it has a dot segment')
  for (const char of decoded) {
    if (char < ' ' || char === '\u007f') throw refused('it has a control character')
    if (char === '/' || char === '\\') throw refused('it has an encoded slash')
  }
  return encodeURIComponent(decoded).replaceAll(KEPT, decodeURIComponent)
}

function decode(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    throw refused('its percent-encoding is broken')
  }
}

function refused(why: string): StatusError {
  return new StatusError('BadRequest', `the request path is not valid: ${why}`)
}
