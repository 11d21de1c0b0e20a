// Reading much at once: a list of 10,000 pods through HTTPS (goal: <= 250 ms), and how long until 1,000 watchers have seen an update
// (goal: p99 <= 250 ms). Run: node scripts/bench.mjs list-watch [PODS] [WATCHERS]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { configMaps } from '../src/api/core/v1/config-map.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import type { ServerAccess } from '../src/client/index.ts'
import type { Client } from '../src/client/client.ts'
import { biplaneBin, connectClient, startControlPlane } from './harness/control-plane.ts'
import { writeLoad } from './harness/load.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'

const GOAL_MS = 250
const LISTS = 11
const UPDATES = 40
const CONNECTIONS = 10
const ARGS = ['--node-grace-period', '30m']

async function listBytes(client: Client): Promise<{ ms: number; bytes: number }> {
  const begin = performance.now()
  const response = await client.transport.send({ method: 'GET', path: '/api/v1/pods' })
  let bytes = 0
  for await (const chunk of response.stream()) bytes += chunk.length
  return { ms: performance.now() - begin, bytes }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begin = performance.now()
  await work()
  return performance.now() - begin
}

interface Lists {
  readonly whole: number[]
  readonly parsed: number[]
  readonly paged: number[]
  readonly bytes: number
}

async function lists(client: Client, want: number): Promise<Lists> {
  const found: Lists & { bytes: number } = { whole: [], parsed: [], paged: [], bytes: 0 }
  const api = client.of(pods)
  for (let i = 0; i <= LISTS; i++) {
    const { ms, bytes } = await listBytes(client)
    const parsed = await timed(async () => {
      const { items } = await api.list()
      if (items.length !== want) throw new Error(`${items.length} pods listed, not ${want}`)
    })
    const paged = await timed(() => api.listAll())
    found.bytes = bytes
    // the first is to warm up
    if (i === 0) continue
    found.whole.push(ms)
    found.parsed.push(parsed)
    found.paged.push(paged)
  }
  return found
}

/** How long each watcher of ConfigMaps took to see each update, counted from before the update was sent. */
async function watches(access: ServerAccess, watchers: number): Promise<{ seen: number[]; answered: number[] }> {
  const clients = Array.from({ length: CONNECTIONS }, () => connectClient(access))
  const writer = connectClient(access)
  const api = writer.of(configMaps)
  const { metadata } = await api.create({ metadata: { name: 'watched' }, data: { text: 'x'.repeat(1000), n: '0' } } as never, {
    namespace: 'default',
  })
  const ended = new AbortController()
  const seen: number[] = []
  const answered: number[] = []
  const round = { sentAt: 0, missing: 0, n: '', done: (): void => {} }
  const watch = async (client: Client): Promise<void> => {
    const options = { namespace: 'default', resourceVersion: metadata.resourceVersion ?? '', signal: ended.signal }
    for await (const event of client.of(configMaps).watch(options)) {
      if ((event.object as { data?: Record<string, string> }).data?.['n'] !== round.n) continue
      seen.push(performance.now() - round.sentAt)
      if (--round.missing === 0) round.done()
    }
  }
  const running = Array.from({ length: watchers }, (_, i) => watch(clients[i % CONNECTIONS] as Client).catch(() => {}))
  await delay(3000)
  for (let i = 1; i <= UPDATES; i++) {
    const all = new Promise<void>((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`${round.missing} of ${watchers} watchers did not see update ${i}`)), 10_000)
      Object.assign(round, { sentAt: performance.now(), missing: watchers, n: String(i), done: () => (clearTimeout(timer), resolve()) })
    })
    await api.patch('watched', { data: { n: String(i) } }, { type: 'merge', namespace: 'default' })
    answered.push(performance.now() - round.sentAt)
    await all
    await delay(100)
    // the first ones warm up
    if (i === 5) seen.length = answered.length = 0
  }
  ended.abort()
  await Promise.all(running)
  await Promise.all([...clients, writer].map((client) => client.transport.close()))
  return { seen, answered }
}

async function main(count: number, watchers: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'biplane-list-watch-'))
  try {
    const podBytes = await writeLoad(dataDir, { pods: count })
    const nodeArgs = (process.env['BIPLANE_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '')
    const plane = await startControlPlane(biplaneBin(), { dataDir, args: ARGS, nodeArgs })
    const client = connectClient(plane.access)
    await delay(3000)
    const list = await lists(client, count)
    await client.transport.close()
    const watch = await watches(plane.access, watchers)
    await plane.stop()
    report('list-watch', [
      `# Listing ${count} pods, and ${watchers} watchers`,
      '',
      `- list to the last byte: ${against(quantile(list.whole, 0.5), { most: GOAL_MS, unit: 'ms' })}`,
      `- ${watchers} watchers, p99 from before the update was sent: ${against(quantile(watch.seen, 0.99), { most: GOAL_MS, unit: 'ms' })}`,
      '',
      `${count} pods of ${podBytes.toFixed(0)} bytes (${(list.bytes / 2 ** 20).toFixed(1)} MiB as one list), through HTTP/2 and TLS without compression; client and server are separate`,
      `processes. Lists: ${LISTS} after one to warm up. Watchers: each a stream of its own, on ${CONNECTIONS} connections of one client process, which parses every event for every`,
      `watcher; ${UPDATES - 5} updates of one ConfigMap of 1 KB after 5 to warm up, ${watch.seen.length} sightings.`,
      '',
      ...table(
        ['what', 'ms: median (min to max)', 'p99 ms'],
        [
          ['list, to the last byte', spread(list.whole), quantile(list.whole, 0.99).toFixed(0)],
          ['list, parsed by the client', spread(list.parsed), quantile(list.parsed, 0.99).toFixed(0)],
          ['list in pages of 500, parsed', spread(list.paged), quantile(list.paged, 0.99).toFixed(0)],
          ['update answered', spread(watch.answered, 1), quantile(watch.answered, 0.99).toFixed(1)],
          ['update seen by a watcher', spread(watch.seen, 1), quantile(watch.seen, 0.99).toFixed(1)],
        ],
      ),
    ])
  } finally {
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const [count = '10000', watchers = '1000'] = process.argv.slice(2)
await main(Number(count), Number(watchers))
