/** Tells subscribers which pods changed. A pod that changes often before it is looked at is told once: nothing can pile up. */
export class PodEvents {
  readonly #subscribers = new Set<{ readonly changed: Set<string>; wake: (() => void) | undefined }>()
  #closed = false

  publish(podUid: string): void {
    for (const subscriber of this.#subscribers) {
      subscriber.changed.add(podUid)
      subscriber.wake?.()
    }
  }

  /** Ends when `signal` aborts or the events are closed. Hears of everything that is published after the call. */
  subscribe(signal: AbortSignal): AsyncIterable<{ readonly podUid: string }> {
    const subscriber = { changed: new Set<string>(), wake: undefined as (() => void) | undefined }
    this.#subscribers.add(subscriber)
    return this.#iterate(subscriber, signal)
  }

  close(): void {
    this.#closed = true
    for (const subscriber of this.#subscribers) subscriber.wake?.()
  }

  async *#iterate(
    subscriber: { readonly changed: Set<string>; wake: (() => void) | undefined },
    signal: AbortSignal,
  ): AsyncGenerator<{ readonly podUid: string }, void> {
    const onAbort = (): void => subscriber.wake?.()
    signal.addEventListener('abort', onAbort)
    try {
      while (!this.#closed && !signal.aborted) {
        const [podUid] = subscriber.changed
        if (podUid === undefined) {
          await new Promise<void>((resolve) => {
            subscriber.wake = resolve
          })
          continue
        }
        subscriber.changed.delete(podUid)
        yield { podUid }
      }
    } finally {
      signal.removeEventListener('abort', onAbort)
      this.#subscribers.delete(subscriber)
    }
  }
}
