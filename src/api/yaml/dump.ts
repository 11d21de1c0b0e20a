/**
 * Prints JSON values as kubectl's `-o yaml` does: keys sorted with numbers by value, lists not indented, quotes only where
 * a reader would take a word for something else, `|` for text of several lines, folding after 80 columns.
 */
import { needsQuotes } from './scalar.ts'

/** One YAML document, ending in a newline. Properties that are undefined are left out. */
export function dumpYaml(value: unknown): string {
  if (isScalar(value) || isEmpty(value)) return `${printInline(value, { column: 0, indent: 0 })}\n`
  return `${Array.isArray(value) ? printList(value, 0) : printObject(value as Record<string, unknown>, 0)}\n`
}

interface Place {
  readonly column: number
  /** Spaces before the lines that follow. */
  readonly indent: number
}

const BEST_WIDTH = 80

function printObject(object: Record<string, unknown>, indent: number): string {
  return Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort(compareKeys)
    .map((key) => printPair(key, object[key], indent))
    .join(`\n${' '.repeat(indent)}`)
}

function printPair(key: string, value: unknown, indent: number): string {
  const head = `${printKey(key)}:`
  if (isScalar(value) || isEmpty(value)) {
    return `${head} ${printInline(value, { column: indent + head.length + 1, indent: indent + 2 })}`
  }
  if (Array.isArray(value)) return `${head}\n${' '.repeat(indent)}${printList(value, indent)}`
  return `${head}\n${' '.repeat(indent + 2)}${printObject(value as Record<string, unknown>, indent + 2)}`
}

function printList(list: readonly unknown[], indent: number): string {
  return list.map((item) => `- ${printItem(item, indent)}`).join(`\n${' '.repeat(indent)}`)
}

function printItem(item: unknown, indent: number): string {
  if (isScalar(item) || isEmpty(item)) return printInline(item, { column: indent + 2, indent: indent + 2 })
  return Array.isArray(item) ? printList(item, indent + 2) : printObject(item as Record<string, unknown>, indent + 2)
}

function isScalar(value: unknown): boolean {
  return typeof value !== 'object' || value === null
}

function isEmpty(value: unknown): boolean {
  return Array.isArray(value) ? value.length === 0 : Object.values(value as object).every((item) => item === undefined)
}

function printInline(value: unknown, place: Place): string {
  if (typeof value === 'string') return printString(value, place)
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? '[]' : '{}'
  return String((value ?? null) as number | bigint | boolean | null)
}

function printKey(key: string): string {
  // a key stays on one line
  const style = styleOf(key)
  if (style === 'plain') return key
  return style === 'single' ? `'${key.replaceAll("'", "''")}'` : doubleQuote(key)
}

function printString(text: string, place: Place): string {
  switch (styleOf(text)) {
    case 'plain':
      return fold(text, place)
    case 'single':
      return fold(`'${text.replaceAll("'", "''")}'`, place)
    case 'literal':
      return literal(text, place.indent)
    case 'double':
      return fold(doubleQuote(text), place)
  }
}

/** Not printable in a YAML stream without an escape, or read as a line break by some. */
const SPECIAL = /[^\n\u0020-\u007e\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd]/
const PLAIN_FORBIDDEN = /^[#,[\]{}&*!|>'"%@`]|^[-?:](?:\s|$)|:(?:\s|$)|\s#|^(?:---|\.\.\.)|^\s|\s$/

type Style = 'plain' | 'single' | 'double' | 'literal'

function styleOf(text: string): Style {
  if (SPECIAL.test(text) || text.includes(' \n')) return 'double'
  if (text.includes('\n')) return text.endsWith(' ') ? 'double' : 'literal'
  if (needsQuotes(text)) return 'double'
  return PLAIN_FORBIDDEN.test(text) ? 'single' : 'plain'
}

function literal(text: string, indent: number): string {
  const pad = ' '.repeat(indent)
  const indicator = /^[ \n]/.test(text) ? '2' : ''
  const chomp = text.endsWith('\n') ? (text === '\n' || text.endsWith('\n\n') ? '+' : '') : '-'
  const body = text.endsWith('\n') ? text.slice(0, -1) : text
  const lines = body.split('\n').map((line) => (line === '' ? '' : pad + line))
  return `|${indicator}${chomp}\n${lines.join('\n')}`
}

/** Breaks lines at single spaces once they are longer than BEST_WIDTH. */
function fold(text: string, place: Place): string {
  if (place.column + text.length <= BEST_WIDTH || !text.includes(' ')) return text
  const quoted = text.startsWith('"') || text.startsWith("'") ? 1 : 0
  let result = ''
  let column = place.column
  for (let i = 0; i < text.length; i++) {
    const alone = text[i] === ' ' && text[i - 1] !== ' ' && text[i + 1] !== ' '
    if (alone && column > BEST_WIDTH && i > quoted && i < text.length - 1 - quoted) {
      result += `\n${' '.repeat(place.indent)}`
      column = place.indent
    } else {
      result += text[i]
      column++
    }
  }
  return result
}

const ESCAPES: Readonly<Record<string, string>> = {
  '\0': '\\0',
  '\u0007': '\\a',
  '\b': '\\b',
  '\t': '\\t',
  '\n': '\\n',
  '\v': '\\v',
  '\f': '\\f',
  '\r': '\\r',
  '\u001b': '\\e',
  '"': '\\"',
  '\\': '\\\\',
  '\u0085': '\\N',
  '\u2028': '\\L',
  '\u2029': '\\P',
}

function doubleQuote(text: string): string {
  let result = '"'
  for (const character of text) {
    const escape = ESCAPES[character]
    const code = character.codePointAt(0) as number
    if (escape !== undefined) result += escape
    else if (code > 0xffff) result += `\\U${hex(code, 8)}`
    else if (!SPECIAL.test(character)) result += character
    else result += code > 0xff ? `\\u${hex(code, 4)}` : `\\x${hex(code, 2)}`
  }
  return `${result}"`
}

function hex(code: number, width: number): string {
  return code.toString(16).toUpperCase().padStart(width, '0')
}

const LETTER = /^\p{L}$/u
const DIGITS = /^\d+/

/** Numbers inside keys by their value (`x2` before `x10`), other signs before letters. */
function compareKeys(a: string, b: string): number {
  let i = 0
  while (i < a.length && a[i] === b[i]) i++
  if (i === a.length || i === b.length) return a.length - b.length
  const [left, right] = [a[i] as string, b[i] as string]
  const [leftLetter, rightLetter] = [LETTER.test(left), LETTER.test(right)]
  const afterDigit = i > 0 && DIGITS.test(a[i - 1] as string)
  if (leftLetter !== rightLetter) return leftLetter === afterDigit ? -1 : 1
  if (!leftLetter) {
    // the whole numbers that these digits are part of
    let start = i
    while (start > 0 && DIGITS.test(a[start - 1] as string)) start--
    const byValue = Number(DIGITS.exec(a.slice(start))?.[0] ?? 0) - Number(DIGITS.exec(b.slice(start))?.[0] ?? 0)
    if (byValue !== 0) return byValue
  }
  return left < right ? -1 : 1
}
