import { createHash } from 'node:crypto'
import { deltaEntry, sotwEntry } from '../../../protocols/discovery/index.ts'
import type { EncodedResource, GeneratedResource } from './contract.ts'

/** 96 bits: with a million versions the chance of two alike is below 1e-17. */
const VERSION_CHARACTERS = 16

/** Short hash of what is sent. */
export function versionOf(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('base64url').slice(0, VERSION_CHARACTERS)
}

/** Encodes a resource once, for all streams of both protocols. The entries are made when the first stream wants them. */
export function encodeResource(generated: GeneratedResource, version: string = versionOf(generated.bytes)): EncodedResource {
  return new SharedResource(generated, version)
}

class SharedResource implements EncodedResource {
  readonly name: string
  readonly version: string
  readonly bytes: Buffer
  readonly origins: EncodedResource['origins']
  readonly again?: NonNullable<EncodedResource['again']>
  readonly #typeUrl: string
  #sotw: Buffer | undefined
  #delta: Buffer | undefined

  constructor({ typeUrl, name, bytes, origins, again }: GeneratedResource, version: string) {
    this.#typeUrl = typeUrl
    this.name = name
    this.version = version
    this.bytes = bytes
    this.origins = origins
    if (again) this.again = again
  }

  get sotw(): Buffer {
    return (this.#sotw ??= sotwEntry(this.#typeUrl, this.bytes))
  }

  get delta(): Buffer {
    return (this.#delta ??= deltaEntry({ name: this.name, version: this.version, typeUrl: this.#typeUrl, value: this.bytes }))
  }
}
