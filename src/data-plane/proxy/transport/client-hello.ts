import type { ClientHello } from './contract.ts'

/** More than a first flight has. */
const MAX_BYTES = 16_384 + 5

/**
 * Looks for the server name and ALPN in the first bytes of a TLS connection. Source: RFC 8446 section 4.1.2, RFC 6066, RFC 7301.
 * @returns `none`: this is no TLS; `more`: bytes are missing
 */
export function readClientHello(bytes: Uint8Array, start = 0, end: number = bytes.length): ClientHello | 'none' | 'more' {
  const size = end - start
  if (size === 0) return 'more'
  if (bytes[start] !== 22) return 'none'
  if (size >= 2 && bytes[start + 1] !== 3) return 'none'
  if (size < 5) return 'more'
  const parts: Uint8Array[] = []
  // the hello may lie in several records
  let at = start
  let have = 0
  // of the hello with its header, once that is there
  let whole = Infinity
  while (at + 5 <= end) {
    if (bytes[at] !== 22 || bytes[at + 1] !== 3) return 'none'
    const length = u16(bytes, at + 3)
    if (length === 0) return 'none'
    parts.push(bytes.subarray(at + 5, Math.min(end, at + 5 + length)))
    have += Math.min(end - at - 5, length)
    at += 5 + length
    const first = parts[0] as Uint8Array
    if (first.length > 0 && first[0] !== 1) return 'none'
    if (whole === Infinity && have >= 4) {
      const head = Buffer.concat(parts, 4)
      whole = 4 + head.readUIntBE(1, 3)
      if (whole > MAX_BYTES) return 'none'
    }
    // put together once: records may be as short as a byte
    if (have >= whole) return readHello(Buffer.concat(parts, whole).subarray(4))
  }
  return size > MAX_BYTES ? 'none' : 'more'
}

function readHello(hello: Uint8Array): ClientHello | 'none' {
  let serverName: string | undefined
  let alpn: readonly string[] = []
  // version and random, then three lists
  let at = 34
  at += 1 + (hello[at] ?? 0)
  at += 2 + u16(hello, at)
  at += 1 + (hello[at] ?? 0)
  if (at > hello.length) return 'none'
  const end = Math.min(hello.length, at + 2 + u16(hello, at))
  at += 2
  while (at + 4 <= end) {
    const type = u16(hello, at)
    const length = u16(hello, at + 2)
    if (at + 4 + length > end) return 'none'
    const body = hello.subarray(at + 4, at + 4 + length)
    if (type === 0) serverName = readServerName(body)
    else if (type === 16) alpn = readAlpn(body)
    at += 4 + length
  }
  return { alpn, ...(serverName === undefined ? {} : { serverName }) }
}

function readServerName(body: Uint8Array): string | undefined {
  // one list with one entry of type host_name
  const length = u16(body, 3)
  if (body[2] !== 0 || 5 + length > body.length) return undefined
  const name = Buffer.from(body.subarray(5, 5 + length))
    .toString('latin1')
    .toLowerCase()
  return /^[a-z0-9._-]{1,255}$/.test(name) ? name : undefined
}

function readAlpn(body: Uint8Array): readonly string[] {
  const names: string[] = []
  for (let at = 2; at < body.length;) {
    const length = body[at] as number
    names.push(Buffer.from(body.subarray(at + 1, at + 1 + length)).toString('latin1'))
    at += 1 + length
  }
  return names
}

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0)
