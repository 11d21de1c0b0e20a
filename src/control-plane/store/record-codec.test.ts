import { Buffer } from 'node:buffer'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { StoreError } from './contract.ts'
import {
  decodeLease,
  decodeMeta,
  decodeRecord,
  decodeValue,
  encodeLease,
  encodeLeaseKey,
  encodeMeta,
  encodeRecord,
  encodeRecordKey,
} from './record-codec.ts'
import { KeyEntry, Version } from './version.ts'

const revision = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER })
const version = fc.record({
  key: fc.string({ unit: 'grapheme', minLength: 1 }),
  modRevision: revision,
  index: fc.nat(),
  createRevision: revision,
  version: fc.oneof(fc.constant(0), revision),
  leaseId: fc.nat(),
  value: fc.uint8Array(),
})

const makeVersion = (fields: { key: string; value: Uint8Array } & ConstructorParameters<typeof Version>[1]): Version =>
  new Version(new KeyEntry(fields.key), fields, fields.value)

const isCorrupt = (read: () => unknown): boolean => {
  try {
    read()
    return false
  } catch (error) {
    return error instanceof StoreError && error.code === 'Corrupt'
  }
}

describe('records', () => {
  it('come back as they were written', () => {
    const property = fc.property(version, (fields) => {
      const key = encodeRecordKey(fields)
      const bytes = encodeRecord(makeVersion(fields), key)
      const { value, ...rest } = fields
      expect(decodeRecord(bytes, key)).toEqual(rest)
      expect(Buffer.compare(decodeValue(bytes, key), value)).toBe(0)
    })
    fc.assert(property)
  })

  it('sort by revision, then by position in the transaction', () => {
    const property = fc.property(fc.array(fc.record({ modRevision: revision, index: fc.nat() }), { maxLength: 20 }), (ids) => {
      const sorted = [...ids].sort((a, b) => a.modRevision - b.modRevision || a.index - b.index)
      expect(ids.map(encodeRecordKey).sort((a, b) => Buffer.compare(a, b))).toEqual(sorted.map(encodeRecordKey))
    })
    fc.assert(property)
  })

  it('are refused when any bit has changed, when cut short, and under another name', () => {
    const property = fc.property(version, fc.nat(), fc.nat(7), (fields, at, bit) => {
      const key = encodeRecordKey(fields)
      const bytes = encodeRecord(makeVersion(fields), key)
      const flipped = Buffer.from(bytes)
      flipped[at % bytes.length]! ^= 1 << bit
      expect(isCorrupt(() => decodeRecord(flipped, key))).toBe(true)
      expect(isCorrupt(() => decodeValue(flipped, key))).toBe(true)
      expect(isCorrupt(() => decodeRecord(bytes.subarray(0, at % bytes.length), key))).toBe(true)
      const elsewhere = encodeRecordKey({ ...fields, index: fields.index + 1 })
      expect(isCorrupt(() => decodeRecord(bytes, elsewhere))).toBe(true)
    })
    fc.assert(property)
  })
})

describe('leases and meta', () => {
  it('come back as they were written', () => {
    const key = encodeLeaseKey(2 ** 47 + 5)
    expect(decodeLease(encodeLease(9_000_000_000, key), key)).toEqual({ id: 2 ** 47 + 5, ttlSeconds: 9_000_000_000 })
    const meta = { clusterId: '0123456789abcdef', lastRevision: 2 ** 52, compactRevision: 7 }
    expect(decodeMeta(encodeMeta(meta))).toEqual(meta)
  })

  it('are refused when a bit has changed', () => {
    const key = encodeLeaseKey(5)
    const lease = encodeLease(60, key)
    lease[7]! ^= 1
    expect(isCorrupt(() => decodeLease(lease, key))).toBe(true)
    const meta = encodeMeta({ clusterId: 'x', lastRevision: 1, compactRevision: 0 })
    meta[20]! ^= 1
    expect(isCorrupt(() => decodeMeta(meta))).toBe(true)
  })
})
