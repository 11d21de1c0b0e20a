import { type FieldBlock, type FieldName, type FrameOutput, NameKind, fieldName, writeField } from './protocol.ts'
import type { Headers } from '../../contract.ts'

/**
 * Fields of a message that came over HTTP/2: still encoded, read where somebody asks. Changes are kept beside them, so that what nobody changed is copied to the
 * other side byte for byte.
 */
export class Http2Headers implements Headers {
  readonly block: FieldBlock
  /** First field that is no pseudo-header. */
  readonly first: number
  /** Positions of fields that do not count any more. */
  #removed: Set<number> | undefined
  #added: [name: string, value: string][] | undefined

  /** `first`: where the fields begin that are no pseudo-headers. */
  constructor(block: FieldBlock, first: number) {
    this.block = block
    this.first = first
  }

  get sizeBytes(): number {
    return this.block.listBytes - 32 * this.block.count
  }

  get(name: string): string | undefined {
    const { block } = this
    for (let i = block.indexOf(name, this.first); i >= 0; i = block.indexOf(name, i + 1)) {
      if (!this.#removed?.has(i)) return block.value(i)
    }
    return this.#added?.find(([added]) => added === name)?.[1]
  }

  getAll(name: string): readonly string[] {
    const values: string[] = []
    this.forEach((field, value) => {
      if (field === name) values.push(value)
    })
    return values
  }

  has(name: string): boolean {
    return this.get(name) !== undefined
  }

  set(name: string, value: string): void {
    this.remove(name)
    this.append(name, value)
  }

  append(name: string, value: string): void {
    this.#added ??= []
    this.#added.push([name, value])
  }

  remove(name: string): void {
    const { block } = this
    for (let i = block.indexOf(name, this.first); i >= 0; i = block.indexOf(name, i + 1)) (this.#removed ??= new Set()).add(i)
    if (this.#added?.some(([added]) => added === name)) this.#added = this.#added.filter(([added]) => added !== name)
  }

  forEach(visit: (name: string, value: string) => void): void {
    const { block } = this
    for (let i = this.first; i < block.count; i++) if (!this.#removed?.has(i)) visit(block.name(i), block.value(i))
    for (const [name, value] of this.#added ?? []) visit(name, value)
  }

  /** Room that {@link write} needs. */
  get encodedBytes(): number {
    let bytes = this.block.length
    for (const [name, value] of this.#added ?? []) bytes += name.length + value.length + 12
    return bytes
  }

  /** Writes the fields at `at`, which has room for `encodedBytes`; returns the end. `skip`: kinds of names that are left out. */
  write(target: Buffer, at: number, skip: (name: FieldName) => boolean): number {
    const { block, first } = this
    // Copied in runs between the fields that are left out.
    let from = block.starts[first] as number
    for (let i = first; i < block.count; i++) {
      const name = block.names[i] as FieldName
      if (name.kind === NameKind.regular ? !this.#removed?.has(i) : !skip(name) && !this.#removed?.has(i)) continue
      const start = block.starts[i] as number
      at = copyRange(block.bytes, from, start, target, at)
      from = block.starts[i + 1] as number
    }
    at = copyRange(block.bytes, from, block.length, target, at)
    for (const [name, value] of this.#added ?? []) {
      const described = fieldName(name)
      if (!skip(described)) at = writeField(target, at, described, value)
    }
    return at
  }
}

function copyRange(source: Buffer, start: number, end: number, target: Buffer, at: number): number {
  if (end - start > 48) return at + source.copy(target, at, start, end)
  for (let i = start; i < end; i++) target[at++] = source[i] as number
  return at
}

/** Whether a field has no place in HTTP/2: it belongs to an HTTP/1.1 connection, or `:authority` says it. Source: RFC 9113 8.2.2, 8.3.1. */
export function isLeftOut(name: FieldName): boolean {
  return (
    name.kind === NameKind.connection ||
    name.kind === NameKind.host ||
    name.kind === NameKind.invalid ||
    name.kind >= NameKind.unknownPseudo
  )
}

/** Upper bound of what {@link writeHeaders} needs. */
export function encodedBytes(headers: Headers): number {
  if (headers instanceof Http2Headers) return headers.encodedBytes
  let bytes = 0
  headers.forEach((name, value) => (bytes += name.length + value.length + 12))
  return bytes
}

/** Writes the fields of any message for HTTP/2; `te` stays only as `trailers`, and what `connection` names goes. Returns the end. */
export function writeHeaders(target: Buffer, at: number, headers: Headers): number {
  if (headers instanceof Http2Headers) return headers.write(target, at, isLeftOut)
  const connection = headers.get('connection')
  const named =
    connection === undefined
      ? undefined
      : new Set(
          connection
            .toLowerCase()
            .split(',')
            .map((token) => token.trim()),
        )
  headers.forEach((name, value) => {
    const described = fieldName(name)
    if (isLeftOut(described) || named?.has(name) === true) return
    if (described.kind === NameKind.te) {
      if (/(^|,)\s*trailers\s*(,|$)/i.test(value)) at = writeField(target, at, described, 'trailers')
      return
    }
    at = writeField(target, at, described, value)
  })
  return at
}

/** Fields of a message as a block of its own, for trailers. */
export function encodeHeaders(headers: Headers): Buffer {
  const target = Buffer.allocUnsafe(encodedBytes(headers) + 16)
  return target.subarray(0, writeHeaders(target, 0, headers))
}

/** Where HEADERS are written. */
export type Output = FrameOutput
