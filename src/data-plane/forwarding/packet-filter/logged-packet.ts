import { formatIp } from '../../../base/ip.ts'

/** What of a packet a log line tells. */
export interface LoggedPacket {
  readonly source: string
  readonly destination: string
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, else the number. */
  readonly protocol: string
  /** Absent where the protocol has none, or the packet was cut before them. */
  readonly sourcePort?: number
  readonly port?: number
}

const NAMES: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' }
const WITH_PORTS = new Set([6, 17, 132])
/** Extension headers of IPv6 that say how long they are: hop-by-hop, routing, destination options. */
const EXTENSIONS = new Set([0, 43, 60])

/** Reads the beginning of an IP packet, as the kernel logged it; undefined for anything else. Never throws, whatever the bytes. */
export function readLoggedPacket(bytes: Uint8Array): LoggedPacket | undefined {
  const version = (bytes[0] ?? 0) >> 4
  if (version === 4) {
    const headerBytes = ((bytes[0] ?? 0) & 15) * 4
    if (bytes.length < 20 || headerBytes < 20) return undefined
    const isFirst = (((bytes[6] as number) << 8) | (bytes[7] as number)) & 0x1fff
    const addresses = { source: formatIp(bytes.subarray(12, 16)), destination: formatIp(bytes.subarray(16, 20)) }
    return { ...addresses, ...transport(bytes, bytes[9] as number, isFirst === 0 ? headerBytes : bytes.length) }
  }
  if (version !== 6 || bytes.length < 40) return undefined
  let next = bytes[6] as number
  let at = 40
  while (EXTENSIONS.has(next) && at + 8 <= bytes.length) {
    next = bytes[at] as number
    at += ((bytes[at + 1] as number) + 1) * 8
  }
  return { source: formatIp(bytes.subarray(8, 24)), destination: formatIp(bytes.subarray(24, 40)), ...transport(bytes, next, at) }
}

function transport(bytes: Uint8Array, protocol: number, at: number): Pick<LoggedPacket, 'protocol' | 'sourcePort' | 'port'> {
  const name = NAMES[protocol] ?? String(protocol)
  if (!WITH_PORTS.has(protocol) || at + 4 > bytes.length) return { protocol: name }
  const word = (offset: number): number => ((bytes[offset] as number) << 8) | (bytes[offset + 1] as number)
  return { protocol: name, sourcePort: word(at), port: word(at + 2) }
}
