import { sleep, type Clock } from '../../../base/clock.ts'

export interface Drainable {
  /** Connections that carry requests from outside. */
  readonly inboundHttpConnections: number | Promise<number>
  /** Tells them to end; may be called again. */
  drainInbound(): void | Promise<void>
}

export interface DrainTimes {
  /** Nobody has come for so long: callers know. Default 300 ms. */
  readonly quietMs?: number
  /** Callers that stay are not waited for longer. Default 5,000 ms. */
  readonly mostMs?: number
  /**
   * Whether the control plane has said that this pod is going: it tells callers at the same time, and silence means nothing before that. Default: it has.
   */
  readonly isTold?: () => boolean
  /** That is not waited for longer: it may be away. Default 2,000 ms. */
  readonly toldMs?: number
}

const LOOK_MS = 25

/**
 * Sends callers away, those that still come meanwhile included, and waits until nobody comes any more: what is told of an endpoint's end takes a moment to
 * reach all who know it.
 */
export async function drainCallers(proxy: Drainable, clock: Clock, times: DrainTimes = {}): Promise<void> {
  const { quietMs = 300, mostMs = 5_000, isTold = () => true, toldMs = 2_000 } = times
  const begin = clock.monotonic()
  for (let quietSince = begin; ;) {
    await proxy.drainInbound()
    const connections = await proxy.inboundHttpConnections
    const now = clock.monotonic()
    if (connections > 0 || (!isTold() && now - begin < toldMs)) quietSince = now
    if (now - quietSince >= quietMs || now - begin >= mostMs) return
    await sleep(clock, LOOK_MS)
  }
}
