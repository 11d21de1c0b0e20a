/** The careful half of json.ts: a parser that knows where it is, what it has seen and how deep it stands. */
import { setOwn } from './json-object.ts'

export type JsonErrorCode =
  /** Bytes that are not UTF-8. */
  | 'utf8'
  /** A byte order mark at the start. */
  | 'bom'
  /** Not JSON. */
  | 'syntax'
  /** Nested deeper than allowed. */
  | 'depth'
  /** An escape such as `\ud800` without its other half. */
  | 'surrogate'
  /** A number that no double holds, such as 1e400. */
  | 'number'

export interface JsonPosition {
  /** In characters, from 0. */
  readonly offset: number
  /** From 1. */
  readonly line: number
  /** In characters, from 1. */
  readonly column: number
}

/** Why and where a document is not acceptable JSON. */
export class JsonError extends Error implements JsonPosition {
  override readonly name = 'JsonError'
  readonly code: JsonErrorCode
  /** The message without the position. */
  readonly why: string
  readonly offset: number
  readonly line: number
  readonly column: number

  constructor(code: JsonErrorCode, why: string, position: JsonPosition) {
    super(`${why} (line ${position.line}, column ${position.column})`)
    this.code = code
    this.why = why
    this.offset = position.offset
    this.line = position.line
    this.column = position.column
  }
}

/** Line and column of an offset. */
export function locate(text: string, offset: number): JsonPosition {
  let line = 1
  let start = 0
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', start)) {
    line++
    start = at + 1
  }
  return { offset, line, column: offset - start + 1 }
}

/** Parses `text`. @throws {JsonError} */
export function parseCarefully(text: string, maxDepth: number): { readonly value: unknown; readonly duplicates: readonly string[] } {
  const parser = new Parser(text, maxDepth)
  const value = parser.document()
  return { value, duplicates: [...parser.duplicates] }
}

const MAX_DUPLICATES = 100
const MIN_INT64 = -(1n << 63n)
const MAX_INT64 = (1n << 63n) - 1n
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?/y
/** Neither quote nor backslash nor control character. */
const PLAIN = /[ !#-[\]-\uffff]*/y
const ESCAPES: Readonly<Record<string, string>> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }

class Parser {
  readonly duplicates = new Set<string>()
  readonly #text: string
  readonly #maxDepth: number
  /** Keys and indexes that lead to where the parser stands. */
  readonly #path: (string | number)[] = []
  #at = 0
  #depth = 0

  constructor(text: string, maxDepth: number) {
    this.#text = text
    this.#maxDepth = maxDepth
  }

  document(): unknown {
    const value = this.#value()
    this.#space()
    if (this.#at < this.#text.length) throw this.#unexpected('after top-level value')
    return value
  }

  #value(): unknown {
    this.#space()
    const first = this.#text[this.#at]
    if (first === '{') return this.#object()
    if (first === '[') return this.#array()
    if (first === '"') return this.#string()
    if (first === '-' || (first !== undefined && first >= '0' && first <= '9')) return this.#number()
    if (this.#literal('true')) return true
    if (this.#literal('false')) return false
    if (this.#literal('null')) return null
    throw this.#unexpected('looking for beginning of value')
  }

  #object(): Record<string, unknown> {
    this.#open()
    const object: Record<string, unknown> = {}
    if (this.#closes('}')) return object
    for (;;) {
      this.#space()
      if (this.#text[this.#at] !== '"') throw this.#unexpected('looking for beginning of object key string')
      const key = this.#string()
      this.#path.push(key)
      if (Object.hasOwn(object, key) && this.duplicates.size < MAX_DUPLICATES) this.duplicates.add(formatPath(this.#path))
      this.#space()
      if (this.#text[this.#at] !== ':') throw this.#unexpected('after object key')
      this.#at++
      setOwn(object, key, this.#value())
      this.#path.pop()
      if (this.#ends('}', 'after object key:value pair')) return object
    }
  }

  #array(): unknown[] {
    this.#open()
    const array: unknown[] = []
    if (this.#closes(']')) return array
    for (;;) {
      this.#path.push(array.length)
      array.push(this.#value())
      this.#path.pop()
      if (this.#ends(']', 'after array element')) return array
    }
  }

  #open(): void {
    if (++this.#depth > this.#maxDepth) throw this.#error('depth', `exceeded max depth ${this.#maxDepth}`)
    this.#at++
  }

  #closes(bracket: string): boolean {
    this.#space()
    if (this.#text[this.#at] !== bracket) return false
    this.#at++
    this.#depth--
    return true
  }

  #ends(bracket: string, where: string): boolean {
    if (this.#closes(bracket)) return true
    if (this.#text[this.#at] !== ',') throw this.#unexpected(where)
    this.#at++
    return false
  }

  #number(): number | bigint {
    NUMBER.lastIndex = this.#at
    const match = NUMBER.exec(this.#text)
    if (!match) {
      this.#at++
      throw this.#unexpected('in numeric literal')
    }
    const [token, fraction, exponent] = match
    const value = Number(token)
    if (!Number.isFinite(value)) throw this.#error('number', `the number ${token.slice(0, 40)} is too large`)
    this.#at += token.length
    if (fraction !== undefined || exponent !== undefined || Number.isSafeInteger(value)) return value
    // as upstream: an int64 is kept exactly, what is larger becomes a float
    const exact = token.length <= 20 ? BigInt(token) : MAX_INT64 + 1n
    return exact >= MIN_INT64 && exact <= MAX_INT64 ? exact : value
  }

  #string(): string {
    this.#at++
    let value = ''
    for (;;) {
      PLAIN.lastIndex = this.#at
      const start = this.#at
      PLAIN.test(this.#text)
      this.#at = PLAIN.lastIndex
      value += this.#text.slice(start, this.#at)
      const next = this.#text[this.#at]
      if (next === '"') {
        this.#at++
        return value
      }
      if (next !== '\\') throw this.#unexpected('in string literal')
      value += this.#escape()
    }
  }

  #escape(): string {
    const kind = this.#text[this.#at + 1] ?? ''
    if (kind === 'u') {
      const high = this.#hex(this.#at + 2)
      if (high < 0xd800 || high > 0xdfff) {
        this.#at += 6
        return String.fromCharCode(high)
      }
      const low = high < 0xdc00 && this.#text.startsWith('\\u', this.#at + 6) ? this.#hex(this.#at + 8) : 0
      if (low < 0xdc00 || low > 0xdfff) throw this.#error('surrogate', 'half of a surrogate pair in a string')
      this.#at += 12
      return String.fromCharCode(high, low)
    }
    const plain = ESCAPES[kind]
    this.#at++
    if (plain === undefined) throw this.#unexpected('in string escape code')
    this.#at++
    return plain
  }

  #hex(from: number): number {
    const digits = this.#text.slice(from, from + 4)
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) {
      this.#at = from + (/^[0-9a-fA-F]*/.exec(digits) as RegExpExecArray)[0].length
      throw this.#unexpected('in \\u hexadecimal character escape')
    }
    return Number.parseInt(digits, 16)
  }

  #literal(word: string): boolean {
    if (!this.#text.startsWith(word, this.#at)) return false
    this.#at += word.length
    return true
  }

  #space(): void {
    for (;;) {
      const code = this.#text.charCodeAt(this.#at)
      if (code !== 0x20 && code !== 0x0a && code !== 0x0d && code !== 0x09) return
      this.#at++
    }
  }

  #unexpected(where: string): JsonError {
    const character = this.#text.codePointAt(this.#at)
    if (character === undefined) return this.#error('syntax', 'unexpected end of JSON input')
    return this.#error('syntax', `invalid character ${quoteCharacter(character)} ${where}`)
  }

  #error(code: JsonErrorCode, why: string): JsonError {
    return new JsonError(code, why, locate(this.#text, this.#at))
  }
}

function quoteCharacter(code: number): string {
  const escape = { 9: 't', 10: 'n', 13: 'r', 39: "'", 92: '\\' }[code]
  if (escape !== undefined) return `'\\${escape}'`
  return code < 0x20 || code === 0x7f ? `'\\x${code.toString(16).padStart(2, '0')}'` : `'${String.fromCodePoint(code)}'`
}

function formatPath(path: readonly (string | number)[]): string {
  let text = ''
  for (const step of path) text += typeof step === 'number' ? `[${step}]` : text === '' ? step : `.${step}`
  return text
}
