import { CHARACTERS, TOKEN, VISIBLE } from './characters.ts'
import { readFacts, type BodyFraming, type HeadFacts } from './framing.ts'
import { Http1Error } from './http1-error.ts'
import { parseFields, type FieldPairs } from './parse-fields.ts'

export interface RequestLine {
  readonly method: string
  /** Path and query; `*` for OPTIONS of the whole server, the authority for CONNECT. */
  readonly target: string
  /** Of an absolute target, else of Host; '' where there is none (HTTP/1.0). */
  readonly authority: string
  /** Of an absolute target. */
  readonly scheme: string | undefined
  readonly isHttp10: boolean
}

export interface ParsedRequest extends RequestLine, HeadFacts {
  /** Without those that delimit or belong to the connection; `host` too, it is in `authority`. */
  readonly fields: FieldPairs
  readonly framing: BodyFraming
}

export interface HeadLimits {
  /** Default 200. */
  readonly maxFields?: number
}

const MAX_METHOD = 32
const MAX_FIELDS = 200
/** Registered names, IPv4, IPv6 in brackets, and a port. User information is not allowed (RFC 9110 section 4.2.4). */
const AUTHORITY = /^(?:[A-Za-z0-9\-._~!$&'()*+;=%]+|\[[0-9A-Fa-f:.]+\])(?::\d{0,5})?$/
const HOP_BY_HOP = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'content-length',
  'host',
  'upgrade',
  'te',
  'expect',
])

/**
 * Reads the head of a request. Strict: what two implementations could understand in two ways is refused. Sources: RFC 9112 sections 2 to 6, RFC 9110.
 * @param text the head as latin-1, from its first character to the CRLF CRLF that ends it @throws {Http1Error}
 */
export function parseRequestHead(text: string, limits: HeadLimits = {}): ParsedRequest {
  let at = 0
  while (((CHARACTERS[text.charCodeAt(at)] ?? 0) & TOKEN) !== 0) at++
  if (at === 0 || at > MAX_METHOD || text.charCodeAt(at) !== 32)
    throw new Http1Error('BadStartLine', 'the request line does not begin with a method')
  const method = text.slice(0, at)
  const targetStart = ++at
  while (((CHARACTERS[text.charCodeAt(at)] ?? 0) & VISIBLE) !== 0) at++
  if (at === targetStart || text.charCodeAt(at) !== 32)
    throw new Http1Error('BadTarget', 'the request target has a character that is not allowed')
  const rawTarget = text.slice(targetStart, at)
  const isHttp10 = readVersion(text, at + 1)
  if (text.charCodeAt(at + 9) !== 13 || text.charCodeAt(at + 10) !== 10)
    throw new Http1Error('BadStartLine', 'the request line does not end behind its version')
  const fields = parseFields(text, at + 11, limits.maxFields ?? MAX_FIELDS)
  const facts = readFacts(fields, isHttp10)
  const host = readHost(fields, isHttp10)
  const target = readTarget(method, rawTarget)
  // written out: a spread costs as much as reading all the fields
  return {
    length: facts.length,
    chunked: facts.chunked,
    close: facts.close,
    keepAlive: facts.keepAlive,
    upgrade: facts.upgrade,
    nominated: facts.nominated,
    expectContinue: facts.expectContinue,
    method,
    target: target.path,
    authority: target.authority ?? host,
    scheme: target.scheme,
    isHttp10,
    fields: endToEnd(fields, facts.nominated),
    framing: facts.chunked ? { type: 'chunked' } : facts.length ? { type: 'length', bytes: facts.length } : { type: 'none' },
  }
}

/** @returns whether it is HTTP/1.0 */
export function readVersion(text: string, at: number): boolean {
  if (!text.startsWith('HTTP/', at)) throw new Http1Error('BadStartLine', 'the start line names no version of HTTP')
  if (text.startsWith('1.1', at + 5)) return false
  if (text.startsWith('1.0', at + 5)) return true
  throw new Http1Error('BadVersion', `version "${text.slice(at, at + 8)}" is not spoken here`)
}

function readHost(fields: FieldPairs, isHttp10: boolean): string {
  let host: string | undefined
  for (let i = 0; i < fields.length; i += 2) {
    if (fields[i] !== 'host') continue
    if (host !== undefined) throw new Http1Error('BadHost', 'host is there twice')
    host = fields[i + 1] as string
  }
  if (host === undefined && !isHttp10) throw new Http1Error('BadHost', 'host is missing')
  if (host !== undefined && host !== '' && !AUTHORITY.test(host)) throw new Http1Error('BadHost', `host "${host.slice(0, 60)}" is no host`)
  return host ?? ''
}

/** The four forms of a target. Source: RFC 9112 section 3.2. */
function readTarget(method: string, target: string): { readonly path: string; readonly authority?: string; readonly scheme?: string } {
  if (method === 'CONNECT') {
    if (!AUTHORITY.test(target) || !/:\d{1,5}$/.test(target)) throw new Http1Error('BadTarget', 'CONNECT needs a host and a port')
    return { path: target, authority: target }
  }
  if (target.charCodeAt(0) === 47) {
    if (target.includes('#')) throw new Http1Error('BadTarget', 'the request target has a fragment')
    return { path: target }
  }
  if (target === '*' && method === 'OPTIONS') return { path: '*' }
  const [, scheme, authority, path = ''] = /^(https?):\/\/([^/?#]*)([^#]*)$/i.exec(target) ?? []
  if (scheme === undefined || authority === undefined || !AUTHORITY.test(authority)) {
    throw new Http1Error('BadTarget', 'the request target is neither a path nor an absolute URI')
  }
  return { path: path.startsWith('/') ? path : `/${path}`, authority, scheme: scheme.toLowerCase() }
}

/** Fields that go on: without those of the connection. `te: trailers` stays, it says what the client can take. */
export function endToEnd(fields: FieldPairs, nominated: readonly string[]): FieldPairs {
  const kept: FieldPairs = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    const value = fields[i + 1] as string
    if (name === 'te' && /(?:^|,)\s*trailers\s*(?:,|$)/i.test(value)) kept.push('te', 'trailers')
    else if (!HOP_BY_HOP.has(name) && !nominated.includes(name)) kept.push(name, value)
  }
  return kept
}
