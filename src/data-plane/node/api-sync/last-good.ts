import { readFile, rename, writeFile } from 'node:fs/promises'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Informer } from '../../../client/cache.ts'

/** Changes are written at most this often, and the longer writing takes, the less often: a list of thousands must cost a hundredth of a core, and of what a disk lasts, at most. */
const WRITE_EVERY_MS = 1_000
const REST_FACTOR = 100
const MAX_REST_MS = 60_000

/**
 * A list that survives: what the informer shows once it is synced, before that what was on disk when the process
 * started. So a node that restarts while the control plane is away still knows its services.
 */
export class LastGoodList<T extends KubeObject> {
  readonly #informer: Informer<T>
  readonly #path: string | undefined
  readonly #clock: Clock
  readonly #log: Logger
  readonly #listeners = new Set<() => void>()
  #loaded: readonly T[] = []
  #timer: Timer | undefined
  #restMs = WRITE_EVERY_MS
  #isDirty = false
  #writing: Promise<void> = Promise.resolve()

  /** @param path absent: nothing is kept */
  constructor(informer: Informer<T>, options: { readonly path?: string; readonly clock: Clock; readonly log: Logger }) {
    this.#informer = informer
    this.#path = options.path
    this.#clock = options.clock
    this.#log = options.log
    const changed = (): void => this.#changed()
    // an empty list makes no handler run
    void informer.whenSynced().then(changed, () => {})
    informer.addHandler({
      add: changed,
      update: (next, previous) => (next.metadata.resourceVersion === previous.metadata.resourceVersion ? undefined : changed()),
      delete: changed,
    })
  }

  /** Reads what an earlier process left. @returns whether there was a copy */
  async load(): Promise<boolean> {
    if (this.#path === undefined) return false
    const text = await readFile(this.#path, 'utf8').catch(() => undefined)
    if (text === undefined) return false
    try {
      this.#loaded = JSON.parse(text) as T[]
      this.#notify()
      return true
    } catch (error) {
      this.#log.warn('last good copy is unreadable and ignored', { path: this.#path, error: messageOf(error) })
      return false
    }
  }

  list(): readonly T[] {
    return this.#informer.synced ? this.#informer.lister.list() : this.#loaded
  }

  /** Called after each change. @returns a function that stops it */
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  /** Waits for a write under way. */
  async settled(): Promise<void> {
    await this.#writing
  }

  /** Writes what has changed now. Resolves when it is on disk, or could not be written. */
  flush(): Promise<void> {
    // a list that is still filling up must not replace a whole one
    if (this.#isDirty && this.#informer.synced) {
      this.#isDirty = false
      this.#writing = this.#writing.then(() => this.#write())
    }
    return this.#writing
  }

  #notify(): void {
    for (const fn of this.#listeners) fn()
  }

  #changed(): void {
    this.#notify()
    if (this.#path === undefined) return
    this.#isDirty = true
    if (this.#timer) return
    this.#timer = this.#clock.after(this.#restMs, () => {
      this.#timer = undefined
      void this.flush()
    })
  }

  async #write(): Promise<void> {
    const path = this.#path as string
    const begin = this.#clock.monotonic()
    try {
      await writeFile(`${path}.tmp`, JSON.stringify(this.#informer.lister.list()), { mode: 0o600 })
      await rename(`${path}.tmp`, path)
    } catch (error) {
      this.#log.warn('last good copy not written', { path, error: messageOf(error) })
    }
    this.#restMs = Math.min(Math.max((this.#clock.monotonic() - begin) * REST_FACTOR, WRITE_EVERY_MS), MAX_REST_MS)
  }
}
