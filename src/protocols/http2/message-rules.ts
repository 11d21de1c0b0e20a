import { type FieldBlock, type FieldName, NameKind } from '../hpack/index.ts'

/** Positions of the fields a message is understood by; -1: not there. Filled anew by each check. */
export class MessageShape {
  method = -1
  scheme = -1
  authority = -1
  path = -1
  protocol = -1
  status = -1
  /** Of the body as declared; -1: not declared. */
  contentLength = -1
  /** First field that is no pseudo-header. */
  firstRegular = 0
}

const PATH = /^[\x21-\x7e\x80-\xff]+$/
const METHOD = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/
const SCHEME = /^[A-Za-z][A-Za-z0-9+\-.]*$/
/** No userinfo (RFC 9113 8.3.1), nothing that means something else in an HTTP/1.1 head. */
const AUTHORITY = /^[A-Za-z0-9\-._~%!$&'()*+,;=:[\]]*$/
const DIGITS = /^[0-9]{1,15}$/

/**
 * What is wrong with a request's head; undefined: nothing, and `shape` is filled. Such a message is malformed: the stream ends with PROTOCOL_ERROR.
 * Source: RFC 9113 8.2, 8.3.1, 8.5; RFC 8441 4.
 */
export function checkRequest(block: FieldBlock, shape: MessageShape, allowsConnectProtocol: boolean): string | undefined {
  const fault = scan(block, shape)
  if (fault !== undefined) return fault
  if (shape.status >= 0) return 'a request has :status'
  if (shape.method < 0) return 'a request has no :method'
  const method = block.value(shape.method)
  if (!METHOD.test(method)) return ':method is not a token'
  if (shape.protocol >= 0) {
    if (method !== 'CONNECT' || !allowsConnectProtocol) return ':protocol stands without CONNECT or was not allowed'
    if (!METHOD.test(block.value(shape.protocol))) return ':protocol is not a token'
  } else if (method === 'CONNECT') {
    if (shape.scheme >= 0 || shape.path >= 0) return 'CONNECT has :scheme or :path'
    if (shape.authority < 0) return 'CONNECT has no :authority'
    return AUTHORITY.test(block.value(shape.authority)) ? undefined : ':authority is not a host with a port'
  }
  return checkTarget(block, shape, method)
}

function checkTarget(block: FieldBlock, shape: MessageShape, method: string): string | undefined {
  if (shape.scheme < 0 || !SCHEME.test(block.value(shape.scheme))) return 'a request has no :scheme, or it is none'
  if (shape.path < 0) return 'a request has no :path'
  const path = block.value(shape.path)
  if (!PATH.test(path)) return ':path is empty or has a blank or control character'
  if (!path.startsWith('/') && !(path === '*' && method === 'OPTIONS')) return ':path does not begin with /'
  const host = hostOf(block, shape.firstRegular)
  if (host === false) return 'a request has two different hosts'
  const authority = shape.authority < 0 ? host : block.value(shape.authority)
  if (authority === undefined || authority === '') return 'a request has neither :authority nor host'
  if (!AUTHORITY.test(authority)) return ':authority is not a host with a port'
  if (host !== undefined && host.toLowerCase() !== authority.toLowerCase()) return ':authority and host differ'
  return undefined
}

function hostOf(block: FieldBlock, from: number): string | undefined | false {
  let host: string | undefined
  for (let i = from; i < block.count; i++) {
    if ((block.names[i] as FieldName).kind !== NameKind.host) continue
    const value = block.value(i)
    if (host !== undefined && host !== value) return false
    host = value
  }
  return host
}

/** What is wrong with a response's head, as {@link checkRequest}. Source: RFC 9113 8.3.2. */
export function checkResponse(block: FieldBlock, shape: MessageShape): string | undefined {
  const fault = scan(block, shape)
  if (fault !== undefined) return fault
  if (shape.status < 0) return 'a response has no :status'
  if (shape.method >= 0 || shape.path >= 0 || shape.scheme >= 0 || shape.authority >= 0 || shape.protocol >= 0) {
    return 'a response has a pseudo-header of requests'
  }
  const status = block.value(shape.status)
  if (!/^[1-9][0-9]{2}$/.test(status)) return ':status is not a number of three digits'
  return status === '101' ? ':status is 101, which HTTP/2 does not have' : undefined
}

/** What is wrong with trailers. Source: RFC 9113 8.1. */
export function checkTrailers(block: FieldBlock): string | undefined {
  if (block.isTooLarge) return 'the trailers are too large'
  if (block.fault !== undefined) return block.fault
  for (let i = 0; i < block.count; i++) {
    const { kind } = block.names[i] as FieldName
    if (kind >= NameKind.unknownPseudo) return 'trailers have a pseudo-header'
    if (kind === NameKind.connection) return 'trailers have a field that belongs to a connection'
  }
  return undefined
}

function scan(block: FieldBlock, shape: MessageShape): string | undefined {
  if (block.fault !== undefined) return block.fault
  shape.method = shape.scheme = shape.authority = shape.path = shape.protocol = shape.status = shape.contentLength = -1
  shape.firstRegular = -1
  for (let i = 0; i < block.count; i++) {
    const { kind } = block.names[i] as FieldName
    if (kind < NameKind.unknownPseudo) {
      if (shape.firstRegular < 0) shape.firstRegular = i
      if (kind === NameKind.regular || kind === NameKind.host) continue
      const fault = checkField(block, shape, i, kind)
      if (fault !== undefined) return fault
    } else {
      if (shape.firstRegular >= 0) return 'a pseudo-header stands after a field'
      if (!setPseudo(shape, kind, i)) return 'a pseudo-header is unknown or there twice'
    }
  }
  if (shape.firstRegular < 0) shape.firstRegular = block.count
  return undefined
}

function checkField(block: FieldBlock, shape: MessageShape, i: number, kind: number): string | undefined {
  if (kind === NameKind.connection) return `the field ${block.name(i)} belongs to a connection`
  if (kind === NameKind.te) return block.value(i).toLowerCase() === 'trailers' ? undefined : 'te is not "trailers"'
  const value = block.value(i)
  if (!DIGITS.test(value)) return 'content-length is not a number'
  if (shape.contentLength >= 0 && shape.contentLength !== Number(value)) return 'content-length is there twice and differs'
  shape.contentLength = Number(value)
  return undefined
}

function setPseudo(shape: MessageShape, kind: number, i: number): boolean {
  switch (kind) {
    case NameKind.method:
      if (shape.method >= 0) return false
      shape.method = i
      return true
    case NameKind.scheme:
      if (shape.scheme >= 0) return false
      shape.scheme = i
      return true
    case NameKind.authority:
      if (shape.authority >= 0) return false
      shape.authority = i
      return true
    case NameKind.path:
      if (shape.path >= 0) return false
      shape.path = i
      return true
    case NameKind.protocol:
      if (shape.protocol >= 0) return false
      shape.protocol = i
      return true
    case NameKind.status:
      if (shape.status >= 0) return false
      shape.status = i
      return true
    default:
      return false
  }
}
