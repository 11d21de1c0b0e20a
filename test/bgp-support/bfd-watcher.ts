import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { isMainThread } from 'node:worker_threads'
import { systemClock } from '../../src/base/clock.ts'
import { parseIp } from '../../src/base/ip.ts'
import { jsonLogger } from '../../src/base/log.ts'
import type { BfdThread } from '../../src/control-plane/routing/bfd/bfd-messages.ts'
import {
  BfdManager,
  bfdWorker,
  kernelBfdSockets,
  runBfdWorker,
  ThreadedBfd,
  type BfdPaths,
} from '../../src/control-plane/routing/bfd/index.ts'

/**
 * A program that watches one path with BFD and has other work to do on its main thread: `bfd-watcher thread|in-process ADDRESS INTERVAL_MS MULTIPLIER`.
 * Tells of states on standard output and takes orders, one a line: `work MS` keeps the main thread busy, `kill` ends the thread of BFD, `end`.
 */
async function main(mode: string, address: string, intervalMs: number, detectMultiplier: number): Promise<void> {
  const say = (line: string): void => void process.stdout.write(`${line}\n`)
  let thread: BfdThread | undefined
  const log = jsonLogger({ write: (line) => void process.stderr.write(line), clock: systemClock })
  const start = bfdWorker(fileURLToPath(import.meta.url))
  const common = { clock: systemClock, log }
  const bfd: BfdPaths =
    mode === 'thread'
      ? new ThreadedBfd({ ...common, start: (events) => (thread = start(events)) })
      : new BfdManager({ ...common, sockets: kernelBfdSockets(Math.random), random: Math.random })
  bfd.watch(
    { address: parseIp(address)! },
    { minTxMs: intervalMs, minRxMs: intervalMs, detectMultiplier, multihop: false, graceful: false },
    { changed: (state) => say(`state ${state}`), down: (reason) => say(`down ${reason}`) },
  )
  for await (const line of createInterface({ input: process.stdin })) {
    const [order, value] = line.split(' ')
    if (order === 'end') break
    if (order === 'kill') await thread?.end()
    if (order === 'work') keepBusy(Number(value))
    say(`done ${order}`)
  }
  await bfd.close()
  say('closed')
  process.exit()
}

function keepBusy(ms: number): void {
  const until = performance.now() + ms
  while (performance.now() < until);
}

if (isMainThread) {
  const [mode = '', address = '', intervalMs, multiplier] = process.argv.slice(2)
  await main(mode, address, Number(intervalMs), Number(multiplier))
} else {
  runBfdWorker({ clock: systemClock, random: Math.random })
}
