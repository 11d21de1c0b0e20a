/** Who talks to whom in a packet. */
export interface PacketTuple {
  readonly source: Uint8Array
  readonly destination: Uint8Array
  /** IP protocol number, behind the extension heads of IPv6. */
  readonly protocol: number
  /** TCP, UDP, SCTP, and only in the first fragment. */
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** ICMP and ICMPv6. */
  readonly icmpType?: number
  readonly icmpCode?: number
  /** As the head says, whatever is there of it. */
  readonly lengthBytes: number
}

const ICMP = 1
const ICMPV6 = 58
const WITH_PORTS: ReadonlySet<number> = new Set([6, 17, 132, 136, 33])
const FRAGMENT = 44
const AUTHENTICATION = 51
/** Hop-by-hop, routing, destination options, mobility: their length is in units of 8 bytes without the first. */
const EXTENSIONS: ReadonlySet<number> = new Set([0, 43, 60, 135])
const MAX_EXTENSIONS = 16

/** Reads the head of an IP packet, however much there is of it. @returns undefined where that is no IP packet, or less than its head */
export function readPacketTuple(bytes: Uint8Array): PacketTuple | undefined {
  const version = (bytes[0] ?? 0) >> 4
  if (version === 4 && bytes.length >= 20) return readIpv4(bytes)
  if (version === 6 && bytes.length >= 40) return readIpv6(bytes)
  return undefined
}

function readIpv4(bytes: Uint8Array): PacketTuple | undefined {
  const headBytes = ((bytes[0] as number) & 15) * 4
  if (headBytes < 20) return undefined
  const isFirst = (uint16(bytes, 6) & 0x1fff) === 0
  const protocol = bytes[9] as number
  return {
    source: bytes.slice(12, 16),
    destination: bytes.slice(16, 20),
    protocol,
    lengthBytes: uint16(bytes, 2),
    ...(isFirst && readTransport(bytes, headBytes, protocol)),
  }
}

function readIpv6(bytes: Uint8Array): PacketTuple {
  let protocol = bytes[6] as number
  let at = 40
  let isFirst = true
  for (let i = 0; i < MAX_EXTENSIONS && bytes.length - at >= 8; i++) {
    const units = bytes[at + 1] as number
    if (protocol === FRAGMENT) isFirst &&= (uint16(bytes, at + 2) & 0xfff8) === 0
    else if (protocol !== AUTHENTICATION && !EXTENSIONS.has(protocol)) break
    const length = protocol === FRAGMENT ? 8 : protocol === AUTHENTICATION ? (units + 2) * 4 : (units + 1) * 8
    protocol = bytes[at] as number
    at += length
  }
  return {
    source: bytes.slice(8, 24),
    destination: bytes.slice(24, 40),
    protocol,
    lengthBytes: 40 + uint16(bytes, 4),
    ...(isFirst && readTransport(bytes, at, protocol)),
  }
}

function readTransport(bytes: Uint8Array, at: number, protocol: number): Partial<PacketTuple> {
  if (WITH_PORTS.has(protocol) && bytes.length >= at + 4) return { sourcePort: uint16(bytes, at), destinationPort: uint16(bytes, at + 2) }
  if ((protocol === ICMP || protocol === ICMPV6) && bytes.length >= at + 2)
    return { icmpType: bytes[at] as number, icmpCode: bytes[at + 1] as number }
  return {}
}

/** In network order. */
const uint16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
