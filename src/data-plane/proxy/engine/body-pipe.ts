import type { BodyTransform } from '../contract.ts'

/** What is done to a body on its way, and what is kept of it. */
export class BodyPipe {
  #transforms: BodyTransform[] | undefined
  #observers: ((chunk: Uint8Array, ended: boolean) => void)[] | undefined

  get isChanged(): boolean {
    return this.#transforms !== undefined
  }

  transform(transform: BodyTransform): void {
    ;(this.#transforms ??= []).push(transform)
  }

  observe(observer: (chunk: Uint8Array, ended: boolean) => void): void {
    ;(this.#observers ??= []).push(observer)
  }

  /** @returns the bytes to send: the very same where nothing changes them */
  pass(buffer: Buffer, start: number, end: number): Buffer | undefined {
    if (this.#observers) {
      const chunk = buffer.subarray(start, end)
      for (const observe of this.#observers) observe(chunk, false)
    }
    if (!this.#transforms) return undefined
    let bytes: Uint8Array = buffer.subarray(start, end)
    for (const transform of this.#transforms) bytes = transform.write(bytes) ?? EMPTY
    return asBuffer(bytes)
  }

  /** @returns what was kept back to the end */
  finish(): Buffer {
    for (const observe of this.#observers ?? []) observe(EMPTY, true)
    let bytes: Uint8Array = EMPTY
    for (const transform of this.#transforms ?? []) {
      const passed = bytes.length > 0 ? (transform.write(bytes) ?? EMPTY) : EMPTY
      const last = transform.end() ?? EMPTY
      bytes = passed.length === 0 ? last : last.length === 0 ? passed : Buffer.concat([passed, last])
    }
    return asBuffer(bytes)
  }
}

const EMPTY = Buffer.alloc(0)
const asBuffer = (bytes: Uint8Array): Buffer => (Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length))
