import { CHARACTERS, TOKEN, VALUE } from './characters.ts'
import { Http1Error } from './http1-error.ts'

/** Fields one after another: name, value, name, value; names in lower case. */
export type FieldPairs = string[]

const MAX_NAMES = 4_096
/** Lower-case names by how they were written; messages repeat a few dozen. */
const names = new Map<string, string>()

function lowerCase(name: string): string {
  const known = names.get(name)
  if (known !== undefined) return known
  const lower = name.toLowerCase()
  // a copy: a name cut out of a head would keep the head alive
  if (names.size < MAX_NAMES) names.set(Buffer.from(name, 'latin1').toString('latin1'), lower)
  return lower
}

/**
 * Reads field lines from `start` until the empty line, each ended by CRLF. Refused: bare CR or LF, NUL and other controls, white space before the colon,
 * folded lines, names that are no tokens (RFC 9112 section 5, RFC 9110 section 5.5). @param text the head, with the CRLF CRLF that ends it
 */
export function parseFields(text: string, start: number, maxFields: number): FieldPairs {
  const fields: FieldPairs = []
  let at = start
  for (;;) {
    const first = text.charCodeAt(at)
    if (first === 13) {
      if (text.charCodeAt(at + 1) !== 10) throw new Http1Error('BadField', 'a line ends with CR alone')
      return fields
    }
    if (first === 32 || first === 9) throw new Http1Error('BadField', 'a field is folded over several lines')
    let colon = at
    while (((CHARACTERS[text.charCodeAt(colon)] ?? 0) & TOKEN) !== 0) colon++
    if (colon === at || text.charCodeAt(colon) !== 58) throw new Http1Error('BadField', describe(text, at, colon))
    let valueStart = colon + 1
    while (isBlank(text.charCodeAt(valueStart))) valueStart++
    let end = valueStart
    while (((CHARACTERS[text.charCodeAt(end)] ?? 0) & VALUE) !== 0) end++
    if (text.charCodeAt(end) !== 13 || text.charCodeAt(end + 1) !== 10) {
      throw new Http1Error('BadField', `the value of field "${text.slice(at, colon).slice(0, 40)}" has a character that is not allowed`)
    }
    let valueEnd = end
    while (valueEnd > valueStart && isBlank(text.charCodeAt(valueEnd - 1))) valueEnd--
    fields.push(lowerCase(text.slice(at, colon)), text.slice(valueStart, valueEnd))
    if (fields.length > maxFields * 2) throw new Http1Error('TooManyFields', `there are more than ${maxFields} fields`)
    at = end + 2
  }
}

const isBlank = (code: number): boolean => code === 32 || code === 9

function describe(text: string, start: number, at: number): string {
  if (at === start) return 'a field has no name'
  if (isBlank(text.charCodeAt(at))) return `there is white space behind the name of field "${text.slice(start, at).slice(0, 40)}"`
  return `a field name has a character that is not allowed, behind "${text.slice(start, at).slice(0, 40)}"`
}
