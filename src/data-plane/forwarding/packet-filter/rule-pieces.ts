import { formatPrefix, maskIp, type IpPrefix } from '../../../base/ip.ts'
import type { Protocol } from '../../../policy/packet/policies/index.ts'
import type { Expression } from '../../../protocols/nftables/index.ts'
import { counterName, LOG_GROUP, LOG_PREFIX } from './filter-model.ts'

/** A part of a rule, or a whole one, in both forms: nft's words for whole tables, the kernel's expressions for changes. They say the same. */
export interface RulePiece {
  readonly text: string
  readonly expressions: readonly Expression[]
}

export type FlowEnd = 'source' | 'destination'

const PROTOCOL_NUMBERS: Readonly<Record<Protocol, number>> = { TCP: 6, UDP: 17, SCTP: 132 }
const SNAP_BYTES = 160
const NFPROTO = { 4: 2, 6: 10 } as const

export function rule(...pieces: readonly RulePiece[]): RulePiece {
  return { text: pieces.map(({ text }) => text).join(' '), expressions: pieces.flatMap(({ expressions }) => expressions) }
}

/** Address of an end of the flow that a packet belongs to: as nft's expression. */
export function flowAddress(end: FlowEnd, family: 4 | 6): string {
  return `ct ${end === 'source' ? 'original' : 'reply'} ${family === 4 ? 'ip' : 'ip6'} saddr`
}

export function addressIn(end: FlowEnd, family: 4 | 6, { set, not = false }: { readonly set: string; readonly not?: boolean }): RulePiece {
  return {
    text: `${flowAddress(end, family)} ${not ? '!= ' : ''}@${set}`,
    expressions: [loadAddress(end, family), { kind: 'lookup', set, not }],
  }
}

/** @param options prefix of any length but 0, which nft does not know */
export function addressWithin(end: FlowEnd, { prefix, not = false }: { readonly prefix: IpPrefix; readonly not?: boolean }): RulePiece {
  const { bytes, length, family } = prefix
  const mask = maskIp(new Uint8Array(bytes.length).fill(0xff), length)
  return {
    text: `${flowAddress(end, family)} ${not ? '!= ' : ''}${formatPrefix(prefix)}`,
    expressions: [loadAddress(end, family), { kind: 'masked', mask, bytes, not }],
  }
}

export function familyIs(family: 4 | 6): RulePiece {
  return {
    text: `meta nfproto ipv${family}`,
    expressions: [
      { kind: 'meta', key: 'nfproto' },
      { kind: 'equal', bytes: Uint8Array.of(NFPROTO[family]) },
    ],
  }
}

export function protocolIs(protocol: Protocol): RulePiece {
  return {
    text: `meta l4proto ${protocol.toLowerCase()}`,
    expressions: [
      { kind: 'meta', key: 'l4proto' },
      { kind: 'equal', bytes: Uint8Array.of(PROTOCOL_NUMBERS[protocol]) },
    ],
  }
}

/** Port of the destination, as delivered. Only behind `protocolIs`. */
export function portIs(port: number): RulePiece {
  return { text: `ct reply proto-src ${port}`, expressions: [LOAD_PORT, { kind: 'equal', bytes: Uint8Array.of(port >> 8, port & 255) }] }
}

/** Only behind `protocolIs`. */
export function portIn(set: string): RulePiece {
  return { text: `ct reply proto-src @${set}`, expressions: [LOAD_PORT, { kind: 'lookup', set }] }
}

export function counted(id: number): RulePiece {
  return { text: `counter name ${counterName(id)}`, expressions: [{ kind: 'counter', name: counterName(id) }] }
}

/** A line to the log, at most `perSecond`; what is above falls through to the next rule all the same. */
export function logged(id: number, perSecond: number): RulePiece {
  const prefix = `${LOG_PREFIX}${id} `
  const burst = 2 * perSecond
  return {
    text: `limit rate ${perSecond}/second burst ${burst} packets log prefix "${prefix}" group ${LOG_GROUP} snaplen ${SNAP_BYTES}`,
    expressions: [
      { kind: 'limit', perSecond, burst },
      { kind: 'log', prefix, group: LOG_GROUP, snapBytes: SNAP_BYTES },
    ],
  }
}

export function verdict(name: 'accept' | 'drop' | 'return'): RulePiece {
  return { text: name, expressions: [{ kind: 'verdict', verdict: { verdict: name } }] }
}

export function to(how: 'jump' | 'goto', chain: string): RulePiece {
  return { text: `${how} ${chain}`, expressions: [{ kind: 'verdict', verdict: { verdict: how, chain } }] }
}

/** @param how `tcp-reset` only behind `protocolIs('TCP')` */
export function reject(how: 'tcp-reset' | 'icmpx'): RulePiece {
  return {
    text: how === 'icmpx' ? 'reject with icmpx admin-prohibited' : 'reject with tcp reset',
    expressions: [{ kind: 'reject', how }],
  }
}

const LOAD_PORT: Expression = { kind: 'ct', direction: 'reply', key: 'proto-src' }

function loadAddress(end: FlowEnd, family: 4 | 6): Expression {
  return { kind: 'ct', direction: end === 'source' ? 'original' : 'reply', key: family === 4 ? 'ip saddr' : 'ip6 saddr' }
}
