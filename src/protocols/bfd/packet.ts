/** BFD control packets (RFC 5880 section 4.1), without authentication. */

export const BFD_STATES = ['AdminDown', 'Down', 'Init', 'Up'] as const
export type BfdState = (typeof BFD_STATES)[number]

/** Why a session went down. */
export const BFD_DIAGNOSTIC = {
  none: 0,
  detectionTimeExpired: 1,
  neighborSignaledDown: 3,
  forwardingPlaneReset: 4,
  pathDown: 5,
  administrativelyDown: 7,
} as const

export interface BfdPacket {
  /** 0 to 31. */
  readonly diagnostic: number
  readonly state: BfdState
  readonly poll: boolean
  readonly final: boolean
  /** C: forwarding goes on when the control plane of the sender dies. */
  readonly controlPlaneIndependent: boolean
  readonly demand: boolean
  /** 1 to 255. */
  readonly detectMultiplier: number
  /** Not 0. */
  readonly myDiscriminator: number
  /** 0 while the sender does not know it. */
  readonly yourDiscriminator: number
  readonly desiredMinTxMicroseconds: number
  /** 0: the sender wants no packets. */
  readonly requiredMinRxMicroseconds: number
  readonly requiredMinEchoRxMicroseconds: number
}

const VERSION = 1
const LENGTH = 24

/** Reads a packet by the rules of RFC 5880 section 6.8.6. @returns undefined for what must be discarded, packets with authentication among it */
export function decodeBfdPacket(bytes: Uint8Array): BfdPacket | undefined {
  if (bytes.length < LENGTH) return undefined
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const first = view.getUint8(0)
  const flags = view.getUint8(1)
  const length = view.getUint8(3)
  const isAuthenticated = (flags & 0x04) !== 0
  const isMultipoint = (flags & 0x01) !== 0
  if (first >> 5 !== VERSION || length < LENGTH || length > bytes.length || isAuthenticated || isMultipoint) return undefined
  const packet: BfdPacket = {
    diagnostic: first & 0x1f,
    state: BFD_STATES[flags >> 6] as BfdState,
    poll: (flags & 0x20) !== 0,
    final: (flags & 0x10) !== 0,
    controlPlaneIndependent: (flags & 0x08) !== 0,
    demand: (flags & 0x02) !== 0,
    detectMultiplier: view.getUint8(2),
    myDiscriminator: view.getUint32(4),
    yourDiscriminator: view.getUint32(8),
    desiredMinTxMicroseconds: view.getUint32(12),
    requiredMinRxMicroseconds: view.getUint32(16),
    requiredMinEchoRxMicroseconds: view.getUint32(20),
  }
  const isWhole = packet.detectMultiplier > 0 && packet.myDiscriminator > 0
  const mayBeUnknown = packet.state === 'Down' || packet.state === 'AdminDown'
  return isWhole && (packet.yourDiscriminator > 0 || mayBeUnknown) ? packet : undefined
}

export function encodeBfdPacket(packet: BfdPacket): Uint8Array {
  const out = new Uint8Array(LENGTH)
  const view = new DataView(out.buffer)
  view.setUint8(0, (VERSION << 5) | packet.diagnostic)
  view.setUint8(
    1,
    (BFD_STATES.indexOf(packet.state) << 6) |
      (packet.poll ? 0x20 : 0) |
      (packet.final ? 0x10 : 0) |
      (packet.controlPlaneIndependent ? 0x08 : 0) |
      (packet.demand ? 0x02 : 0),
  )
  view.setUint8(2, packet.detectMultiplier)
  view.setUint8(3, LENGTH)
  view.setUint32(4, packet.myDiscriminator)
  view.setUint32(8, packet.yourDiscriminator)
  view.setUint32(12, packet.desiredMinTxMicroseconds)
  view.setUint32(16, packet.requiredMinRxMicroseconds)
  view.setUint32(20, packet.requiredMinEchoRxMicroseconds)
  return out
}
