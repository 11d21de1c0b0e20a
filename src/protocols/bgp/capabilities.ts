import type { AfiSafi, Capability } from './message.ts'

/** Codes of the capabilities that are understood. */
const CODE = {
  multiprotocol: 1,
  'route-refresh': 2,
  'extended-next-hop': 5,
  'extended-message': 6,
  role: 9,
  'graceful-restart': 64,
  'four-octet-as': 65,
  'add-path': 69,
  'enhanced-route-refresh': 70,
} as const

const u16 = (bytes: Uint8Array, at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
const u32 = (bytes: Uint8Array, at: number): number => ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0

/** Reads the capabilities of one optional parameter (RFC 5492). @returns undefined when lengths do not fit */
export function decodeCapabilities(bytes: Uint8Array): Capability[] | undefined {
  const out: Capability[] = []
  for (let at = 0; at < bytes.length;) {
    if (at + 2 > bytes.length) return undefined
    const length = bytes[at + 1] as number
    const end = at + 2 + length
    if (end > bytes.length) return undefined
    out.push(decodeCapability(bytes[at] as number, bytes.subarray(at + 2, end)))
    at = end
  }
  return out
}

/** A capability whose length does not fit its code is unknown: RFC 5492 wants unsupported ones ignored, not refused. */
function decodeCapability(code: number, value: Uint8Array): Capability {
  const unknown = (): Capability => ({ kind: 'unknown', code, value: value.slice() })
  switch (code) {
    case CODE.multiprotocol:
      return value.length === 4 ? { kind: 'multiprotocol', afi: u16(value, 0), safi: value[3] as number } : unknown()
    case CODE['route-refresh']:
      return value.length === 0 ? { kind: 'route-refresh' } : unknown()
    case CODE['enhanced-route-refresh']:
      return value.length === 0 ? { kind: 'enhanced-route-refresh' } : unknown()
    case CODE['extended-message']:
      return value.length === 0 ? { kind: 'extended-message' } : unknown()
    case CODE['four-octet-as']:
      return value.length === 4 ? { kind: 'four-octet-as', as: u32(value, 0) } : unknown()
    case CODE.role:
      return value.length === 1 ? { kind: 'role', role: value[0] as number } : unknown()
    case CODE['extended-next-hop']:
      if (value.length % 6 !== 0) return unknown()
      return {
        kind: 'extended-next-hop',
        entries: every(value, 0, 6, (at) => ({ afi: u16(value, at), safi: u16(value, at + 2), nextHopAfi: u16(value, at + 4) })),
      }
    case CODE['add-path']:
      if (value.length % 4 !== 0) return unknown()
      return { kind: 'add-path', families: every(value, 0, 4, (at) => ({ ...afiSafi(value, at), mode: value[at + 3] as number })) }
    case CODE['graceful-restart']:
      if (value.length < 2 || (value.length - 2) % 4 !== 0) return unknown()
      return {
        kind: 'graceful-restart',
        restarting: ((value[0] as number) & 0x80) !== 0,
        notification: ((value[0] as number) & 0x40) !== 0,
        restartTimeSeconds: u16(value, 0) & 0xfff,
        families: every(value, 2, 4, (at) => ({ ...afiSafi(value, at), forwarding: ((value[at + 3] as number) & 0x80) !== 0 })),
      }
    default:
      return unknown()
  }
}

/** The bytes of capabilities as they stand inside an optional parameter. */
export function encodeCapabilities(capabilities: readonly Capability[]): Uint8Array {
  return Uint8Array.from(
    capabilities.flatMap((capability) => {
      const value = valueOf(capability)
      return [capability.kind === 'unknown' ? capability.code : CODE[capability.kind], value.length, ...value]
    }),
  )
}

function valueOf(capability: Capability): readonly number[] {
  switch (capability.kind) {
    case 'multiprotocol':
      return [...two(capability.afi), 0, capability.safi]
    case 'route-refresh':
    case 'enhanced-route-refresh':
    case 'extended-message':
      return []
    case 'four-octet-as':
      return [...two(capability.as >>> 16), ...two(capability.as & 0xffff)]
    case 'role':
      return [capability.role]
    case 'extended-next-hop':
      return capability.entries.flatMap(({ afi, safi, nextHopAfi }) => [...two(afi), ...two(safi), ...two(nextHopAfi)])
    case 'add-path':
      return capability.families.flatMap(({ afi, safi, mode }) => [...two(afi), safi, mode])
    case 'graceful-restart': {
      const { restarting, notification, restartTimeSeconds, families } = capability
      const head = (restarting ? 0x8000 : 0) | (notification ? 0x4000 : 0) | (restartTimeSeconds & 0xfff)
      return [...two(head), ...families.flatMap(({ afi, safi, forwarding }) => [...two(afi), safi, forwarding ? 0x80 : 0])]
    }
    case 'unknown':
      return [...capability.value]
  }
}

function two(value: number): readonly [number, number] {
  return [(value >> 8) & 0xff, value & 0xff]
}

function afiSafi(bytes: Uint8Array, at: number): AfiSafi {
  return { afi: u16(bytes, at), safi: bytes[at + 2] as number }
}

function every<T>(bytes: Uint8Array, from: number, step: number, read: (at: number) => T): T[] {
  const out: T[] = []
  for (let at = from; at < bytes.length; at += step) out.push(read(at))
  return out
}
