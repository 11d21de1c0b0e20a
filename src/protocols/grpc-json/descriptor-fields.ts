import { readFields, type WireField } from '../protobuf/index.ts'
import { GrpcJsonError } from './error.ts'

/** Of one field, in the order of the bytes. */
export type Values = WireField['value'][]

/** Values of a message by the numbers of their fields. */
export function fieldsOf(bytes: WireField['value']): Map<number, Values> {
  const fields = new Map<number, Values>()
  if (!(bytes instanceof Uint8Array)) throw new GrpcJsonError('a message of the descriptors is a number')
  for (const { number, value } of readFields(bytes)) {
    const known = fields.get(number)
    if (known) known.push(value)
    else fields.set(number, [value])
  }
  return fields
}

export function textOf(fields: ReadonlyMap<number, Values>, number: number): string {
  const value = fields.get(number)?.at(-1)
  return value instanceof Uint8Array ? Buffer.from(value).toString() : ''
}

/** 32 bits. */
export function numberOf(fields: ReadonlyMap<number, Values>, number: number): number | undefined {
  const value = fields.get(number)?.at(-1)
  return typeof value === 'bigint' ? Number(BigInt.asIntN(32, value)) : undefined
}
