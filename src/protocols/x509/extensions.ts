import { isIP } from 'node:net'
import {
  bitString,
  boolean,
  childrenOf,
  childrenOfTag,
  contextTag,
  decodeDer,
  DerError,
  type DerNode,
  encodeDer,
  expectTag,
  octetString,
  oid,
  readOid,
  sequence,
  TAG,
} from './der.ts'
import { OID } from './oids.ts'

/** One name that a certificate speaks for. An IP address is written as text. */
export type AlternativeName =
  | { readonly type: 'dns'; readonly value: string }
  | { readonly type: 'ip'; readonly value: string }
  | { readonly type: 'uri'; readonly value: string }

export type KeyUsage = 'digitalSignature' | 'keyEncipherment' | 'keyCertSign' | 'cRLSign'
export type ExtendedKeyUsage = 'serverAuth' | 'clientAuth'

/** The extensions that are read and written; absent ones are empty. */
export interface Extensions {
  readonly alternativeNames: readonly AlternativeName[]
  readonly keyUsages: readonly KeyUsage[]
  readonly extendedKeyUsages: readonly ExtendedKeyUsage[]
  readonly isCa: boolean
}

/** Bit of each usage. Source: RFC 5280 section 4.2.1.3. */
const KEY_USAGE_BITS: Readonly<Record<KeyUsage, number>> = { digitalSignature: 0, keyEncipherment: 2, keyCertSign: 5, cRLSign: 6 }
/** Tags of GeneralName. Source: RFC 5280 section 4.2.1.6. */
const NAME_TAGS = { dns: contextTag(2, 'primitive'), uri: contextTag(6, 'primitive'), ip: contextTag(7, 'primitive') }

/** One extension: identifier, whether a reader that does not know it must refuse, content. */
export function encodeExtension(id: string, critical: boolean, content: Uint8Array): Buffer {
  return critical ? sequence(oid(id), boolean(true), octetString(content)) : sequence(oid(id), octetString(content))
}

/** The extensions of a certificate or request, without key identifiers. `sanCritical` where the subject is empty. */
export function encodeExtensions(extensions: Partial<Extensions>, sanCritical: boolean): Buffer[] {
  const { alternativeNames = [], keyUsages = [], extendedKeyUsages = [], isCa } = extensions
  const encoded: Buffer[] = []
  if (keyUsages.length > 0) encoded.push(encodeExtension(OID.keyUsage, true, encodeKeyUsage(keyUsages)))
  if (extendedKeyUsages.length > 0) {
    encoded.push(encodeExtension(OID.extendedKeyUsage, false, sequence(...extendedKeyUsages.map((usage) => oid(OID[usage])))))
  }
  if (isCa !== undefined) encoded.push(encodeExtension(OID.basicConstraints, true, isCa ? sequence(boolean(true)) : sequence()))
  if (alternativeNames.length > 0) {
    encoded.push(encodeExtension(OID.subjectAltName, sanCritical, sequence(...alternativeNames.map(encodeAlternativeName))))
  }
  return encoded
}

/** Reads a SEQUENCE of extensions; those that are not known here are left out. @throws {DerError} */
export function readExtensions(node: DerNode | undefined): Extensions {
  const found = {
    alternativeNames: [] as AlternativeName[],
    keyUsages: [] as KeyUsage[],
    extendedKeyUsages: [] as ExtendedKeyUsage[],
    isCa: false,
  }
  for (const extension of node === undefined ? [] : childrenOfTag(node, TAG.sequence)) {
    const parts = childrenOfTag(extension, TAG.sequence)
    const content = decodeDer(expectTag(parts.at(-1), TAG.octetString).content)
    switch (readOid(parts[0])) {
      case OID.subjectAltName:
        found.alternativeNames = childrenOfTag(content, TAG.sequence).flatMap(readAlternativeName)
        break
      case OID.keyUsage:
        found.keyUsages = readKeyUsage(content)
        break
      case OID.extendedKeyUsage: {
        const ids = childrenOfTag(content, TAG.sequence).map(readOid)
        found.extendedKeyUsages = (['serverAuth', 'clientAuth'] as const).filter((usage) => ids.includes(OID[usage]))
        break
      }
      case OID.basicConstraints: {
        const [ca] = childrenOfTag(content, TAG.sequence)
        found.isCa = ca?.tag === TAG.boolean && ca.content[0] === 0xff
        break
      }
      default:
    }
  }
  return found
}

function encodeKeyUsage(usages: readonly KeyUsage[]): Buffer {
  const bits = usages.map((usage) => KEY_USAGE_BITS[usage])
  const byte = bits.reduce((sum, bit) => sum | (0x80 >> bit), 0)
  return bitString(Buffer.from([byte]), 7 - Math.max(...bits))
}

function readKeyUsage(node: DerNode): KeyUsage[] {
  const byte = expectTag(node, TAG.bitString).content[1] ?? 0
  return (Object.keys(KEY_USAGE_BITS) as KeyUsage[]).filter((usage) => byte & (0x80 >> KEY_USAGE_BITS[usage]))
}

function encodeAlternativeName(name: AlternativeName): Buffer {
  return encodeDer(NAME_TAGS[name.type], name.type === 'ip' ? encodeIp(name.value) : Buffer.from(name.value, 'latin1'))
}

function readAlternativeName(node: DerNode): AlternativeName[] {
  switch (node.tag) {
    case NAME_TAGS.dns:
      return [{ type: 'dns', value: node.content.toString('latin1') }]
    case NAME_TAGS.uri:
      return [{ type: 'uri', value: node.content.toString('latin1') }]
    case NAME_TAGS.ip:
      return [{ type: 'ip', value: decodeIp(node.content) }]
    default:
      return []
  }
}

function encodeIp(text: string): Buffer {
  const version = isIP(text)
  if (version === 0 || text.includes('%')) throw new DerError(`not an IP address: ${text}`)
  if (version === 4) return Buffer.from(text.split('.').map(Number))
  // the last 32 bits may be written as IPv4
  const plain = text.replace(/[\d.]+\.[\d.]+$/, (tail) =>
    encodeIp(tail)
      .toString('hex')
      .replace(/^(.{4})/, '$1:'),
  )
  const [head = '', tail = ''] = plain.split('::')
  const [before, after] = [head, tail].map((half) => (half === '' ? [] : half.split(':'))) as [string[], string[]]
  const zeros = Array<string>(8 - before.length - after.length).fill('0')
  return Buffer.from([...before, ...zeros, ...after].map((group) => group.padStart(4, '0')).join(''), 'hex')
}

/** IPv6 in the short form of RFC 5952. */
function decodeIp(bytes: Buffer): string {
  if (bytes.length === 4) return bytes.join('.')
  if (bytes.length !== 16) throw new DerError(`an IP address of ${bytes.length} bytes`)
  const groups = Array.from({ length: 8 }, (_, i) => bytes.readUInt16BE(i * 2).toString(16))
  let [start, length] = [0, 1]
  for (let i = 0; i < 8; i++) {
    let end = i
    while (groups[end] === '0') end++
    if (end - i > length) [start, length] = [i, end - i]
  }
  if (length === 1) return groups.join(':')
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`
}

/** The children of an optional context tag. @throws {DerError} */
export function contextChildren(nodes: readonly DerNode[], n: number): readonly DerNode[] {
  const found = nodes.find((node) => node.tag === contextTag(n, 'constructed'))
  return found === undefined ? [] : childrenOf(found)
}
