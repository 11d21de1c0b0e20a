/**
 * Domain names in wire form (RFC 1035, section 3.1) as strings of one character a byte: `\x03web\x04shop\0`. Unlike dotted text they hold any
 * label, need no escapes, and compare, slice and key maps at the speed of strings.
 */
export type WireName = string

/** Bytes of a name with its last zero. Source: RFC 1035, section 2.3.4. */
export const MAX_NAME_BYTES = 255
const MAX_LABEL_BYTES = 63

/** The root: no labels. */
export const ROOT: WireName = '\0'

/** Reads dotted text, with or without the last dot; `\.` and `\ddd` are escapes. @returns undefined for what cannot be a name */
export function parseName(text: string): WireName | undefined {
  if (text === '' || text === '.') return ROOT
  let out = ''
  let label = ''
  for (let i = 0; i <= text.length; i++) {
    const char = text[i]
    if (char === '.' || char === undefined) {
      // the dot at the end adds no label
      if (char === undefined && label === '' && text.endsWith('.')) break
      if (label === '' || label.length > MAX_LABEL_BYTES) return undefined
      out += String.fromCharCode(label.length) + label
      label = ''
      continue
    }
    if (char !== '\\') {
      if (char.charCodeAt(0) > 255) return undefined
      label += char
      continue
    }
    const digits = /^\d{3}/.exec(text.slice(i + 1, i + 4))?.[0]
    if (digits === undefined && text[i + 1] === undefined) return undefined
    if (digits !== undefined && Number(digits) > 255) return undefined
    label += digits === undefined ? (text[i + 1] as string) : String.fromCharCode(Number(digits))
    i += digits === undefined ? 1 : 3
  }
  return out.length < MAX_NAME_BYTES ? `${out}\0` : undefined
}

/** As `parseName`, for text that is known to be a name. @throws RangeError */
export function wireName(text: string): WireName {
  const name = parseName(text)
  if (name === undefined) throw new RangeError(`"${text.slice(0, 300)}" is no domain name`)
  return name
}

/** Dotted text with its last dot. */
export function nameText(name: WireName): string {
  const labels = labelsOf(name)
  return labels.length === 0 ? '.' : `${labels.map((label) => label.replaceAll(/[^\x21-\x7e]|[.\\]/g, escapeByte)).join('.')}.`
}

const escapeByte = (char: string): string =>
  char === '.' || char === '\\' ? `\\${char}` : `\\${String(char.charCodeAt(0)).padStart(3, '0')}`

/** Labels from left to right, without the root's. */
export function labelsOf(name: WireName): string[] {
  const labels: string[] = []
  for (let at = 0, length; (length = name.charCodeAt(at)) > 0; at += length + 1) labels.push(name.slice(at + 1, at + 1 + length))
  return labels
}

/** Lower case of A to Z and of nothing else: the form in which names are compared (RFC 4343). */
export function lowerName(name: WireName): WireName {
  // beyond ASCII, toLowerCase would turn bytes into others
  return /[A-Z]/.test(name) ? name.replaceAll(/[A-Z]+/g, (part) => part.toLowerCase()) : name
}

/** The name without its first label; undefined for the root. */
export function parentOf(name: WireName): WireName | undefined {
  const length = name.charCodeAt(0)
  return length > 0 ? name.slice(length + 1) : undefined
}

/** Whether `name` is `zone` or lies below it. Both in lower case. */
export function isWithin(name: WireName, zone: WireName): boolean {
  if (!name.endsWith(zone)) return false
  const start = name.length - zone.length
  // the bytes of the zone may also be the end of a label
  let at = 0
  while (at < start) at += name.charCodeAt(at) + 1
  return at === start
}

/** `label` in front of `name`. */
export function prepend(label: string, name: WireName): WireName {
  return String.fromCharCode(label.length) + label + name
}
