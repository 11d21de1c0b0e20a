/** Bidirectional forwarding detection on the wire: `packet.ts`, control packets without authentication (RFC 5880). */
export { BFD_DIAGNOSTIC, BFD_STATES, decodeBfdPacket, encodeBfdPacket, type BfdPacket, type BfdState } from './packet.ts'
