// 1,000 watchers of one prefix while 64 writers update it: how many events are delivered and what it costs the writers.
// Run: node scripts/bench.mjs store-watch [SECONDS]
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import type { Store, Watch } from '../src/control-plane/store/index.ts'
import { openLmdbStore } from '../src/control-plane/store/index.ts'
import { machineFacts } from './machine-facts.ts'

const WRITERS = 64
const PREFIX = '/registry/pods/'
const VALUE = Buffer.alloc(1024, 'x')

interface Result {
  readonly watchers: number
  readonly updatesPerSecond: number
  readonly deliveriesPerSecond: number
}

async function read(watch: Watch, seen: { count: number }): Promise<void> {
  for await (const batch of watch) seen.count += batch.events.length
}

async function run(store: Store, watchers: number, seconds: number): Promise<Result> {
  const seen = { count: 0 }
  const watches = Array.from({ length: watchers }, () => store.watch(PREFIX))
  const readers = watches.map((watch) => read(watch, seen))
  const start = performance.now()
  const until = start + seconds * 1000
  let updates = 0
  const writer = async (_: unknown, id: number): Promise<void> => {
    while (performance.now() < until) {
      await store.txn([], [{ type: 'put', key: `${PREFIX}ns-${id % 50}/pod-${id}`, value: VALUE }], [])
      updates++
    }
  }
  await Promise.all(Array.from({ length: WRITERS }, writer))
  for (const expected = updates * watchers; seen.count < expected;) await new Promise((resolve) => setImmediate(resolve))
  const elapsed = (performance.now() - start) / 1000
  for (const watch of watches) watch.close()
  await Promise.all(readers)
  return { watchers, updatesPerSecond: updates / elapsed, deliveriesPerSecond: seen.count / elapsed }
}

async function main(seconds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'store-watch-'))
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  try {
    const rows: Result[] = []
    for (const watchers of [0, 1000, 0, 1000]) rows.push(await run(store, watchers, seconds))
    const [without, with_] = [rows[2] as Result, rows[3] as Result]
    const text = [
      '# 1,000 watchers of one prefix',
      '',
      `${((with_.updatesPerSecond / without.updatesPerSecond) * 100).toFixed(0)} % of the write rate without watchers; ${(with_.deliveriesPerSecond / 1e6).toFixed(1)} million events a second delivered, none lost.`,
      '',
      '| watchers | durable updates /s | deliveries /s |',
      '|---|---|---|',
      ...rows.map((row) => `| ${row.watchers} | ${Math.round(row.updatesPerSecond)} | ${Math.round(row.deliveriesPerSecond)} |`),
      '',
      `In-process delivery of shared batches to ${rows[1]?.watchers} readers, each a loop of its own; ${WRITERS} writers, 1 KB values. Writing to sockets is not included.`,
      '',
      machineFacts(),
      '',
    ].join('\n')
    process.stdout.write(text)
    writeFileSync(join(process.env['BIPLANE_ROOT'] ?? '.', 'bench/results/store-watch.md'), text)
  } finally {
    await store.close()
    rmSync(dir, { recursive: true, force: true })
  }
}

await main(Number(process.argv[2] ?? '3'))
