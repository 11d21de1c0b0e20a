import { CHARACTERS, VALUE } from './characters.ts'
import { readFacts, type BodyFraming, type HeadFacts } from './framing.ts'
import { Http1Error } from './http1-error.ts'
import { parseFields, type FieldPairs } from './parse-fields.ts'
import { readVersion, type HeadLimits } from './parse-request.ts'

export interface ParsedResponse extends HeadFacts {
  readonly status: number
  readonly isHttp10: boolean
  /** Without those that delimit or belong to the connection. */
  readonly fields: FieldPairs
  readonly framing: BodyFraming
  /** Value of Upgrade in a 101. */
  readonly upgraded: string | undefined
}

const MAX_FIELDS = 200
const HOP_BY_HOP = new Set(['connection', 'keep-alive', 'proxy-connection', 'transfer-encoding', 'upgrade', 'te'])

/**
 * Reads the head of a response, as strictly as that of a request. @param text latin-1, to the CRLF CRLF that ends it
 * @param method of the request: answers to HEAD have no body @throws {Http1Error}
 */
export function parseResponseHead(text: string, method: string, limits: HeadLimits = {}): ParsedResponse {
  const isHttp10 = readVersion(text, 0)
  const status = digitAt(text, 9) * 100 + digitAt(text, 10) * 10 + digitAt(text, 11)
  let lineEnd = 12
  // a reason phrase, behind a space; servers leave both out
  if (text.charCodeAt(lineEnd) === 32) while (((CHARACTERS[text.charCodeAt(lineEnd)] ?? 0) & VALUE) !== 0) lineEnd++
  const isWhole = text.charCodeAt(8) === 32 && text.charCodeAt(lineEnd) === 13 && text.charCodeAt(lineEnd + 1) === 10
  if (!isWhole || !(status >= 100 && status <= 599)) throw new Http1Error('BadStartLine', 'the status line has no status from 100 to 599')
  const fields = parseFields(text, lineEnd + 2, limits.maxFields ?? MAX_FIELDS)
  const facts = readFacts(fields, isHttp10)
  const upgraded = status === 101 ? valueOf(fields, 'upgrade') : undefined
  return {
    length: facts.length,
    chunked: facts.chunked,
    close: facts.close,
    keepAlive: facts.keepAlive,
    upgrade: facts.upgrade,
    nominated: facts.nominated,
    expectContinue: facts.expectContinue,
    status,
    isHttp10,
    fields: endToEnd(fields, facts.nominated, status),
    framing: framingOf(method, status, facts),
    upgraded,
  }
}

/** NaN where there is no digit. */
function digitAt(text: string, at: number): number {
  const digit = text.charCodeAt(at) - 48
  return digit >= 0 && digit <= 9 ? digit : Number.NaN
}

function framingOf(method: string, status: number, facts: HeadFacts): BodyFraming {
  if (method === 'HEAD' || status < 200 || status === 204 || status === 304) return { type: 'none' }
  if (facts.chunked) return { type: 'chunked' }
  if (facts.length === undefined) return { type: 'close' }
  return facts.length === 0 ? { type: 'none' } : { type: 'length', bytes: facts.length }
}

/** Content-Length stays: it is what a client learns from HEAD and 304, and saves chunking elsewhere. */
function endToEnd(fields: FieldPairs, nominated: readonly string[], status: number): FieldPairs {
  const kept: FieldPairs = []
  for (let i = 0; i < fields.length; i += 2) {
    const name = fields[i] as string
    if (HOP_BY_HOP.has(name) || nominated.includes(name)) continue
    // RFC 9110 section 8.6: such answers have none
    if (name === 'content-length' && (status < 200 || status === 204)) continue
    kept.push(name, fields[i + 1] as string)
  }
  return kept
}

function valueOf(fields: FieldPairs, name: string): string | undefined {
  for (let i = 0; i < fields.length; i += 2) if (fields[i] === name) return fields[i + 1]
  return undefined
}
