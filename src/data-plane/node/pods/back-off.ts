/** Kubelet's crash back-off: 10 s, doubled with each crash up to 5 min, forgotten after a container ran for 10 min. */
export const INITIAL_MS = 10_000
export const MAX_MS = 300_000
export const RESET_MS = 600_000

export interface BackOffState {
  /** Delay that the latest crash earned. */
  readonly delayMs: number
  /** Monotonic ms before which no start is tried. */
  readonly notBeforeMs: number
}

/**
 * The state after one more exit or failed start at `atMs` (monotonic). The first restart comes at once, as kubelet does it.
 * @param ranMs how long the container had run
 */
export function afterExit(state: BackOffState | undefined, atMs: number, ranMs: number): BackOffState {
  if (!state || ranMs >= RESET_MS) return { delayMs: 0, notBeforeMs: atMs }
  const delayMs = state.delayMs === 0 ? INITIAL_MS : Math.min(state.delayMs * 2, MAX_MS)
  return { delayMs, notBeforeMs: atMs + delayMs }
}
