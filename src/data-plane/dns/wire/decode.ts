import { TYPE } from './codes.ts'
import { WireFormatError, type DnsRecord, type Edns, type Message, type Query, type Question } from './message.ts'
import { MAX_NAME_BYTES, type WireName } from './name.ts'

export const HEADER_BYTES = 12
/** Records that are read of one message: what fits into 64 KiB when each has a name of two bytes and no data, and then some. */
const MAX_RECORDS = 6_000

/** Reads bytes from left to right; each step checks that they are there. */
class Reader {
  readonly bytes: Buffer
  at: number

  constructor(bytes: Uint8Array, at: number) {
    this.bytes = Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    this.at = at
  }

  u16(): number {
    if (this.at + 2 > this.bytes.length) throw new WireFormatError('message ends too early')
    return ((this.bytes[this.at++] as number) << 8) | (this.bytes[this.at++] as number)
  }

  u32(): number {
    return this.u16() * 0x1_0000 + this.u16()
  }

  /** A name, decompressed. Pointers must lead backwards, so that this ends (RFC 1035, section 4.1.4). */
  name(): WireName {
    const { bytes } = this
    let out = ''
    let at = this.at
    // labels that stand side by side are taken over together
    let begin = at
    let limit = at
    let jumped = false
    for (;;) {
      const length = bytes[at]
      if (length === undefined) throw new WireFormatError('name ends too early')
      if (length === 0) {
        if (!jumped) this.at = at + 1
        return out + bytes.toString('latin1', begin, at + 1)
      }
      if (length >= 0xc0) {
        const low = bytes[at + 1]
        if (low === undefined) throw new WireFormatError('name ends too early')
        if (!jumped) this.at = at + 2
        jumped = true
        out += bytes.toString('latin1', begin, at)
        at = ((length & 0x3f) << 8) | low
        if (at >= limit || at < HEADER_BYTES) throw new WireFormatError('name has a pointer that does not lead back')
        limit = at
        begin = at
        continue
      }
      if (length > 63 || at + 1 + length > bytes.length) throw new WireFormatError('name has a bad label')
      if (out.length + (at - begin) + length + 2 > MAX_NAME_BYTES) throw new WireFormatError('name is too long')
      at += length + 1
    }
  }

  question(): Question {
    return { name: this.name(), type: this.u16(), class: this.u16() }
  }
}

/**
 * Reads what a client sent: a header and exactly one question. Records behind it are looked at only for EDNS.
 * @throws WireFormatError
 */
export function decodeQuery(bytes: Uint8Array): Query {
  const counts = header(bytes)
  if (counts.questions !== 1) throw new WireFormatError(`a query has one question, not ${counts.questions}`)
  const reader = new Reader(bytes, HEADER_BYTES)
  const question = reader.question()
  let edns: Edns | undefined
  const records = counts.answers + counts.authorities + counts.additionals
  if (records > 16) throw new WireFormatError('a query with so many records')
  for (let i = 0; i < records; i++) {
    const found = readRecord(reader)
    if (!('udpBytes' in found)) continue
    // one OPT at most, and only among the additional records (RFC 6891, section 6.1.1)
    if (edns || i < counts.answers + counts.authorities) throw new WireFormatError('EDNS in the wrong place')
    edns = found
  }
  return { id: counts.id, flags: counts.flags, question, ...(edns ? { edns } : {}) }
}

/** Reads a whole message. @throws WireFormatError */
export function decodeMessage(bytes: Uint8Array): Message {
  const counts = header(bytes)
  if (counts.questions > 1 || counts.answers + counts.authorities + counts.additionals > MAX_RECORDS) {
    throw new WireFormatError('message says that it holds more than it can')
  }
  const reader = new Reader(bytes, HEADER_BYTES)
  const questions = Array.from({ length: counts.questions }, () => reader.question())
  let edns: (Edns & { readonly rcode: number }) | undefined
  const section = (count: number): DnsRecord[] => {
    const records: DnsRecord[] = []
    for (let i = 0; i < count; i++) {
      const found = readRecord(reader)
      if ('udpBytes' in found) edns = found
      else records.push(found)
    }
    return records
  }
  const answers = section(counts.answers)
  const authorities = section(counts.authorities)
  const additionals = section(counts.additionals)
  return {
    id: counts.id,
    flags: counts.flags,
    questions,
    answers,
    authorities,
    additionals,
    rcode: ((edns?.rcode ?? 0) << 4) | (counts.flags & 0xf),
    ...(edns ? { edns } : {}),
  }
}

interface Counts {
  readonly id: number
  readonly flags: number
  readonly questions: number
  readonly answers: number
  readonly authorities: number
  readonly additionals: number
}

function header(bytes: Uint8Array): Counts {
  if (bytes.length < HEADER_BYTES) throw new WireFormatError('message is shorter than its header')
  const word = (at: number): number => ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  return { id: word(0), flags: word(2), questions: word(4), answers: word(6), authorities: word(8), additionals: word(10) }
}

function readRecord(reader: Reader): DnsRecord | (Edns & { readonly rcode: number }) {
  const name = reader.name()
  const type = reader.u16()
  const klass = reader.u16()
  const ttl = reader.u32()
  const length = reader.u16()
  const end = reader.at + length
  if (end > reader.bytes.length) throw new WireFormatError('record ends behind the message')
  if (type === TYPE.OPT) {
    if (name !== '\0') throw new WireFormatError('EDNS with a name')
    reader.at = end
    return { udpBytes: klass, rcode: ttl >>> 24, version: (ttl >>> 16) & 0xff, dnssecOk: (ttl & 0x8000) !== 0 }
  }
  const data = readData(reader, type, end)
  reader.at = end
  // the sign bit is no part of a TTL (RFC 2181, section 8)
  return { name, type, class: klass, ttl: ttl >= 0x8000_0000 ? 0 : ttl, data }
}

/** Where names are in the data of the types that may have them compressed (RFC 3597, section 4): bytes before, names, bytes behind. */
export const NAMES_IN_DATA: Readonly<Record<number, readonly [before: number, names: number, behind: number] | undefined>> = {
  [TYPE.NS]: [0, 1, 0],
  [TYPE.CNAME]: [0, 1, 0],
  [TYPE.PTR]: [0, 1, 0],
  [TYPE.SOA]: [0, 2, 20],
  [TYPE.MX]: [2, 1, 0],
  // must not be compressed, yet some do (RFC 2782)
  [TYPE.SRV]: [6, 1, 0],
}

function readData(reader: Reader, type: number, end: number): Uint8Array {
  const layout = NAMES_IN_DATA[type]
  const start = reader.at
  // a copy: what is kept must not keep the whole datagram
  if (!layout) return new Uint8Array(reader.bytes.subarray(start, end))
  const [before, names, behind] = layout
  reader.at = start + before
  let text = ''
  for (let i = 0; i < names; i++) text += reader.name()
  if (reader.at + behind !== end) throw new WireFormatError('record has another length than its data')
  const data = new Uint8Array(before + text.length + behind)
  data.set(reader.bytes.subarray(start, start + before))
  for (let i = 0; i < text.length; i++) data[before + i] = text.charCodeAt(i)
  data.set(reader.bytes.subarray(reader.at, end), before + text.length)
  return data
}
