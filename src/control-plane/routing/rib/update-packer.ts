import { ATTRIBUTE, FLAG } from '../../../protocols/bgp/attribute-block.ts'
import { writeHeader } from '../../../protocols/bgp/framing.ts'
import { afiOf, type Family, HEADER_BYTES, MESSAGE_TYPE } from '../../../protocols/bgp/message.ts'
import { writeWireAttributes } from '../../../protocols/bgp/wire-attributes.ts'
import type { SessionParameters } from './contract.ts'
import type { PrefixTable } from './prefix-table.ts'

/** Bytes of the longest prefix. */
const LONGEST_NLRI = 17

/** Builds UPDATE messages in one growing buffer: prefixes that share attributes, or are withdrawn, in as few messages as fit. */
export class UpdatePacker {
  #buffer: Uint8Array = new Uint8Array(65536)
  /** Bytes of whole messages so far. */
  length: number = 0
  messages: number = 0
  #session!: SessionParameters
  /** Start of the open message, -1 when none is open. */
  #start = -1
  #multiprotocol = false
  readonly #attributes = new Uint8Array(3 * 65536)
  #attributesLength = 0
  /** Where the lengths are that `#finish` fills in. */
  #mpLengthAt = 0
  #withdraws = false
  #family: Family = 4
  #hop = 0
  #block: Uint8Array = this.#buffer
  #blockOffset = 0

  begin(session: SessionParameters): void {
    this.#session = session
    this.length = this.messages = 0
    this.#start = -1
  }

  /** Announces prefixes with the attributes of a block: then `prefix` for each, then `end`. */
  announce(family: Family, block: Uint8Array, offset: number, length: number): void {
    this.#withdraws = false
    this.#family = family
    this.#hop = block[offset] as number
    this.#block = block
    this.#blockOffset = offset
    // IPv4 with an IPv4 next hop goes the old way: everybody understands it
    this.#multiprotocol = family === 6 || this.#hop !== 4
    const options = { fourOctetAs: this.#session.fourOctetAs, withNextHop: !this.#multiprotocol }
    this.#attributesLength = writeWireAttributes(block, offset, length, options, this.#attributes, 0)
  }

  withdraw(family: Family): void {
    this.#withdraws = true
    this.#family = family
    this.#multiprotocol = family === 6
  }

  prefix(table: PrefixTable, id: number): void {
    // attributes of MP_REACH_NLRI come after the prefixes, so their room is kept
    const behind = this.#multiprotocol && !this.#withdraws ? this.#attributesLength : 0
    if (this.#start >= 0 && this.length + LONGEST_NLRI + behind - this.#start > this.#session.maxMessageBytes) this.end()
    if (this.#start < 0) this.#open()
    this.length = table.write(id, this.#buffer, this.length)
  }

  /** Closes the message in work. */
  end(): void {
    if (this.#start < 0) return
    const out = this.#buffer
    const start = this.#start
    const body = start + HEADER_BYTES
    if (this.#multiprotocol) {
      setU16(out, this.#mpLengthAt, this.length - this.#mpLengthAt - 2)
      if (!this.#withdraws) {
        out.set(this.#attributes.subarray(0, this.#attributesLength), this.length)
        this.length += this.#attributesLength
      }
      setU16(out, body + 2, this.length - body - 4)
    } else if (this.#withdraws) {
      setU16(out, body, this.length - body - 2)
      setU16(out, this.length, 0)
      this.length += 2
    }
    writeHeader(out, start, MESSAGE_TYPE.update, this.length - start)
    this.#start = -1
    this.messages++
  }

  /** Adds a whole message. */
  append(message: Uint8Array): void {
    this.#reserve(message.length)
    this.#buffer.set(message, this.length)
    this.length += message.length
  }

  /** A copy of all messages. */
  take(): Uint8Array {
    return this.#buffer.slice(0, this.length)
  }

  #open(): void {
    this.#reserve(this.#session.maxMessageBytes + LONGEST_NLRI)
    const out = this.#buffer
    this.#start = this.length
    let at = this.length + HEADER_BYTES
    out[at++] = 0
    out[at++] = 0
    if (this.#multiprotocol) {
      at += 2
      out[at++] = FLAG.optional | FLAG.extendedLength
      out[at++] = this.#withdraws ? ATTRIBUTE.mpUnreach : ATTRIBUTE.mpReach
      this.#mpLengthAt = at
      at += 2
      out[at++] = 0
      out[at++] = afiOf(this.#family)
      out[at++] = 1
      if (!this.#withdraws) {
        out[at++] = this.#hop
        for (let i = 1; i <= this.#hop; i++) out[at++] = this.#block[this.#blockOffset + i] as number
        out[at++] = 0
      }
    } else if (!this.#withdraws) {
      setU16(out, at, this.#attributesLength)
      at += 2
      for (let i = 0; i < this.#attributesLength; i++) out[at++] = this.#attributes[i] as number
    }
    this.length = at
  }

  #reserve(bytes: number): void {
    if (this.length + bytes <= this.#buffer.length) return
    const grown = new Uint8Array(2 * Math.max(this.#buffer.length, bytes))
    grown.set(this.#buffer.subarray(0, this.length))
    this.#buffer = grown
  }
}

function setU16(out: Uint8Array, at: number, value: number): void {
  out[at] = value >> 8
  out[at + 1] = value
}
