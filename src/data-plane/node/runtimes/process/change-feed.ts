import { type FSWatcher, readdirSync, rmSync, watch } from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../../../../base/errors.ts'
import type { Logger } from '../../../../base/log.ts'
import { type ContainerKey, parseMarker } from './layout.ts'

/**
 * Hears from shims that something happened to their container. All of them mark one directory, so that one inotify watch serves all pods and
 * output of the containers never wakes the agent. Hints only: the containers' files are the truth.
 */
export class ChangeFeed {
  readonly #dir: string
  readonly #log: Logger
  readonly #onChange: (key: ContainerKey) => void
  #watcher: FSWatcher | undefined

  constructor(dir: string, options: { readonly log: Logger; readonly onChange: (key: ContainerKey) => void }) {
    this.#dir = dir
    this.#log = options.log
    this.#onChange = options.onChange
  }

  /** False when there is no watch: then only looking again and again tells. */
  get isOpen(): boolean {
    return this.#watcher !== undefined
  }

  open(): void {
    const failed = (error: unknown): void => {
      this.close()
      this.#log.warn('cannot watch for changes of containers, polling instead', { dir: this.#dir, error: messageOf(error) })
    }
    try {
      this.#watcher = watch(this.#dir, { persistent: false }, (_type, file) => {
        if (file !== null) this.#take(file)
      })
      this.#watcher.on('error', failed)
    } catch (error) {
      failed(error)
    }
    // marks made before the watch
    for (const file of readdirSync(this.#dir)) this.#take(file)
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }

  #take(file: string): void {
    const key = parseMarker(file)
    if (!key) return
    // removed first: what is marked after this is heard of again. The event of this removal finds nothing new
    rmSync(join(this.#dir, file), { force: true })
    this.#onChange(key)
  }
}
