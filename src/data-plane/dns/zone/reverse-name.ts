import { parseIp, type IpBytes, type IpPrefix } from '../../../base/ip.ts'
import { labelsOf, wireName, type WireName } from '../wire/name.ts'

const V4: WireName = wireName('in-addr.arpa')
const V6: WireName = wireName('ip6.arpa')

/** The name under which the owner of an address is asked for. Sources: RFC 1035, section 3.5; RFC 3596, section 2.5. */
export function reverseName(address: IpBytes): WireName {
  return reverseZone(address, address.length * 8)
}

/** The reverse zone that holds a prefix: its length rounded down to a whole label. */
export function reverseZoneOf(prefix: IpPrefix): WireName {
  return reverseZone(prefix.bytes, prefix.length)
}

function reverseZone(bytes: IpBytes, length: number): WireName {
  const isV4 = bytes.length === 4
  const labels = isV4
    ? Array.from(bytes, String)
    : Array.from(bytes, (byte) => [(byte >> 4).toString(16), (byte & 0xf).toString(16)]).flat()
  const kept = labels.slice(0, Math.floor(length / (isV4 ? 8 : 4))).reverse()
  return kept.map((label) => String.fromCharCode(label.length) + label).join('') + (isV4 ? V4 : V6)
}

/** The address that a whole reverse name stands for. @param name in lower case */
export function addressOfReverseName(name: WireName): IpBytes | undefined {
  if (name.endsWith(V4)) {
    const labels = labelsOf(name)
    if (labels.length !== 6 || labels[4] !== 'in-addr') return undefined
    return parseIp(labels.slice(0, 4).reverse().join('.'))
  }
  if (!name.endsWith(V6)) return undefined
  const labels = labelsOf(name)
  const digits = labels.slice(0, 32).reverse()
  if (labels.length !== 34 || labels[32] !== 'ip6' || !digits.every((digit) => /^[\da-f]$/.test(digit))) return undefined
  return Uint8Array.from({ length: 16 }, (_, i) => Number.parseInt(`${digits[2 * i]}${digits[2 * i + 1]}`, 16))
}
