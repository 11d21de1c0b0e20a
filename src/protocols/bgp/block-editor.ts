import { ATTRIBUTE, ATTRIBUTE_FLAGS, type AttributeFacts, FLAG, readU32, SEGMENT, writeU32 } from './attribute-block.ts'
import { writeAttribute } from './wire-attributes.ts'

const KEPT = 0
const REMOVED = 1
const REPLACED = 2
/** Longest value of an attribute. */
const MAX_VALUE = 65535
/** Kept free for values of fixed size. */
const SPARE = 1024

/**
 * Makes a changed copy of a block in normal form: `load`, any number of changes, `write`. Changes see those before them. Made once, used many times;
 * nothing is allocated.
 */
export class BlockEditor {
  /** The result: `buffer[0..length)`. */
  readonly buffer: Uint8Array = new Uint8Array(4 * 65536)
  length: number = 0
  /** The changes made something longer than an attribute can be; `write` gives nonsense. */
  overflow: boolean = false

  #facts!: AttributeFacts
  readonly #state = new Uint8Array(256)
  /** Changed types, ascending; few, so that `load` clears only those. */
  readonly #touched = new Uint8Array(256)
  #touches = 0
  readonly #start = new Int32Array(256)
  readonly #end = new Int32Array(256)
  /** New values, one after the other. */
  readonly #values = new Uint8Array(8 * 65536)
  #used = 0
  readonly #nextHop = new Uint8Array(32)
  #nextHopLength = 0

  load(facts: AttributeFacts): this {
    this.#facts = facts
    for (let i = 0; i < this.#touches; i++) this.#state[this.#touched[i] as number] = KEPT
    this.#touches = 0
    this.#used = 0
    this.overflow = false
    this.#nextHopLength = facts.nextHopLength
    for (let i = 0; i < facts.nextHopLength; i++) this.#nextHop[i] = facts.bytes[facts.nextHopOffset + i] as number
    return this
  }

  /** 4 or 16 bytes, or 16 and 16. */
  setNextHop(address: Uint8Array, linkLocal?: Uint8Array): this {
    this.#nextHop.set(address)
    if (linkLocal) this.#nextHop.set(linkLocal, 16)
    this.#nextHopLength = address.length + (linkLocal?.length ?? 0)
    return this
  }

  remove(type: number): this {
    this.#mark(type, REMOVED)
    return this
  }

  putU32(type: number, value: number): this {
    writeU32(this.#values, this.#used, value)
    return this.#put(type, 4)
  }

  putU8(type: number, value: number): this {
    this.#values[this.#used] = value
    return this.#put(type, 1)
  }

  /** Empty values remove the attribute. */
  put(type: number, value: Uint8Array): this {
    if (value.length === 0) return this.remove(type)
    if (!this.#hasRoom(value.length)) return this
    this.#values.set(value, this.#used)
    return this.#put(type, value.length)
  }

  /** Current value of one of the attributes in a list, for changes that build on it. */
  valueOf(type: number): Uint8Array {
    if (this.#state[type] === REPLACED) return this.#values.subarray(this.#start[type], this.#end[type])
    if (this.#state[type] === REMOVED) return this.#values.subarray(0, 0)
    const facts = this.#facts
    const at = findAttribute(facts, type)
    return at < 0 ? facts.bytes.subarray(0, 0) : facts.bytes.subarray(at, at + attributeSize(facts, at))
  }

  /** Puts an AS before the path `count` times, into its first sequence while that holds less than 255 numbers. */
  prepend(as: number, count: number): this {
    const replaced = this.#state[ATTRIBUTE.asPath] === REPLACED
    const from = replaced ? this.#values : this.#facts.bytes
    let start = replaced ? (this.#start[ATTRIBUTE.asPath] as number) : this.#facts.asPathOffset
    const end = replaced ? (this.#end[ATTRIBUTE.asPath] as number) : start + this.#facts.asPathBytes
    const values = this.#values
    let at = this.#used
    if (!this.#hasRoom(end - start + 2 + 4 * count)) return this
    const first = start < end && from[start] === SEGMENT.sequence ? (from[start + 1] as number) : 0
    const joined = first > 0 && first + count <= 255
    values[at++] = SEGMENT.sequence
    values[at++] = joined ? first + count : count
    for (let i = 0; i < count; i++, at += 4) writeU32(values, at, as)
    if (joined) start += 2
    while (start < end) values[at++] = from[start++] as number
    return this.#put(ATTRIBUTE.asPath, at - this.#used)
  }

  /** Puts a number before a list of them, such as a CLUSTER_LIST. */
  prependU32(type: number, value: number): this {
    const before = this.valueOf(type)
    const at = this.#used
    if (!this.#hasRoom(before.length + 4)) return this
    // copied first: the value may lie where the number goes
    this.#values.set(before, at + 4)
    writeU32(this.#values, at, value)
    return this.#put(type, 4 + before.length)
  }

  /** Adds communities that are not there yet; `size` is 4 or 12. */
  addCommunities(type: number, added: Uint8Array, size: 4 | 12): this {
    const before = this.valueOf(type)
    const start = this.#used
    if (!this.#hasRoom(before.length + added.length)) return this
    this.#values.set(before, start)
    let at = start + before.length
    for (let i = 0; i < added.length; i += size) {
      let there = false
      for (let j = start; j < at && !there; j += size) there = sameWords(this.#values, j, added, i, size)
      if (there) continue
      this.#values.set(added.subarray(i, i + size), at)
      at += size
    }
    return at === start ? this : this.#put(type, at - start)
  }

  /** Takes out the communities that `fits`. */
  removeCommunities(type: number, size: 4 | 12, fits: (bytes: Uint8Array, at: number) => boolean): this {
    const before = this.valueOf(type)
    const start = this.#used
    if (!this.#hasRoom(before.length)) return this
    let at = start
    for (let i = 0; i < before.length; i += size) {
      if (fits(before, i)) continue
      this.#values.set(before.subarray(i, i + size), at)
      at += size
    }
    return at === start ? this.remove(type) : this.#put(type, at - start)
  }

  /** Writes the changed block to `buffer`. */
  write(): this {
    const { bytes, attributesOffset, end } = this.#facts
    const out = this.buffer
    out[0] = this.#nextHopLength
    for (let i = 0; i < this.#nextHopLength; i++) out[1 + i] = this.#nextHop[i] as number
    let at = 1 + this.#nextHopLength
    let change = 0
    let from = attributesOffset
    while (from < end || change < this.#touches) {
      const type = from < end ? (bytes[from + 1] as number) : 256
      const changed = change < this.#touches ? (this.#touched[change] as number) : 256
      if (changed <= type) {
        if (this.#state[changed] === REPLACED) {
          const flags = (ATTRIBUTE_FLAGS[changed] as number) | (changed === type ? (bytes[from] as number) & FLAG.partial : 0)
          at = writeAttribute(out, at, flags, changed, this.#values, this.#start[changed] as number, this.#end[changed] as number)
        }
        change++
        if (changed < type) continue
        from = behind(bytes, from)
        continue
      }
      const next = behind(bytes, from)
      while (from < next) out[at++] = bytes[from++] as number
    }
    this.length = at
    return this
  }

  #hasRoom(size: number): boolean {
    if (size > MAX_VALUE || this.#used + size + SPARE > this.#values.length) this.overflow = true
    return !this.overflow
  }

  #put(type: number, size: number): this {
    this.#start[type] = this.#used
    this.#used += size
    this.#end[type] = this.#used
    this.#mark(type, REPLACED)
    return this
  }

  #mark(type: number, state: number): void {
    const isNew = this.#state[type] === KEPT
    this.#state[type] = state
    if (!isNew) return
    let at = this.#touches++
    for (; at > 0 && (this.#touched[at - 1] as number) > type; at--) this.#touched[at] = this.#touched[at - 1] as number
    this.#touched[at] = type
  }
}

function behind(bytes: Uint8Array, at: number): number {
  const wide = ((bytes[at] as number) & FLAG.extendedLength) !== 0
  return wide ? at + 4 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number)) : at + 3 + (bytes[at + 2] as number)
}

/** Offset of the value of an attribute, or -1. */
function findAttribute({ bytes, attributesOffset, end }: AttributeFacts, type: number): number {
  for (let at = attributesOffset; at < end; at = behind(bytes, at)) {
    if (bytes[at + 1] === type) return ((bytes[at] as number) & FLAG.extendedLength) !== 0 ? at + 4 : at + 3
  }
  return -1
}

function attributeSize({ bytes, attributesOffset, end }: AttributeFacts, value: number): number {
  for (let at = attributesOffset; at < end;) {
    const next = behind(bytes, at)
    if (value < next) return next - value
    at = next
  }
  return 0
}

function sameWords(a: Uint8Array, i: number, b: Uint8Array, j: number, size: number): boolean {
  for (let at = 0; at < size; at += 4) if (readU32(a, i + at) !== readU32(b, j + at)) return false
  return true
}
