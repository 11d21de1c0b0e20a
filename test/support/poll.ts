import { setTimeout as delay } from 'node:timers/promises'

/**
 * Calls `probe` until it gives something other than undefined, or the deadline has passed.
 * @param options what is waited for, withinMs (30000), everyMs (100)
 * @throws Error naming what was waited for, with the last error of `probe` as its cause
 */
export async function poll<T>(
  what: string,
  probe: () => Promise<T | undefined> | T | undefined,
  options: { readonly withinMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const { withinMs = 30_000, everyMs = 100 } = options
  const deadline = performance.now() + withinMs
  let cause: unknown
  do {
    try {
      const found = await probe()
      if (found !== undefined) return found
      cause = undefined
    } catch (error) {
      cause = error
    }
    await delay(everyMs)
  } while (performance.now() < deadline)
  throw new Error(`not within ${withinMs} ms: ${what}${cause instanceof Error ? ` (${cause.message})` : ''}`, { cause })
}
