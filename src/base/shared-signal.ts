import { setMaxListeners } from 'node:events'

/**
 * Says that many may wait for this signal: Node warns of a leak at more than ten listeners otherwise, but one signal
 * ends a whole process, or a thousand watches. @returns the same signal
 */
export function sharedSignal(signal: AbortSignal): AbortSignal {
  setMaxListeners(0, signal)
  return signal
}
