import { getHeapStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { sleep, type Clock } from '../../base/clock.ts'

/** Controllers have looked at everything by then. */
const AFTER_MS = 10_000
/** A smaller heap is not worth the pause. */
const LEAST_BYTES = 128 * 1024 * 1024

/**
 * Some seconds after the start of a process that has read a large store: one full collection. Until then about half of the heap is
 * what reading it has left behind, and an idle process allocates too little for the engine to collect it by itself. Costs one pause of
 * about 1 ms per megabyte of live heap.
 */
export async function giveBackMemory(clock: Clock, signal: AbortSignal): Promise<void> {
  await sleep(clock, AFTER_MS, signal).catch(() => {})
  if (signal.aborted || getHeapStatistics().used_heap_size < LEAST_BYTES) return
  setFlagsFromString('--expose-gc')
  setFlagsFromString('--compact-on-every-full-gc')
  const collect = runInNewContext('gc') as () => void
  setFlagsFromString('--no-expose-gc')
  collect()
  setFlagsFromString('--no-compact-on-every-full-gc')
}
