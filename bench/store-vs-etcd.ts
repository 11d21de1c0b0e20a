// Durable compare-and-swap writes of 1 KB, 1/64/512 writers: this store against etcd, interleaved in one run.
// Goal: >= 2x / 6x / 8x. Needs etcd (apt: etcd-server). Run: node scripts/bench.mjs store-vs-etcd [ROUNDS] [SECONDS]
import type { ChildProcess } from 'node:child_process'
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../src/base/clock.ts'
import { openLmdbStore } from '../src/control-plane/store/index.ts'
import { machineFacts } from './machine-facts.ts'
import { EtcdClient } from './store-etcd/client.ts'
import { etcdVersion, startEtcd } from './store-etcd/run-etcd.ts'
import { serve } from './store-etcd/serve.ts'
import type { CasRequest, CasResponse } from './store-etcd/wire.ts'

const WRITERS = [1, 64, 512]
const GOALS = [2, 6, 8]
const CONNECTIONS = 4
const VALUE = Buffer.alloc(1024, 'x')

type Cas = (request: CasRequest) => Promise<CasResponse>

interface Peer {
  readonly name: string
  readonly cas: Cas
  /** Last revision of each key. */
  readonly revisions: Map<string, number>
}

interface Round {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
}

async function measure({ cas, revisions }: Peer, writers: number, seconds: number): Promise<Round> {
  const latencies: number[] = []
  const start = performance.now()
  const until = start + seconds * 1000
  const writer = async (_: unknown, id: number): Promise<void> => {
    const key = `/registry/pods/${writers}/${id}`
    for (let now = performance.now(); now < until;) {
      const { succeeded, revision } = await cas({ key, modRevision: revisions.get(key) ?? 0, value: VALUE })
      if (!succeeded) throw new Error(`${key}: the compare failed though nobody else writes it`)
      revisions.set(key, revision)
      const done = performance.now()
      latencies.push(done - now)
      now = done
    }
  }
  await Promise.all(Array.from({ length: writers }, writer))
  const seconds_ = (performance.now() - start) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number): number => latencies[Math.floor(latencies.length * share)] ?? 0
  return { perSecond: latencies.length / seconds_, p50Ms: at(0.5), p99Ms: at(0.99) }
}

const median = (values: readonly number[]): number => [...values].sort((a, b) => a - b)[values.length >> 1] as number

function summarise(rounds: readonly Round[]): Round {
  return {
    perSecond: median(rounds.map((round) => round.perSecond)),
    p50Ms: median(rounds.map((round) => round.p50Ms)),
    p99Ms: median(rounds.map((round) => round.p99Ms)),
  }
}

async function startServed(dir: string): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const child = spawn(process.execPath, [process.argv[1] as string, 'serve', dir], { stdio: ['ignore', 'pipe', 'inherit'] })
  for await (const line of createInterface({ input: child.stdout })) return { url: `http://127.0.0.1:${line}`, child }
  throw new Error('the served store did not start')
}

async function compare(dir: string, rounds: number, seconds: number): Promise<Round[][]> {
  const store = await openLmdbStore({ dir: join(dir, 'embedded'), clock: systemClock, compaction: false })
  const embedded: Cas = async ({ key, modRevision, value }) => {
    const unchanged = { key, op: '=' as const, revision: BigInt(modRevision) }
    const { succeeded, revision } = await store.txn([unchanged], [{ type: 'put', key, value }], [{ type: 'get', key }])
    return { succeeded, revision: Number(revision) }
  }
  const [etcd, served] = [await startEtcd(join(dir, 'etcd')), await startServed(join(dir, 'served'))]
  const clients = [etcd, served].map(({ url }) => new EtcdClient(url, CONNECTIONS))
  try {
    const peers: Peer[] = [
      { name: 'embedded', cas: embedded, revisions: new Map() },
      ...clients.map((client, i) => ({
        name: i === 0 ? 'etcd' : 'served',
        cas: (one: CasRequest) => client.cas(one),
        revisions: new Map(),
      })),
    ]
    const table: Round[][] = []
    for (const writers of WRITERS) {
      const found = peers.map((): Round[] => [])
      // one after the other, again and again: whatever else the machine does hits all of them
      for (let round = 0; round <= rounds; round++) {
        for (const [i, peer] of peers.entries()) {
          const result = await measure(peer, writers, round === 0 ? 1 : seconds)
          if (round > 0) found[i]?.push(result)
        }
      }
      table.push(found.map(summarise))
      process.stderr.write(`${writers} writers done\n`)
    }
    return table
  } finally {
    for (const client of clients) client.close()
    etcd.child.kill()
    served.child.kill()
    await store.close()
  }
}

function report(table: readonly Round[][], how: { rounds: number; seconds: number }): string {
  const ratio = (row: Round[], i: number): string => ((row[i]?.perSecond ?? 0) / (row[1]?.perSecond ?? 1)).toFixed(1)
  const cell = (round: Round | undefined): string => {
    if (!round) return '-'
    return `${Math.round(round.perSecond)} /s (p50 ${round.p50Ms.toFixed(2)}, p99 ${round.p99Ms.toFixed(1)} ms)`
  }
  const verdict = WRITERS.map((writers, i) => {
    const [all, same] = [ratio(table[i] as Round[], 0), ratio(table[i] as Round[], 2)]
    return `- ${writers} writers: **${all}x** embedded, **${same}x** behind the same client; goal ${GOALS[i]}x`
  })
  return [
    '# Durable compare-and-swap writes against etcd',
    '',
    ...verdict,
    '',
    '| writers | this store, embedded | etcd, through the client | this store, through the same client |',
    '|---|---|---|---|',
    ...WRITERS.map((writers, i) => `| ${writers} | ${table[i]?.map(cell).join(' | ')} |`),
    '',
    'Every write is a transaction "if mod(key) = r then put 1 KB else get", each writer on a key of its own, answered after the flush.',
    '',
    `What runs where: *embedded* is how biplane uses its store, in the process of the caller, no network. *etcd* is one member of`,
    `${etcdVersion()} with default settings in its own process; the caller reaches it over loopback by gRPC messages on bare`,
    `node:http2 (${CONNECTIONS} connections, one stream per write). *This store, through the same client* is the LMDB store in a Node`,
    'process of its own behind the same call, the same client and the same connections: only the server differs. All data lies on',
    `one file system. Medians of ${how.rounds} interleaved rounds of ${how.seconds} s after one to warm up.`,
    '',
    'A lone writer pays in full for the two flushes of an LMDB commit (pages, then the meta page: seen with strace); etcd appends to a log',
    'with one (its design, not traced here). Batches hide the difference.',
    '',
    machineFacts(),
    '',
  ].join('\n')
}

async function main(rounds: number, seconds: number): Promise<void> {
  etcdVersion()
  const dir = mkdtempSync(join(tmpdir(), 'store-vs-etcd-'))
  try {
    const text = report(await compare(dir, rounds, seconds), { rounds, seconds })
    process.stdout.write(text)
    writeFileSync(join(process.env['BIPLANE_ROOT'] ?? '.', 'bench/results/store-vs-etcd.md'), text)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

const [mode = '5', argument = '3'] = process.argv.slice(2)
await (mode === 'serve' ? serve(argument) : main(Number(mode), Number(argument)))
