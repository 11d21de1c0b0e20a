import { STATIC_NAMES } from './static-table.ts'

/** What HTTP/2 has to know of a field name; a number, so that checks are a switch. */
export const NameKind = {
  /** Nothing special. */
  regular: 0,
  /** Upper case, a control or other character that names cannot have (RFC 9113 8.2.1). */
  invalid: 1,
  /** `connection`, `transfer-encoding` and the like, which HTTP/2 does not have (RFC 9113 8.2.2). */
  connection: 2,
  te: 3,
  host: 4,
  contentLength: 5,
  /** A pseudo-header nobody defined. */
  unknownPseudo: 6,
  method: 8,
  scheme: 9,
  authority: 10,
  path: 11,
  protocol: 12,
  status: 13,
} as const

/** A field name, examined once: the same object serves all messages. */
export interface FieldName {
  readonly text: string
  readonly kind: number
  /** Index in the static table, or 0. */
  readonly index: number
  /** Start of a literal field without indexing of this name: its index, or 0 and the name. The value follows. */
  readonly prefix: Uint8Array
}

const KINDS: Readonly<Record<string, number>> = {
  connection: NameKind.connection,
  'keep-alive': NameKind.connection,
  'proxy-connection': NameKind.connection,
  'transfer-encoding': NameKind.connection,
  upgrade: NameKind.connection,
  te: NameKind.te,
  host: NameKind.host,
  'content-length': NameKind.contentLength,
  ':method': NameKind.method,
  ':scheme': NameKind.scheme,
  ':authority': NameKind.authority,
  ':path': NameKind.path,
  ':protocol': NameKind.protocol,
  ':status': NameKind.status,
}
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/

function kindOf(text: string): number {
  const kind = Object.hasOwn(KINDS, text) ? KINDS[text] : undefined
  if (kind !== undefined) return kind
  if (text.startsWith(':')) return NameKind.unknownPseudo
  return TOKEN.test(text) ? NameKind.regular : NameKind.invalid
}

/** Examines a name. */
export function describeName(text: string): FieldName {
  const index = STATIC_NAMES.get(text) ?? 0
  return { text, kind: kindOf(text), index, prefix: index > 0 ? integer(0, 15, index) : literal(text) }
}

function integer(high: number, mask: number, value: number): Uint8Array {
  const bytes: number[] = []
  if (value < mask) return Uint8Array.of(high | value)
  bytes.push(high | mask)
  let rest = value - mask
  for (; rest > 127; rest = Math.floor(rest / 128)) bytes.push((rest & 127) | 128)
  bytes.push(rest)
  return Uint8Array.from(bytes)
}

function literal(text: string): Uint8Array {
  return Buffer.concat([Uint8Array.of(0), integer(0, 127, text.length), Buffer.from(text, 'latin1')])
}

/** Names seen lately, by text; holds at most {@link NAMES_KEPT}. */
const names = new Map<string, FieldName>()
const NAMES_KEPT = 1024

/** The one object for a name, kept as long as there is room. Names that come from the wire go through {@link BytesMemo} first. */
export function fieldName(text: string): FieldName {
  const known = names.get(text)
  if (known !== undefined) return known
  const made = describeName(text)
  if (names.size >= NAMES_KEPT) names.clear()
  if (text.length <= 128) names.set(text, made)
  return made
}
