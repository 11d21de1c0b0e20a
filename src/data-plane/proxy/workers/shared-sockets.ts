import { sleep, type Clock } from '../../../base/clock.ts'
import type { SharedHandle, SharedSocket } from '../transport/index.ts'

const RETRY_MS = 20
/** A worker that has just let go of a port may not have closed it yet. */
const RETRY_FOR_MS = 1_000

/** Sockets that workers listen on. Each stays bound for as long as anybody wants it, and through the death of all who did. */
export class SharedSockets {
  readonly #bind: (host: string, port: number) => SharedSocket
  readonly #clock: Clock
  readonly #sockets = new Map<string, { readonly socket: SharedSocket; readonly users: Set<object> }>()

  constructor(bind: (host: string, port: number) => SharedSocket, clock: Clock) {
    this.#bind = bind
    this.#clock = clock
  }

  /** @throws Error as bindShared does, in use for a second */
  async open(host: string, port: number, user: object): Promise<SharedHandle> {
    for (const until = this.#clock.monotonic() + RETRY_FOR_MS; ;) {
      try {
        return this.#open(host, port, user)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE' || this.#clock.monotonic() >= until) throw error
        await sleep(this.#clock, RETRY_MS)
      }
    }
  }

  #open(host: string, port: number, user: object): SharedHandle {
    const key = `${host} ${port}`
    const held = this.#sockets.get(key) ?? { socket: this.#bind(host, port), users: new Set() }
    this.#sockets.set(key, held)
    held.users.add(user)
    return held.socket.handle
  }

  /** Nobody else wants it: it is closed. */
  release(host: string, port: number, user: object): void {
    const key = `${host} ${port}`
    const held = this.#sockets.get(key)
    if (!held?.users.delete(user) || held.users.size > 0) return
    this.#sockets.delete(key)
    held.socket.close()
  }

  /** The user has died: another one is to take its place, so what it had stays bound. */
  forget(user: object): void {
    for (const { users } of this.#sockets.values()) users.delete(user)
  }

  /** All that ought to listen do: what nobody has is not wanted any more. */
  settle(): void {
    for (const [key, { socket, users }] of this.#sockets) {
      if (users.size > 0) continue
      this.#sockets.delete(key)
      socket.close()
    }
  }

  close(): void {
    for (const { socket } of this.#sockets.values()) socket.close()
    this.#sockets.clear()
  }
}
