import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import { isStatus } from '../../../base/errors.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Client } from '../../../client/client.ts'

/** How long an object is used before it is asked for again. Upstream's kubelet refreshes at its sync period of about a minute. */
const FRESH_MS = 10_000
const TIMEOUT_MS = 5_000
/** Objects remembered; those asked for longest ago go first. */
const MAX_ENTRIES = 2_000

interface Entry {
  readonly object: KubeObject
  readonly atMs: number
}

/**
 * Reads single objects (ConfigMaps, Secrets, service accounts) that pods refer to. While the API server is away the last
 * good copy answers, from memory or from disk, so that a pod can restart without it.
 */
export class ObjectCache {
  readonly #client: Client
  readonly #clock: Clock
  readonly #dir: string | undefined
  readonly #entries = new Map<string, Entry>()
  readonly #asking = new Map<string, Promise<KubeObject | undefined>>()

  /** @param dir where copies are kept (0700, files 0600); absent: memory only */
  constructor(options: { readonly client: Client; readonly clock: Clock; readonly dir?: string }) {
    this.#client = options.client
    this.#clock = options.clock
    this.#dir = options.dir
  }

  /** The object, or undefined when it does not exist. @throws when it was never seen and cannot be asked for */
  async get<T extends KubeObject>(kind: KindDefinition<T>, namespace: string, name: string): Promise<T | undefined> {
    const key = `${kind.plural}_${namespace}_${name}`
    const entry = this.#entries.get(key)
    if (entry && this.#clock.monotonic() - entry.atMs < FRESH_MS) return entry.object as T | undefined
    const asking = this.#asking.get(key) ?? this.#ask(kind, namespace, name).finally(() => this.#asking.delete(key))
    this.#asking.set(key, asking)
    return (await asking) as T | undefined
  }

  async #ask<T extends KubeObject>(kind: KindDefinition<T>, namespace: string, name: string): Promise<KubeObject | undefined> {
    const key = `${kind.plural}_${namespace}_${name}`
    const known = this.#entries.get(key)?.object
    try {
      const object = await this.#client.of(kind).get(name, { namespace, signal: AbortSignal.timeout(TIMEOUT_MS) })
      this.#remember(key, object)
      if (known?.metadata.resourceVersion !== object.metadata.resourceVersion) await this.#save(key, object)
      return object
    } catch (error) {
      if (isStatus(error, 'NotFound')) {
        // not remembered: a pod that waits for it must find it at once
        this.#entries.delete(key)
        if (this.#dir !== undefined) await rm(join(this.#dir, `${key}.json`), { force: true })
        return undefined
      }
      const copy = known ?? (await this.#load(key))
      if (copy) return copy
      throw error
    }
  }

  #remember(key: string, object: KubeObject): void {
    this.#entries.delete(key)
    this.#entries.set(key, { object, atMs: this.#clock.monotonic() })
    const oldest = this.#entries.size > MAX_ENTRIES ? this.#entries.keys().next().value : undefined
    if (oldest !== undefined) this.#entries.delete(oldest)
  }

  async #save(key: string, object: KubeObject): Promise<void> {
    if (this.#dir === undefined) return
    await mkdir(this.#dir, { recursive: true, mode: 0o700 })
    const path = join(this.#dir, `${key}.json`)
    await writeFile(`${path}.tmp`, JSON.stringify(object), { mode: 0o600 })
    await rename(`${path}.tmp`, path)
  }

  async #load(key: string): Promise<KubeObject | undefined> {
    if (this.#dir === undefined) return undefined
    try {
      return JSON.parse(await readFile(join(this.#dir, `${key}.json`), 'utf8')) as KubeObject
    } catch {
      // absent, or cut short by a power failure: as good as never seen
      return undefined
    }
  }
}
