/** Arrays of numbers that grow by doubling: the storage of a RIB, where one object per route would cost ten times the memory. */

export function grownInt32(column: Int32Array, capacity: number, fill: number = 0): Int32Array {
  const out = new Int32Array(capacity)
  out.set(column)
  if (fill !== 0) out.fill(fill, column.length)
  return out
}

export function grownUint32(column: Uint32Array, capacity: number): Uint32Array {
  const out = new Uint32Array(capacity)
  out.set(column)
  return out
}

export function grownUint16(column: Uint16Array, capacity: number): Uint16Array {
  const out = new Uint16Array(capacity)
  out.set(column)
  return out
}

export function grownUint8(column: Uint8Array, capacity: number): Uint8Array {
  const out = new Uint8Array(capacity)
  out.set(column)
  return out
}

/** A stack of numbers. */
export class IntStack {
  #items: Int32Array = new Int32Array(16)
  length: number = 0

  push(value: number): void {
    if (this.length === this.#items.length) this.#items = grownInt32(this.#items, 2 * this.length)
    this.#items[this.length++] = value
  }

  /** -1 when empty. */
  pop(): number {
    return this.length === 0 ? -1 : (this.#items[--this.length] as number)
  }

  get bytes(): number {
    return this.#items.byteLength
  }
}
