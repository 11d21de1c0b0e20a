import { ATTRIBUTE, ATTRIBUTE_FLAGS, attributeName, FLAG } from './attribute-block.ts'
import { checkAttribute, isUsableNextHop, withoutRepeats } from './attribute-checks.ts'
import { mergedAggregator, mergedAsPath } from './as4-merge.ts'
import { bgpFault, ERROR_CODE, ERROR_SUBCODE } from './faults.ts'
import type { BgpFault, Family, UpdateError, UpdateErrorAction, WireOptions } from './message.ts'
import { familyOf } from './message.ts'
import { countNlri } from './nlri.ts'

/** Longest next hop with its length byte: it is written right before the attributes. */
const NEXT_HOP_ROOM = 33

const OPTIONAL_TRANSITIVE = FLAG.optional | FLAG.transitive
const NO_ERRORS: readonly UpdateError[] = []

/**
 * Reads UPDATE bodies (RFC 4271 4.3, RFC 4760) with the error handling of RFC 7606, without allocating for a well-formed one: ranges of the body,
 * and the attributes in normal form in a buffer of its own. Each `scan` overwrites the result of the one before.
 */
export class UpdateScanner {
  /** Everything announced is to be withdrawn: an attribute was malformed. */
  treatAsWithdraw: boolean = false
  errors: readonly UpdateError[] = NO_ERRORS
  fault: BgpFault | undefined
  /** RFC 7606 "AFI/SAFI disable": no routes of this family may be kept or accepted in this session. */
  disabledFamily: Family | undefined
  endOfRib: Family | undefined

  withdrawnStart: number = 0
  withdrawnEnd: number = 0
  withdrawnCount: number = 0
  announcedStart: number = 0
  announcedEnd: number = 0
  announcedCount: number = 0
  /** 0: no MP_REACH_NLRI of a family in use. */
  reachFamily: Family | 0 = 0
  reachStart: number = 0
  reachEnd: number = 0
  reachCount: number = 0
  unreachFamily: Family | 0 = 0
  unreachStart: number = 0
  unreachEnd: number = 0
  unreachCount: number = 0

  /** Holds the block that `blockFor` made. */
  readonly buffer: Uint8Array = new Uint8Array(NEXT_HOP_ROOM + 2 * 65536)
  blockStart: number = 0
  blockEnd: number = 0

  readonly #type = new Uint8Array(256)
  readonly #flags = new Uint8Array(256)
  readonly #start = new Int32Array(256)
  readonly #end = new Int32Array(256)
  #count = 0
  /** Serial number of the scan that saw a type last: no clearing between scans. */
  readonly #seenIn = new Float64Array(256)
  #serial = 0
  #body: Uint8Array = this.buffer
  #reachNextHop = 0
  #reachNextHopBytes = 0
  #nextHop = -1
  #written = false
  #sawReach = false

  /** Reads a body of at most 65516 bytes. */
  scan(body: Uint8Array, options: WireOptions): this {
    this.#reset(body)
    const withdrawnBytes = body.length < 4 ? Infinity : u16(body, 0)
    const attributesAt = 2 + withdrawnBytes
    const attributesBytes = attributesAt + 2 > body.length ? Infinity : u16(body, attributesAt)
    const attributesEnd = attributesAt + 2 + attributesBytes
    if (attributesEnd > body.length) {
      return this.#fail(ERROR_SUBCODE.update.malformedAttributeList, 'the lengths of the UPDATE do not fit the message (RFC 4271 6.3)')
    }
    this.withdrawnStart = 2
    this.withdrawnEnd = attributesAt
    this.announcedStart = attributesEnd
    this.announcedEnd = body.length
    const addPath = options.addPathReceive.includes(4)
    this.withdrawnCount = countNlri(body, 2, attributesAt, 4, addPath)
    this.announcedCount = countNlri(body, attributesEnd, body.length, 4, addPath)
    if (this.withdrawnCount < 0 || this.announcedCount < 0) {
      return this.#fail(ERROR_SUBCODE.update.networkField, 'a prefix is malformed (RFC 7606 5.3)')
    }
    if (attributesBytes === 0 && this.withdrawnCount === 0 && this.announcedCount === 0) this.endOfRib = 4
    if (attributesBytes > 0) this.#attributes(attributesAt + 2, attributesEnd, options)
    if (!this.fault) this.#conclude(options)
    return this
  }

  /**
   * Puts the attributes into normal form in `buffer[blockStart..blockEnd)`, with the next hop of the given part. For a scan without fault.
   */
  blockFor(part: 'announced' | 'reach', options: WireOptions): void {
    if (!this.#written) this.#writeAttributes(options)
    const from = part === 'announced' ? this.#nextHop : this.#reachNextHop
    const bytes = part === 'announced' ? (from < 0 ? 0 : 4) : this.#reachNextHopBytes
    this.blockStart = NEXT_HOP_ROOM - 1 - bytes
    this.buffer[this.blockStart] = bytes
    for (let i = 0; i < bytes; i++) this.buffer[this.blockStart + 1 + i] = this.#body[from + i] as number
  }

  #reset(body: Uint8Array): void {
    this.treatAsWithdraw = this.#written = this.#sawReach = false
    this.errors = NO_ERRORS
    this.fault = this.disabledFamily = this.endOfRib = undefined
    this.withdrawnCount = this.announcedCount = this.reachCount = this.unreachCount = this.#count = 0
    this.reachFamily = this.unreachFamily = 0
    this.#nextHop = -1
    this.#body = body
    this.#serial++
  }

  #fail(subcode: number, reason: string, data?: Uint8Array): this {
    this.fault = bgpFault(ERROR_CODE.update, subcode, reason, data)
    return this
  }

  #error(action: UpdateErrorAction, type: number, section: string, reason: string): void {
    if (this.errors === NO_ERRORS) this.errors = []
    ;(this.errors as UpdateError[]).push({ action, attribute: attributeName(type), section, reason })
    if (action === 'treat-as-withdraw') this.treatAsWithdraw = true
  }

  #attributes(start: number, end: number, options: WireOptions): void {
    const body = this.#body
    let at = start
    while (at < end && !this.fault) {
      const flags = body[at] as number
      const head = (flags & FLAG.extendedLength) !== 0 ? 4 : 3
      const type = at + 1 < end ? (body[at + 1] as number) : 0
      const size = at + head > end ? Infinity : head === 4 ? u16(body, at + 2) : (body[at + 2] as number)
      if (at + head + size > end) {
        this.#error('treat-as-withdraw', type, 'RFC 7606 4', 'the attribute is longer than the attributes of the message')
        return
      }
      this.#attribute(type, flags, at + head, at + head + size, options)
      at += head + size
    }
  }

  #attribute(type: number, flags: number, start: number, end: number, options: WireOptions): void {
    if (this.#seenIn[type] === this.#serial) {
      if (type === ATTRIBUTE.mpReach || type === ATTRIBUTE.mpUnreach) {
        this.#fail(ERROR_SUBCODE.update.malformedAttributeList, `${attributeName(type)} occurs twice (RFC 7606 3.g)`)
      } else this.#error('attribute-discard', type, 'RFC 7606 3.g', 'the attribute occurs twice; the first counts')
      return
    }
    this.#seenIn[type] = this.#serial
    const known = ATTRIBUTE_FLAGS[type]
    if (known === undefined) return this.#unknown(type, flags, start, end)
    if ((flags & (FLAG.optional | FLAG.transitive)) !== known) {
      this.#error('treat-as-withdraw', type, 'RFC 7606 3.c', `the flags 0x${flags.toString(16)} are not those of the attribute`)
      if (type !== ATTRIBUTE.mpReach && type !== ATTRIBUTE.mpUnreach) return
    }
    if (type === ATTRIBUTE.mpReach) return this.#mpReach(start, end, options)
    if (type === ATTRIBUTE.mpUnreach) return this.#mpUnreach(start, end, options)
    const wrong = checkAttribute(type, this.#body, start, end, options)
    if (wrong) {
      this.#error(wrong.action, type, wrong.section, wrong.reason)
      return
    }
    if (type === ATTRIBUTE.nextHop) this.#nextHop = start
    // only optional transitive attributes can be partial
    else this.#keep(type, known === OPTIONAL_TRANSITIVE ? known | (flags & FLAG.partial) : known, start, end)
  }

  #unknown(type: number, flags: number, start: number, end: number): void {
    if ((flags & FLAG.optional) === 0) {
      const reason = `the well-known attribute ${type} is not recognized (RFC 4271 6.3)`
      const head = (flags & FLAG.extendedLength) !== 0 ? 4 : 3
      this.#fail(ERROR_SUBCODE.update.unrecognizedWellKnown, reason, this.#body.slice(start - head, end))
    } else if ((flags & FLAG.transitive) !== 0) {
      this.#keep(type, OPTIONAL_TRANSITIVE | FLAG.partial, start, end)
    }
  }

  /** Keeps attributes ascending by type, which they usually are already. */
  #keep(type: number, flags: number, start: number, end: number): void {
    let at = this.#count++
    for (; at > 0 && (this.#type[at - 1] as number) > type; at--) {
      this.#type[at] = this.#type[at - 1] as number
      this.#flags[at] = this.#flags[at - 1] as number
      this.#start[at] = this.#start[at - 1] as number
      this.#end[at] = this.#end[at - 1] as number
    }
    this.#type[at] = type
    this.#flags[at] = flags
    this.#start[at] = start
    this.#end[at] = end
  }

  #mpReach(start: number, end: number, options: WireOptions): void {
    this.#sawReach = true
    const body = this.#body
    if (end - start < 5) {
      this.#fail(ERROR_SUBCODE.update.optionalAttribute, 'MP_REACH_NLRI is cut off (RFC 7606 5.3)')
      return
    }
    const family = familyOf(u16(body, start), body[start + 2] as number)
    if (family === undefined || !options.families.includes(family)) return
    const bytes = body[start + 3] as number
    const nlri = start + 4 + bytes + 1
    if (nlri > end || !isNextHopLength(family, bytes, options)) {
      return this.#disable(family, ATTRIBUTE.mpReach, 'RFC 7606 7.11', `a next hop of ${bytes} bytes does not fit the family`)
    }
    const count = countNlri(body, nlri, end, family, options.addPathReceive.includes(family))
    if (count < 0) return this.#disable(family, ATTRIBUTE.mpReach, 'RFC 7606 5.3', 'a prefix is malformed')
    this.reachFamily = family
    this.reachStart = nlri
    this.reachEnd = end
    this.reachCount = count
    // without a global address: BIRD sends none beside the link-local one (RFC 2545 section 3 knows no such case)
    const isLocalOnly = bytes === 32 && isZero(body, start + 4, 16)
    this.#reachNextHop = start + 4 + (isLocalOnly ? 16 : 0)
    this.#reachNextHopBytes = isLocalOnly ? 16 : bytes
    if (!isUsableNextHop(body, this.#reachNextHop, this.#reachNextHopBytes)) {
      this.#error('treat-as-withdraw', ATTRIBUTE.mpReach, 'RFC 4271 6.3', 'the next hop is not an address of a host')
    }
  }

  #mpUnreach(start: number, end: number, options: WireOptions): void {
    const body = this.#body
    if (end - start < 3) {
      this.#fail(ERROR_SUBCODE.update.optionalAttribute, 'MP_UNREACH_NLRI is cut off (RFC 7606 5.3)')
      return
    }
    const family = familyOf(u16(body, start), body[start + 2] as number)
    if (family === undefined || !options.families.includes(family)) return
    const count = countNlri(body, start + 3, end, family, options.addPathReceive.includes(family))
    if (count < 0) return this.#disable(family, ATTRIBUTE.mpUnreach, 'RFC 7606 5.3', 'a prefix is malformed')
    this.unreachFamily = family
    this.unreachStart = start + 3
    this.unreachEnd = end
    this.unreachCount = count
  }

  #disable(family: Family, type: number, section: string, reason: string): void {
    this.#error('disable-family', type, section, reason)
    this.disabledFamily = family
  }

  /** What can only be said after the last attribute: mandatory ones, and attributes without prefixes. */
  #conclude(options: WireOptions): void {
    const { announcedCount, reachCount } = this
    if (announcedCount + reachCount > 0) {
      this.#demand(ATTRIBUTE.origin)
      this.#demand(ATTRIBUTE.asPath)
      if (announcedCount > 0) this.#demand(ATTRIBUTE.nextHop)
    } else if (this.treatAsWithdraw && !this.#sawReach) {
      // without prefixes the mild ways are no help: nobody knows what to withdraw
      const worst = this.errors.find(({ action }) => action === 'treat-as-withdraw') as UpdateError
      const reason = `${worst.attribute}: ${worst.reason}, and no prefix is announced (RFC 7606 5.2)`
      this.#fail(ERROR_SUBCODE.update.malformedAttributeList, reason)
    }
    if (this.unreachFamily !== 0 && this.unreachCount === 0 && this.errors === NO_ERRORS && this.#isBareUnreach()) {
      this.endOfRib = this.unreachFamily
    }
    if (announcedCount > 0 && !options.families.includes(4)) this.announcedCount = this.announcedStart = this.announcedEnd = 0
    if (this.withdrawnCount > 0 && !options.families.includes(4)) this.withdrawnCount = this.withdrawnStart = this.withdrawnEnd = 0
  }

  #isBareUnreach(): boolean {
    return this.#count === 0 && this.reachFamily === 0 && this.announcedCount === 0 && this.withdrawnCount === 0
  }

  #demand(type: number): void {
    if (this.#seenIn[type] !== this.#serial) {
      this.#error('treat-as-withdraw', type, 'RFC 7606 3.d', 'the mandatory attribute is missing')
    }
  }

  #writeAttributes(options: WireOptions): void {
    this.#written = true
    const body = this.#body
    let out = NEXT_HOP_ROOM
    for (let i = 0; i < this.#count; i++) {
      const type = this.#type[i] as number
      const start = this.#start[i] as number
      const end = this.#end[i] as number
      if (type === ATTRIBUTE.as4Path || type === ATTRIBUTE.as4Aggregator) continue
      if (!options.fourOctetAs && type === ATTRIBUTE.asPath) {
        const value = mergedAsPath(body, start, end, this.#range(ATTRIBUTE.as4Path), this.#aggregatorAs())
        out = this.#write(out, FLAG.transitive, type, value, 0, value.length)
      } else if (!options.fourOctetAs && type === ATTRIBUTE.aggregator) {
        const value = mergedAggregator(body, start, this.#range(ATTRIBUTE.as4Aggregator))
        out = this.#write(out, this.#flags[i] as number, type, value, 0, value.length)
      } else if (type === ATTRIBUTE.largeCommunities) {
        const value = withoutRepeats(body, start, end)
        out = this.#write(out, this.#flags[i] as number, type, value, 0, value.length)
      } else out = this.#write(out, this.#flags[i] as number, type, body, start, end)
    }
    this.blockEnd = out
  }

  #range(type: number): Uint8Array | undefined {
    const i = this.#type.subarray(0, this.#count).indexOf(type)
    return i < 0 ? undefined : this.#body.subarray(this.#start[i], this.#end[i])
  }

  #aggregatorAs(): number | undefined {
    const value = this.#range(ATTRIBUTE.aggregator)
    return value && u16(value, 0)
  }

  #write(at: number, flags: number, type: number, from: Uint8Array, start: number, end: number): number {
    const { buffer } = this
    const size = end - start
    buffer[at + 1] = type
    if (size > 255) {
      buffer[at] = flags | FLAG.extendedLength
      buffer[at + 2] = size >> 8
      buffer[at + 3] = size
      at += 4
    } else {
      buffer[at] = flags
      buffer[at + 2] = size
      at += 3
    }
    for (let i = start; i < end; i++) buffer[at++] = from[i] as number
    return at
  }
}

/** RFC 2545 for IPv6, RFC 8950 for IPv4 over IPv6. */
function isNextHopLength(family: Family, bytes: number, options: WireOptions): boolean {
  if (family === 4) return bytes === 4 || ((bytes === 16 || bytes === 32) && options.extendedNextHop)
  return bytes === 16 || bytes === 32
}

function isZero(bytes: Uint8Array, at: number, size: number): boolean {
  for (let i = 0; i < size; i++) if (bytes[at + i] !== 0) return false
  return true
}

function u16(bytes: Uint8Array, at: number): number {
  return ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
}
