import { NLM_ACK, NLM_CREATE, NLM_DUMP, NLM_EXCLUSIVE, NLM_REQUEST } from '../constants.ts'
import { AttributeCursor, type MessageCursor } from '../reader.ts'
import type { NetlinkWriter } from '../writer.ts'
import { AF_INET, AF_INET6, int32, RTM } from './constants.ts'

/** A rule that says which routing table is asked. */
export interface KernelRule {
  readonly family: 4 | 6
  /** Lower is asked first. */
  readonly priority: number
  readonly action: 'table' | 'blackhole' | 'unreachable' | 'prohibit' | 'other'
  /** For action `table`; else 0. */
  readonly table: number
  readonly from?: { readonly bytes: Uint8Array; readonly length: number }
  readonly to?: { readonly bytes: Uint8Array; readonly length: number }
  /** Names of interfaces. */
  readonly inLink?: string
  readonly outLink?: string
  /** 0 with mask 0: any. */
  readonly mark: number
  readonly markMask: number
  /** Does not match by routes of at most this length; absent: all count. */
  readonly suppressLength?: number
  /** Tag of the owner (FRA_PROTOCOL). */
  readonly protocol: number
}

const ACTIONS = { table: 1, blackhole: 6, unreachable: 7, prohibit: 8 } as const
const ACTION_NAMES: ReadonlyMap<number, keyof typeof ACTIONS> = new Map(
  Object.entries(ACTIONS).map(([name, number]) => [number, name as keyof typeof ACTIONS]),
)
const FRA = {
  to: 1,
  from: 2,
  inLink: 3,
  priority: 6,
  mark: 10,
  suppressLength: 14,
  table: 15,
  markMask: 16,
  outLink: 17,
  protocol: 21,
} as const

export function writeNewRule(writer: NetlinkWriter, sequence: number, rule: KernelRule): void {
  writer.message(RTM.newRule, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_EXCLUSIVE, sequence)
  writeRule(writer, rule)
}

/** Deletes the first rule that is like this one in all that it says. */
export function writeDeleteRule(writer: NetlinkWriter, sequence: number, rule: KernelRule): void {
  writer.message(RTM.deleteRule, NLM_REQUEST | NLM_ACK, sequence)
  writeRule(writer, rule)
}

export function writeGetRules(writer: NetlinkWriter, sequence: number, family: 4 | 6): void {
  writer.message(RTM.getRule, NLM_REQUEST | NLM_DUMP, sequence)
  writer.head([family === 4 ? AF_INET : AF_INET6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0])
}

/** Reads an RTM_NEWRULE or RTM_DELRULE. @throws NetlinkFormatError */
export function readRule(message: MessageCursor): KernelRule {
  const { bytes, start } = message
  const attributes = new AttributeCursor(bytes, start + 12, message.end)
  const family = bytes[start] === AF_INET6 ? 6 : 4
  const width = family === 4 ? 4 : 16
  const action = ACTION_NAMES.get(bytes[start + 7] as number) ?? 'other'
  const rule: { -readonly [K in keyof KernelRule]: KernelRule[K] } = {
    family,
    priority: 0,
    action,
    table: action === 'table' ? (bytes[start + 4] as number) : 0,
    mark: 0,
    markMask: 0,
    protocol: 0,
  }
  while (attributes.next()) {
    switch (attributes.type) {
      case FRA.to:
        rule.to = { bytes: sized(attributes.value(), width), length: bytes[start + 1] as number }
        break
      case FRA.from:
        rule.from = { bytes: sized(attributes.value(), width), length: bytes[start + 2] as number }
        break
      case FRA.inLink:
        rule.inLink = attributes.string()
        break
      case FRA.outLink:
        rule.outLink = attributes.string()
        break
      case FRA.priority:
        rule.priority = attributes.u32()
        break
      case FRA.mark:
        rule.mark = attributes.u32()
        break
      case FRA.markMask:
        rule.markMask = attributes.u32()
        break
      case FRA.suppressLength:
        if (attributes.u32() !== 0xffff_ffff) rule.suppressLength = attributes.u32()
        break
      case FRA.table:
        if (action === 'table') rule.table = attributes.u32()
        break
      case FRA.protocol:
        rule.protocol = attributes.u8()
        break
    }
  }
  return rule
}

function writeRule(writer: NetlinkWriter, rule: KernelRule): void {
  const { family, action, table } = rule
  writer.head([
    family === 4 ? AF_INET : AF_INET6,
    rule.to?.length ?? 0,
    rule.from?.length ?? 0,
    0,
    table < 256 ? table : 0,
    0,
    0,
    action === 'other' ? 0 : ACTIONS[action],
    ...int32(0),
  ])
  writer.u32(FRA.priority, rule.priority)
  if (rule.to) writer.bytes(FRA.to, rule.to.bytes)
  if (rule.from) writer.bytes(FRA.from, rule.from.bytes)
  if (rule.inLink !== undefined) writer.string(FRA.inLink, rule.inLink)
  if (rule.outLink !== undefined) writer.string(FRA.outLink, rule.outLink)
  if (rule.markMask !== 0) {
    writer.u32(FRA.mark, rule.mark)
    writer.u32(FRA.markMask, rule.markMask)
  }
  if (rule.suppressLength !== undefined) writer.u32(FRA.suppressLength, rule.suppressLength)
  if (action === 'table') writer.u32(FRA.table, table)
  if (rule.protocol !== 0) writer.u8(FRA.protocol, rule.protocol)
}

/** Whatever its length in the message, an address has that of its family. */
function sized(bytes: Uint8Array, width: number): Uint8Array {
  if (bytes.length === width) return bytes
  const out = new Uint8Array(width)
  out.set(bytes.subarray(0, width))
  return out
}
