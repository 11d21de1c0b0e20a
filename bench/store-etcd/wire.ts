import { Buffer } from 'node:buffer'

/**
 * The few messages of etcd's v3 API (etcdserverpb, mvccpb) that a compare-and-swap needs, by hand: field numbers are those of
 * api/etcdserverpb/rpc.proto and api/mvccpb/kv.proto. Numbers are exact up to 2^53.
 */
export interface CasRequest {
  readonly key: string
  readonly modRevision: number
  readonly value: Uint8Array
}

export interface CasResponse {
  readonly succeeded: boolean
  readonly revision: number
}

/** TxnRequest: if mod(key) = modRevision then put(key, value) else get(key). */
export function encodeTxn({ key, modRevision, value }: CasRequest): Buffer {
  const keyBytes = Buffer.from(key)
  const MOD = 2
  const compare = [varintField(2, MOD), bytesField(3, keyBytes), varintField(6, modRevision)]
  const put = bytesField(2, Buffer.concat([bytesField(1, keyBytes), bytesField(2, value)]))
  const range = bytesField(1, bytesField(1, keyBytes))
  return Buffer.concat([bytesField(1, Buffer.concat(compare)), bytesField(2, put), bytesField(3, range)])
}

export function decodeTxn(bytes: Buffer): CasRequest {
  let request: CasRequest = { key: '', modRevision: 0, value: Buffer.alloc(0) }
  readFields(bytes, (field, value) => {
    if (field === 1) readFields(value as Buffer, (inner, v) => void (inner === 6 && (request = { ...request, modRevision: v as number })))
    if (field !== 2) return
    readFields(value as Buffer, (_, put) => {
      readFields(put as Buffer, (inner, v) => {
        request = inner === 1 ? { ...request, key: (v as Buffer).toString() } : { ...request, value: v as Buffer }
      })
    })
  })
  return request
}

/** TxnResponse with header.revision and succeeded; the response operations stay empty. */
export function encodeTxnResponse({ succeeded, revision }: CasResponse): Buffer {
  return Buffer.concat([bytesField(1, varintField(3, revision)), varintField(2, succeeded ? 1 : 0)])
}

export function decodeTxnResponse(bytes: Buffer): CasResponse {
  let succeeded = false
  let revision = 0
  readFields(bytes, (field, value) => {
    if (field === 2) succeeded = value === 1
    if (field === 1) readFields(value as Buffer, (inner, v) => void (inner === 3 && (revision = v as number)))
  })
  return { succeeded, revision }
}

/** A message with the length prefix of gRPC. */
export function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(5)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

export function unframe(bytes: Buffer): Buffer {
  return bytes.subarray(5, 5 + bytes.readUInt32BE(1))
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest])
    bytes.push((rest % 128) + 128)
  }
}

function varintField(field: number, value: number): Buffer {
  return Buffer.concat([varint(field * 8), varint(value)])
}

function bytesField(field: number, value: Uint8Array): Buffer {
  return Buffer.concat([varint(field * 8 + 2), varint(value.length), value])
}

function readFields(bytes: Buffer, visit: (field: number, value: Buffer | number) => void): void {
  let at = 0
  const number = (): number => {
    let value = 0
    for (let factor = 1; ; factor *= 128) {
      const byte = bytes[at++] as number
      value += (byte & 127) * factor
      if (byte < 128) return value
    }
  }
  while (at < bytes.length) {
    const tag = number()
    if (tag % 8 === 0) visit(Math.floor(tag / 8), number())
    else {
      const length = number()
      visit(Math.floor(tag / 8), bytes.subarray(at, at + length))
      at += length
    }
  }
}
