import type { KeyValue } from './contract.ts'

/** A key and the newest committed thing that happened to it. Lives until its last tombstone is compacted. */
export class KeyEntry {
  readonly key: string
  newest: Version | undefined = undefined

  constructor(key: string) {
    this.key = key
  }
}

/**
 * What one revision did to one key. Revisions are plain numbers inside the store, exact up to 2^53 - 1, which the
 * loader and the pipeline check; `bigint` begins at the contract. One object per stored record, so: few fields, no closures.
 */
export class Version {
  readonly entry: KeyEntry
  readonly modRevision: number
  /** Position inside its transaction; (modRevision, index) names the record on disk. */
  readonly index: number
  readonly createRevision: number
  /** 0: a tombstone. */
  readonly version: number
  readonly leaseId: number
  /** Absent once it is durable in a backend that reads values back. */
  value: Uint8Array | undefined
  /** The version before, absent when there was none or when it has been compacted. */
  previous: Version | undefined = undefined

  constructor(entry: KeyEntry, fields: VersionFields, value?: Uint8Array) {
    this.entry = entry
    this.modRevision = fields.modRevision
    this.index = fields.index
    this.createRevision = fields.createRevision
    this.version = fields.version
    this.leaseId = fields.leaseId
    this.value = value
  }

  get isTombstone(): boolean {
    return this.version === 0
  }
}

export interface VersionFields {
  readonly modRevision: number
  readonly index: number
  readonly createRevision: number
  readonly version: number
  readonly leaseId: number
}

/** The version of `entry` that a reader at `revision` sees; absent when there is none or it is deleted. */
export function versionAt(entry: KeyEntry, revision: number): Version | undefined {
  let version = entry.newest
  while (version && version.modRevision > revision) version = version.previous
  return version?.isTombstone ? undefined : version
}

/** The newest version unless it is a tombstone. */
export function live(version: Version | undefined): Version | undefined {
  return version?.isTombstone ? undefined : version
}

export function toKeyValue(version: Version, value: Uint8Array): KeyValue {
  return {
    key: version.entry.key,
    value,
    createRevision: BigInt(version.createRevision),
    modRevision: BigInt(version.modRevision),
    version: version.version,
    leaseId: BigInt(version.leaseId),
  }
}
