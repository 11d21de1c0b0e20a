import type { CliContext } from '../context.ts'

/** Runs work whose signal aborts after `timeoutMs`. Keeps the process alive meanwhile. */
export async function withTimeout<T>({ clock }: CliContext, timeoutMs: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const controller = new AbortController()
  const timer = clock.after(timeoutMs, () => controller.abort(new Error(`timed out after ${timeoutMs / 1000} s`)))
  const alive = setInterval(() => {}, 1_000)
  try {
    return await work(controller.signal)
  } finally {
    timer.cancel()
    clearInterval(alive)
  }
}
