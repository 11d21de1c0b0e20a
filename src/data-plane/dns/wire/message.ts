import type { WireName } from './name.ts'

/** One question, in the case it was asked in. */
export interface Question {
  readonly name: WireName
  readonly type: number
  readonly class: number
}

/** A record with its data in wire form and without compression, so that it can be kept and put into other messages. */
export interface DnsRecord {
  readonly name: WireName
  readonly type: number
  readonly class: number
  /** Seconds. */
  readonly ttl: number
  readonly data: Uint8Array
}

/** EDNS(0) of a message. Source: RFC 6891. */
export interface Edns {
  readonly udpBytes: number
  readonly version: number
  /** The client wants DNSSEC records. */
  readonly dnssecOk: boolean
}

export interface Header {
  readonly id: number
  /** The second word as it is: QR, opcode, AA, TC, RD, RA, Z, AD, CD, RCODE. */
  readonly flags: number
}

/** What a client sent. */
export interface Query extends Header {
  readonly question: Question
  readonly edns?: Edns
}

/** A message with all of its records; OPT is in `edns`. */
export interface Message extends Header {
  readonly questions: readonly Question[]
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
  readonly edns?: Edns
  /** Extended: the four bits of the header and the eight of EDNS. */
  readonly rcode: number
}

/** Bytes that are no DNS message, or more than one may hold. */
export class WireFormatError extends Error {
  override readonly name = 'WireFormatError'
  readonly code = 'WireFormat'
}

export const opcodeOf = (flags: number): number => (flags >> 11) & 0xf
