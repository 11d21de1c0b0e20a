import { systemClock } from '../../base/clock.ts'
import { runBfdWorker } from '../../control-plane/routing/bfd/index.ts'

/** What a thread of `biplane router` runs, for `bfdWorker` on its main thread. */
export function runBfdThread(): void {
  runBfdWorker({ clock: systemClock, random: Math.random })
}
