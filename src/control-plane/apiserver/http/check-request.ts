import { StatusError } from '../../../base/errors.ts'
import { parseQuery, type Query } from './query.ts'

/** The part of a request that comes before its body, from HTTP/1 or HTTP/2. */
export interface RequestHead {
  readonly method: string
  /** The request target as sent: origin form, nothing else is served. */
  readonly target: string
  readonly httpVersionMajor: number
  readonly httpVersionMinor: number
  /** Names and values alternate, as sent, pseudo headers included. */
  readonly rawHeaders: readonly string[]
}

export interface CheckedHead {
  /** Still to be normalized. */
  readonly path: string
  readonly query: Query
}

const MAX_HEADERS = 100
const MAX_HEADER_BYTES = 16 * 1024
const METHODS = new Set(['GET', 'POST', 'PUT', 'PATCH', 'DELETE'])
/** More than one of these and two readers may pick different ones. */
const ONCE = new Set(['host', 'authorization', 'content-type', 'content-length', 'transfer-encoding', 'content-encoding'])

/**
 * Refuses what node's parsers let through but must not reach a handler: HTTP/0.9, absolute-form targets, repeated or missing `host`, repeated
 * `authorization`, chunked bodies in HTTP/1.0, and heads that are too large.
 *
 * @throws {StatusError} `BadRequest`, `MethodNotAllowed`
 * @throws {HeadTooLarge} answered with 431
 */
export function checkRequest(head: RequestHead): CheckedHead {
  if (head.httpVersionMajor < 1) throw new StatusError('BadRequest', 'HTTP/0.9 is not served')
  checkHeaders(head)
  if (!METHODS.has(head.method)) {
    throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
  }
  if (!head.target.startsWith('/')) throw new StatusError('BadRequest', 'the request target must be a path')
  const mark = head.target.indexOf('?')
  if (mark < 0) return { path: head.target, query: parseQuery('') }
  return { path: head.target.slice(0, mark), query: parseQuery(head.target.slice(mark + 1)) }
}

/** 431, which no Status reason stands for. */
export class HeadTooLarge extends StatusError {
  constructor(message: string) {
    super('BadRequest', message)
  }
  override get code(): number {
    return 431
  }
}

function checkHeaders(head: RequestHead): void {
  const raw = head.rawHeaders
  if (raw.length > 2 * MAX_HEADERS) throw new HeadTooLarge(`the request has more than ${MAX_HEADERS} headers`)
  const seen = new Set<string>()
  let bytes = 0
  for (let i = 0; i < raw.length; i += 2) {
    const name = (raw[i] as string).toLowerCase()
    bytes += name.length + (raw[i + 1] as string).length
    if (ONCE.has(name) && seen.has(name)) throw new StatusError('BadRequest', `the header ${name} is repeated`)
    seen.add(name)
  }
  if (bytes > MAX_HEADER_BYTES) throw new HeadTooLarge(`the request headers are larger than ${MAX_HEADER_BYTES} bytes`)
  if (head.httpVersionMajor > 1) return
  if (head.httpVersionMinor === 0 && seen.has('transfer-encoding')) {
    throw new StatusError('BadRequest', 'HTTP/1.0 has no chunked bodies')
  }
  if (head.httpVersionMinor > 0 && !seen.has('host')) throw new StatusError('BadRequest', 'the header host is missing')
}
