import { CLASS_IN, FLAG, RCODE, TYPE } from './codes.ts'
import { HEADER_BYTES, NAMES_IN_DATA } from './decode.ts'
import type { DnsRecord, Edns, Question } from './message.ts'
import { lowerName, type WireName } from './name.ts'

/** What is to be sent; the rest of the header is made of `flags` and the counts. */
export interface Outgoing {
  readonly id: number
  /** Without RCODE and TC. */
  readonly flags: number
  /** Up to 12 bits; more than four need `edns`. */
  readonly rcode: number
  readonly question?: Question | undefined
  readonly answers?: readonly DnsRecord[]
  readonly authorities?: readonly DnsRecord[]
  readonly additionals?: readonly DnsRecord[]
  readonly edns?: Edns | undefined
}

/** Largest message over TCP. */
export const MAX_MESSAGE_BYTES = 65_535
/** Without EDNS. Source: RFC 1035, section 4.2.1. */
export const PLAIN_UDP_BYTES = 512
const OPT_BYTES = 11
/** Compression pointers have 14 bits. */
const MAX_POINTER = 0x3fff

class Writer {
  readonly limit: number
  bytes: Buffer
  at = 0
  /** Where suffixes stand already, in the case they have there. */
  #places = new Map<WireName, number>()
  /** The name that was written first: its suffixes are remembered only when there is another. */
  #first: { readonly name: WireName; readonly at: number } | undefined
  #knowsFirst = false

  constructor(limit: number) {
    this.limit = limit
    this.bytes = Buffer.allocUnsafe(Math.min(limit, 1_232))
  }

  u16(value: number): void {
    this.#reserve(2)
    this.bytes[this.at++] = value >> 8
    this.bytes[this.at++] = value
  }

  u32(value: number): void {
    this.u16(value >>> 16)
    this.u16(value & 0xffff)
  }

  raw(data: Uint8Array): void {
    this.#reserve(data.length)
    this.bytes.set(data, this.at)
    this.at += data.length
  }

  /** Suffixes are shared without regard to case, as the question's own case stands for the records' too. */
  name(name: WireName, compress = true): void {
    if (this.#first === undefined) {
      this.#first = { name, at: this.at }
      return this.#whole(name)
    }
    // what most answers are: records of the name that was asked for
    if (compress && name === this.#first.name && name.length > 2) return this.u16(0xc000 | this.#first.at)
    if (!this.#knowsFirst) this.#learn(this.#first.name, this.#first.at)
    this.#knowsFirst = true
    let rest = name
    while (rest.length > 1) {
      const key = lowerName(rest)
      const place = compress ? this.#places.get(key) : undefined
      if (place !== undefined) return this.u16(0xc000 | place)
      if (this.at <= MAX_POINTER && !this.#places.has(key)) this.#places.set(key, this.at)
      const length = rest.charCodeAt(0)
      this.#reserve(length + 1)
      for (let i = 0; i <= length; i++) this.bytes[this.at++] = rest.charCodeAt(i)
      rest = rest.slice(length + 1)
    }
    this.#reserve(1)
    this.bytes[this.at++] = 0
  }

  #whole(name: WireName): void {
    this.#reserve(name.length)
    for (let i = 0; i < name.length; i++) this.bytes[this.at++] = name.charCodeAt(i)
  }

  /** Remembers where the suffixes of a name stand that was written as a whole. */
  #learn(name: WireName, at: number): void {
    const whole = lowerName(name)
    for (let from = 0, length; (length = whole.charCodeAt(from)) > 0; from += length + 1) {
      const key = whole.slice(from)
      if (at + from <= MAX_POINTER && !this.#places.has(key)) this.#places.set(key, at + from)
    }
  }

  /** Undoes what was written behind `at`. */
  rewind(at: number): void {
    this.at = at
    if (this.#first && this.#first.at >= at) this.#first = undefined
    for (const [name, place] of this.#places) if (place >= at) this.#places.delete(name)
  }

  #reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return
    const bigger = Buffer.allocUnsafe(Math.max(this.bytes.length * 2, this.at + count))
    this.bytes.copy(bigger, 0, 0, this.at)
    this.bytes = bigger
  }
}

/**
 * Writes a message of at most `maxBytes`, with names compressed. Answers and authorities that do not fit are left out whole, and TC says so;
 * additional records that do not fit are left out silently (RFC 2181, section 9).
 */
export function encodeMessage(message: Outgoing, maxBytes: number = MAX_MESSAGE_BYTES): Buffer {
  const { question, answers = [], authorities = [], additionals = [], edns } = message
  const writer = new Writer(maxBytes)
  const limit = maxBytes - (edns ? OPT_BYTES : 0)
  writer.at = HEADER_BYTES
  if (question) {
    writer.name(question.name)
    writer.u16(question.type)
    writer.u16(question.class)
  }
  const counts = { answers: 0, authorities: 0, additionals: 0 }
  let truncated = false
  const section = (name: keyof typeof counts, records: readonly DnsRecord[]): void => {
    for (const record of records) {
      const begin = writer.at
      writeRecord(writer, record)
      if (writer.at > limit) {
        writer.rewind(begin)
        truncated ||= name !== 'additionals'
        return
      }
      counts[name]++
    }
  }
  section('answers', answers)
  if (!truncated) section('authorities', authorities)
  if (!truncated) section('additionals', additionals)
  if (edns) writeEdns(writer, edns, message.rcode)
  const end = writer.at
  writer.at = 0
  writer.u16(message.id)
  writer.u16(
    (message.flags & ~FLAG.TC & ~0xf) | (truncated ? FLAG.TC : 0) | (message.rcode > 0xf && !edns ? RCODE.SERVFAIL : message.rcode & 0xf),
  )
  writer.u16(question ? 1 : 0)
  writer.u16(counts.answers)
  writer.u16(counts.authorities)
  writer.u16(counts.additionals + (edns ? 1 : 0))
  return writer.bytes.subarray(0, end)
}

function writeRecord(writer: Writer, { name, type, class: klass, ttl, data }: DnsRecord): void {
  writer.name(name)
  writer.u16(type)
  writer.u16(klass)
  writer.u32(ttl)
  const lengthAt = writer.at
  writer.u16(0)
  const layout = NAMES_IN_DATA[type]
  if (layout) {
    const [before, names, behind] = layout
    writer.raw(data.subarray(0, before))
    let at = before
    for (let i = 0; i < names; i++) {
      const name = nameAt(data, at)
      writer.name(name, type !== TYPE.SRV)
      at += name.length
    }
    writer.raw(data.subarray(data.length - behind))
  } else {
    writer.raw(data)
  }
  writer.bytes.writeUInt16BE(writer.at - lengthAt - 2, lengthAt)
}

function writeEdns(writer: Writer, edns: Edns, rcode: number): void {
  writer.raw(Uint8Array.of(0))
  writer.u16(TYPE.OPT)
  writer.u16(edns.udpBytes)
  writer.u16(((rcode >> 4) << 8) | edns.version)
  writer.u16(edns.dnssecOk ? 0x8000 : 0)
  writer.u16(0)
}

/** The uncompressed name that stands at `at`. */
export function nameAt(data: Uint8Array, at: number): WireName {
  let end = at
  for (let length; (length = data[end] ?? 0) > 0;) end += length + 1
  return Buffer.from(data.buffer, data.byteOffset + at, end + 1 - at).toString('latin1')
}

/** A query of our own. */
export function encodeQuery(id: number, question: Question, options: { readonly flags: number; readonly edns?: Edns | undefined }): Buffer {
  return encodeMessage({ id, flags: options.flags, rcode: 0, question, edns: options.edns })
}

/** Data of a record from its fields. */
export const recordData = {
  name: (name: WireName): Uint8Array => Buffer.from(name, 'latin1'),
  /** Text of up to 255 bytes. */
  text: (text: string): Uint8Array => Buffer.from(`${String.fromCharCode(text.length)}${text}`, 'latin1'),
  srv: (priority: number, weight: number, port: number, target: WireName): Uint8Array => {
    const head = Buffer.alloc(6)
    head.writeUInt16BE(priority, 0)
    head.writeUInt16BE(weight, 2)
    head.writeUInt16BE(port, 4)
    return Buffer.concat([head, Buffer.from(target, 'latin1')])
  },
  soa: (soa: Soa): Uint8Array => {
    const tail = Buffer.alloc(20)
    const { serial, refresh, retry, expire, minimum } = soa
    for (const [i, value] of [serial, refresh, retry, expire, minimum].entries()) tail.writeUInt32BE(value, 4 * i)
    return Buffer.concat([Buffer.from(soa.mname + soa.rname, 'latin1'), tail])
  },
}

export interface Soa {
  readonly mname: WireName
  readonly rname: WireName
  readonly serial: number
  readonly refresh: number
  readonly retry: number
  readonly expire: number
  /** Seconds that "there is none" may be kept (RFC 2308). */
  readonly minimum: number
}

/** The last field of an SOA's data. */
export function soaMinimum(data: Uint8Array): number {
  return data.length < 4 ? 0 : Buffer.from(data.buffer, data.byteOffset, data.length).readUInt32BE(data.length - 4)
}

/** A record of class IN. */
export const record = (name: WireName, type: number, ttl: number, data: Uint8Array): DnsRecord => ({
  name,
  type,
  class: CLASS_IN,
  ttl,
  data,
})
