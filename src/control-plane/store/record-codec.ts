import { Buffer } from 'node:buffer'
import { crc32 } from 'node:zlib'
import type { RecordId, StoredRecord, StoreMeta } from './backend.ts'
import { StoreError } from './contract.ts'
import type { Version } from './version.ts'

/**
 * How things lie in the one LMDB database. All numbers are big-endian; every value begins with the CRC-32 of its key
 * and the rest of it, so that neither a flipped bit nor a record under a wrong key goes unnoticed.
 *
 *   key    0x00                                  meta    crc32, JSON
 *          0x01, u64 lease id                    lease   crc32, u64 TTL in seconds
 *          0x02, u64 revision, u32 index         record  crc32, u64 createRevision, u64 version (0: tombstone),
 *                                                        u64 lease id, u16 key length, key (UTF-8), value
 *
 * Records sort last, so that they can be appended.
 */
export const FORMAT_VERSION = 1

export const META_KEY: Buffer = Buffer.from([0])
export const FIRST_LEASE_KEY: Buffer = Buffer.from([1])
export const FIRST_RECORD_KEY: Buffer = Buffer.from([2])
export const END_KEY: Buffer = Buffer.from([3])

const CRC_BYTES = 4
const HEADER_BYTES = CRC_BYTES + 8 + 8 + 8 + 2

export function encodeRecordKey(id: RecordId): Buffer {
  const key = Buffer.allocUnsafe(13)
  key[0] = 2
  writeU64(key, id.modRevision, 1)
  key.writeUInt32BE(id.index, 9)
  return key
}

export function encodeLeaseKey(id: number): Buffer {
  const key = Buffer.allocUnsafe(9)
  key[0] = 1
  writeU64(key, id, 1)
  return key
}

export function encodeRecord(version: Version, recordKey: Uint8Array): Buffer {
  const { key } = version.entry
  const { value } = version
  const keyBytes = Buffer.byteLength(key)
  const bytes = Buffer.allocUnsafe(HEADER_BYTES + keyBytes + (value?.length ?? 0))
  writeU64(bytes, version.createRevision, 4)
  writeU64(bytes, version.version, 12)
  writeU64(bytes, version.leaseId, 20)
  bytes.writeUInt16BE(keyBytes, 28)
  bytes.write(key, HEADER_BYTES, 'utf8')
  if (value) bytes.set(value, HEADER_BYTES + keyBytes)
  return seal(bytes, recordKey)
}

/** @throws StoreError `Corrupt` */
export function decodeRecord(bytes: Uint8Array, recordKey: Uint8Array): StoredRecord {
  const record = asBuffer(bytes)
  const id = asBuffer(recordKey)
  if (recordKey.length !== 13) throw corrupt(recordKey, 'its name has a wrong length')
  check(record, recordKey, HEADER_BYTES)
  const keyEnd = HEADER_BYTES + record.readUInt16BE(28)
  if (keyEnd > record.length) throw corrupt(recordKey, 'its key does not fit')
  return {
    modRevision: readU64(id, 1),
    index: id.readUInt32BE(9),
    createRevision: readU64(record, 4),
    version: readU64(record, 12),
    leaseId: readU64(record, 20),
    key: record.toString('utf8', HEADER_BYTES, keyEnd),
  }
}

/** A copy of the value in a record. @throws StoreError `Corrupt` */
export function decodeValue(bytes: Uint8Array, recordKey: Uint8Array): Uint8Array {
  const record = asBuffer(bytes)
  check(record, recordKey, HEADER_BYTES)
  const start = HEADER_BYTES + record.readUInt16BE(28)
  return Buffer.from(record.subarray(start))
}

export function encodeLease(ttlSeconds: number, leaseKey: Uint8Array): Buffer {
  const bytes = Buffer.allocUnsafe(CRC_BYTES + 8)
  writeU64(bytes, ttlSeconds, CRC_BYTES)
  return seal(bytes, leaseKey)
}

/** @throws StoreError `Corrupt` */
export function decodeLease(bytes: Uint8Array, leaseKey: Uint8Array): { readonly id: number; readonly ttlSeconds: number } {
  const lease = asBuffer(bytes)
  check(lease, leaseKey, CRC_BYTES + 8)
  return { id: readU64(asBuffer(leaseKey), 1), ttlSeconds: readU64(lease, CRC_BYTES) }
}

export function encodeMeta(meta: StoreMeta): Buffer {
  const json = Buffer.from(JSON.stringify({ formatVersion: FORMAT_VERSION, ...meta }))
  return seal(Buffer.concat([Buffer.alloc(CRC_BYTES), json]), META_KEY)
}

/** @throws StoreError `Corrupt`, also for a format that this version does not know */
export function decodeMeta(bytes: Uint8Array): StoreMeta {
  const meta = asBuffer(bytes)
  check(meta, META_KEY, CRC_BYTES)
  const { formatVersion, clusterId, lastRevision, compactRevision } = JSON.parse(meta.toString('utf8', CRC_BYTES)) as StoreMeta & {
    formatVersion: number
  }
  if (formatVersion !== FORMAT_VERSION)
    throw new StoreError('Corrupt', `store format ${formatVersion}: this program reads format ${FORMAT_VERSION}, use the one that wrote it`)
  return { clusterId, lastRevision, compactRevision }
}

function seal(bytes: Buffer, key: Uint8Array): Buffer {
  bytes.writeUInt32BE(crc32(bytes.subarray(CRC_BYTES), crc32(key)), 0)
  return bytes
}

function check(bytes: Buffer, key: Uint8Array, leastBytes: number): void {
  if (bytes.length < leastBytes) throw corrupt(key, `it has ${bytes.length} bytes`)
  if (crc32(bytes.subarray(CRC_BYTES), crc32(key)) !== bytes.readUInt32BE(0)) throw corrupt(key, 'its checksum does not match')
}

export function corrupt(key: Uint8Array, why: string): StoreError {
  return new StoreError('Corrupt', `record ${Buffer.from(key).toString('hex')}: ${why}; restore the data directory from a backup`)
}

const asBuffer = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)

function writeU64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  bytes.writeUInt32BE(value >>> 0, offset + 4)
}

/** Exact: nothing above 2^53 - 1 is ever written. */
function readU64(bytes: Buffer, offset: number): number {
  return bytes.readUInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4)
}
