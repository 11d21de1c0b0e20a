import type { FieldPairs } from './parse-fields.ts'
import { Http1Error } from './http1-error.ts'

/** How a body is delimited. Source: RFC 9112 section 6.3. */
export type BodyFraming =
  | { readonly type: 'none' }
  | { readonly type: 'length'; readonly bytes: number }
  | { readonly type: 'chunked' }
  /** Until the connection is closed: responses alone. */
  | { readonly type: 'close' }

/** What a head says about itself besides its fields. */
export interface HeadFacts {
  /** Content-Length. */
  readonly length: number | undefined
  readonly chunked: boolean
  /** Options of Connection, lower-case. */
  readonly close: boolean
  readonly keepAlive: boolean
  readonly upgrade: string | undefined
  /** Fields that are for this connection alone, beside those that always are. */
  readonly nominated: readonly string[]
  readonly expectContinue: boolean
}

/** Fields that Connection may not take away: the message would mean something else to whoever comes next. */
const PROTECTED = new Set([
  'host',
  'content-length',
  'transfer-encoding',
  'authorization',
  'cookie',
  'content-type',
  'content-encoding',
  'trailer',
  'te',
])
const TOKEN_LIST = /^[\t ,]*(?:[!#$%&'*+\-.^_`|~0-9A-Za-z]+[\t ,]*)*$/

/** Reads what delimits a message. Refused: Content-Length that is no number, a list or there twice; together with Transfer-Encoding; codings other than one `chunked`. */
export function readFacts(fields: FieldPairs, isHttp10: boolean): HeadFacts {
  let length: number | undefined
  let chunked = false
  let close = false
  let keepAlive = false
  let wantsUpgrade = false
  let upgrade: string | undefined
  let expectContinue = false
  let nominated: string[] | undefined
  for (let i = 0; i < fields.length; i += 2) {
    const value = fields[i + 1] as string
    switch (fields[i]) {
      case 'content-length':
        if (length !== undefined) throw new Http1Error('BadLength', 'content-length is there twice')
        // longer numbers than a double holds exactly are no lengths
        if (!/^\d{1,15}$/.test(value)) throw new Http1Error('BadLength', `content-length "${value.slice(0, 40)}" is no number of bytes`)
        length = Number(value)
        break
      case 'transfer-encoding':
        if (chunked || value.toLowerCase() !== 'chunked') {
          throw new Http1Error('BadTransferCoding', `transfer-encoding "${value.slice(0, 40)}" is not understood: only one "chunked" is`)
        }
        chunked = true
        break
      case 'connection':
        if (!TOKEN_LIST.test(value)) throw new Http1Error('BadConnection', 'connection is no list of names')
        for (const part of value.split(',')) {
          const option = part.trim().toLowerCase()
          if (option === 'close') close = true
          else if (option === 'keep-alive') keepAlive = true
          else if (option === 'upgrade') wantsUpgrade = true
          else if (PROTECTED.has(option) && option !== 'te') throw new Http1Error('BadConnection', `connection may not name "${option}"`)
          else if (option !== '') (nominated ??= []).push(option)
        }
        break
      case 'upgrade':
        upgrade = value
        break
      case 'expect':
        if (value.toLowerCase() === '100-continue') expectContinue = true
        break
      default:
    }
  }
  if (chunked && length !== undefined) throw new Http1Error('BadTransferCoding', 'content-length and transfer-encoding are there together')
  if (chunked && isHttp10) throw new Http1Error('BadTransferCoding', 'HTTP/1.0 has no transfer-encoding')
  return { length, chunked, close, keepAlive, upgrade: wantsUpgrade ? upgrade : undefined, nominated: nominated ?? [], expectContinue }
}
