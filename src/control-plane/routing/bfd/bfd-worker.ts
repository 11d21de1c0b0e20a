import { parentPort, Worker } from 'node:worker_threads'
import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { BfdReport, StartBfdThread } from './bfd-messages.ts'
import { kernelBfdSockets } from './bfd-sockets.ts'
import { serveBfd } from './serve-bfd.ts'

/** Of the thread's own heap: sessions need little, and little is collected fast. */
const LIMITS = { maxOldGenerationSizeMb: 64, maxYoungGenerationSizeMb: 4 } as const

/** @param file a program that calls `runBfdWorker` where it is not the main thread */
export function bfdWorker(file: string): StartBfdThread {
  return (events) => {
    const worker = new Worker(file, { resourceLimits: LIMITS })
    let reason = 'no reason given'
    worker.on('message', (report: BfdReport) => events.report(report))
    worker.on('error', (error) => (reason = messageOf(error)))
    worker.on('exit', () => events.ended(reason))
    return {
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, no window
      post: (request) => worker.postMessage(request),
      end: async () => void (await worker.terminate()),
    }
  }
}

/** The whole program of such a thread. Its sockets are in the network namespace of the process. */
export function runBfdWorker({ clock, random }: { readonly clock: Clock; readonly random: Random }): void {
  if (!parentPort) throw new Error('this is no worker thread')
  serveBfd(parentPort, { sockets: kernelBfdSockets(random), clock, random })
}
