import type { NetlinkWriter } from '../netlink/index.ts'
import { VERDICT_CODES, type Verdict } from './elements.ts'

/** One step of a rule. A value that is loaded lies in the one register that is used here until it is compared or looked up. */
export type Expression =
  /** An end of the flow: its source as sent (`original`), its destination as delivered (the source of the `reply`). */
  | { readonly kind: 'ct'; readonly direction: 'original' | 'reply'; readonly key: 'ip saddr' | 'ip6 saddr' | 'proto-src' }
  | { readonly kind: 'meta'; readonly key: 'l4proto' | 'nfproto' }
  /** Equal to these bytes. */
  | { readonly kind: 'equal'; readonly bytes: Uint8Array }
  /** Equal to these bytes where the mask has ones. */
  | { readonly kind: 'masked'; readonly mask: Uint8Array; readonly bytes: Uint8Array; readonly not?: boolean }
  | { readonly kind: 'lookup'; readonly set: string; readonly not?: boolean }
  | { readonly kind: 'counter'; readonly name: string }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'limit'; readonly perSecond: number; readonly burst: number }
  | { readonly kind: 'log'; readonly prefix: string; readonly group: number; readonly snapBytes: number }
  /** `tcp-reset`, or an ICMP error (admin-prohibited) of the packet's own family. */
  | { readonly kind: 'reject'; readonly how: 'tcp-reset' | 'icmpx' }

const REGISTER = 1
const CT_KEYS = { 'proto-src': 11, 'ip saddr': 19, 'ip6 saddr': 21 } as const
const CT_DIRECTIONS = { original: 0, reply: 1 } as const
const META_KEYS = { nfproto: 15, l4proto: 16 } as const
const EQUAL = 0
const NOT_EQUAL = 1
const LOOKUP_NOT = 1
const OBJECT_COUNTER = 1
const REJECT_TYPES = { 'tcp-reset': 1, icmpx: 2 } as const
const ICMPX_ADMIN_PROHIBITED = 3
const VALUE = 1
const VERDICT = 2

/** Writes one entry of a rule's list of expressions. Source: linux/netfilter/nf_tables.h, NFTA_*. */
export function writeExpression(writer: NetlinkWriter, expression: Expression): void {
  switch (expression.kind) {
    case 'ct':
      return write(writer, 'ct', () => {
        writer.u32be(1, REGISTER)
        writer.u32be(2, CT_KEYS[expression.key])
        writer.u8(3, CT_DIRECTIONS[expression.direction])
      })
    case 'meta':
      return write(writer, 'meta', () => {
        writer.u32be(1, REGISTER)
        writer.u32be(2, META_KEYS[expression.key])
      })
    case 'equal':
      return writeCompare(writer, expression.bytes, EQUAL)
    case 'masked':
      write(writer, 'bitwise', () => {
        writer.u32be(1, REGISTER)
        writer.u32be(2, REGISTER)
        writer.u32be(3, expression.mask.length)
        writeValue(writer, 4, expression.mask)
        writeValue(writer, 5, new Uint8Array(expression.mask.length))
      })
      return writeCompare(writer, expression.bytes, expression.not ? NOT_EQUAL : EQUAL)
    case 'lookup':
      return write(writer, 'lookup', () => {
        writer.string(1, expression.set)
        writer.u32be(2, REGISTER)
        if (expression.not) writer.u32be(5, LOOKUP_NOT)
      })
    case 'counter':
      return write(writer, 'objref', () => {
        writer.u32be(1, OBJECT_COUNTER)
        writer.string(2, expression.name)
      })
    case 'verdict':
      return write(writer, 'immediate', () => {
        // register 0 is the verdict
        writer.u32be(1, 0)
        const data = writer.open(2)
        const nest = writer.open(VERDICT)
        writer.u32be(1, VERDICT_CODES[expression.verdict.verdict])
        if (expression.verdict.chain !== undefined) writer.string(2, expression.verdict.chain)
        writer.close(nest)
        writer.close(data)
      })
    case 'limit':
      return write(writer, 'limit', () => {
        writer.u64be(1, BigInt(expression.perSecond))
        // seconds in the unit
        writer.u64be(2, 1n)
        writer.u32be(3, expression.burst)
        // packets, not bytes
        writer.u32be(4, 0)
        writer.u32be(5, 0)
      })
    case 'log':
      return write(writer, 'log', () => {
        writer.u16be(1, expression.group)
        writer.string(2, expression.prefix)
        writer.u32be(3, expression.snapBytes)
        writer.u16be(4, 0)
      })
    case 'reject':
      return write(writer, 'reject', () => {
        writer.u32be(1, REJECT_TYPES[expression.how])
        writer.u8(2, expression.how === 'icmpx' ? ICMPX_ADMIN_PROHIBITED : 0)
      })
  }
}

function writeCompare(writer: NetlinkWriter, bytes: Uint8Array, operator: number): void {
  write(writer, 'cmp', () => {
    writer.u32be(1, REGISTER)
    writer.u32be(2, operator)
    writeValue(writer, 3, bytes)
  })
}

function writeValue(writer: NetlinkWriter, type: number, value: Uint8Array): void {
  const nest = writer.open(type)
  writer.bytes(VALUE, value)
  writer.close(nest)
}

function write(writer: NetlinkWriter, name: string, data: () => void): void {
  const entry = writer.open(1)
  writer.string(1, name)
  const nest = writer.open(2)
  data()
  writer.close(nest)
  writer.close(entry)
}
