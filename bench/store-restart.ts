// Restart of the store with 150,000 pods of 2 KB: time until it answers, and anonymous memory.
// Goal (whole control plane): <= 4 s and <= 400 MB. Run: node scripts/bench.mjs store-restart [PODS]
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../src/base/clock.ts'
import { openLmdbStore } from '../src/control-plane/store/index.ts'
import { machineFacts } from './machine-facts.ts'

const VALUE_BYTES = 2048

interface Restart {
  readonly ms: number
  readonly listMs: number
  readonly keys: number
  readonly rssAnonMb: number
  readonly peakRssMb: number
}

async function fill(dir: string, pods: number): Promise<void> {
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const value = Buffer.alloc(VALUE_BYTES, 'x')
  for (let start = 0; start < pods; start += 1000) {
    const batch = Array.from({ length: Math.min(1000, pods - start) }, (_, i) =>
      store.txn([], [{ type: 'put', key: `/registry/pods/namespace-${(start + i) % 50}/web-${start + i}-x7k2p`, value }], []),
    )
    await Promise.all(batch)
  }
  await store.close()
}

async function restart(dir: string): Promise<void> {
  const before = performance.now()
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const ms = performance.now() - before
  const { keys } = await store.status()
  const listed = performance.now()
  let next: string | undefined
  do {
    const page = await store.list('/registry/pods/', { limit: 500, ...(next === undefined ? {} : { from: next }) })
    next = page.next
  } while (next !== undefined)
  const listMs = performance.now() - listed
  const field = (name: string): number =>
    Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) / 1024
  const found: Restart = { ms, listMs, keys, rssAnonMb: field('RssAnon'), peakRssMb: field('VmHWM') }
  process.stdout.write(JSON.stringify(found))
  await store.close()
}

function measure(dir: string, isCold: boolean): Restart {
  const file = join(dir, 'store.mdb')
  // tells the kernel to forget what it caches of this one file
  if (isCold) execFileSync('dd', [`of=${file}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0', 'status=none'], { input: '' })
  return JSON.parse(execFileSync(process.execPath, [process.argv[1] as string, 'restart', dir], { encoding: 'utf8' })) as Restart
}

async function main(pods: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'store-restart-'))
  try {
    await fill(dir, pods)
    const rows = ['cold', 'warm', 'warm', 'warm'].map((cache) => ({ cache, ...measure(dir, cache === 'cold') }))
    const worst = Math.max(...rows.map((row) => row.ms))
    const memory = Math.max(...rows.map((row) => row.rssAnonMb))
    const lines = [
      '# Restart of the store with many pods',
      '',
      `${(4000 / worst).toFixed(1)}x faster than the 4 s, ${(400 / memory).toFixed(1)}x below the 400 MB that the whole control plane may take (worst of ${rows.length} runs).`,
      '',
      `${pods} keys of ${VALUE_BYTES} bytes. Store alone, in a fresh process: opening it checks the checksum of every record. Then all keys with values, listed in pages of 500.`,
      '',
      '| page cache | open ms | list all ms | RssAnon MB at the end | peak RSS MB (with mapped file) |',
      '|---|---|---|---|---|',
      ...rows.map(
        (row) =>
          `| ${row.cache} | ${row.ms.toFixed(0)} | ${row.listMs.toFixed(0)} | ${row.rssAnonMb.toFixed(0)} | ${row.peakRssMb.toFixed(0)} |`,
      ),
      '',
      machineFacts(),
      '',
    ]
    if (rows.some((row) => row.keys !== pods)) throw new Error(`expected ${pods} keys`)
    process.stdout.write(lines.join('\n'))
    writeFileSync(join(process.env['BIPLANE_ROOT'] ?? '.', 'bench/results/store-restart.md'), lines.join('\n'))
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const [mode = '150000', dir = ''] = process.argv.slice(2)
await (mode === 'restart' ? restart(dir) : main(Number(mode)))
