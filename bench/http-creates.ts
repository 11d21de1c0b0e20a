// Creates through HTTPS, 64 in flight, each answered after it is durable; client and server are separate processes and share the cores.
// Goal: >= 2,500/s including the client. Run: node scripts/bench.mjs http-creates [SECONDS] [ROUNDS]
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { configMaps } from '../src/api/core/v1/config-map.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import type { KindDefinition } from '../src/api/kind.ts'
import type { KubeObject } from '../src/api/meta/object.ts'
import type { Client } from '../src/client/client.ts'
import { biplaneBin, connectClient, startControlPlane } from './harness/control-plane.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'

const IN_FLIGHT = 64
const GOAL = 2500

interface Load {
  readonly name: string
  readonly kind: KindDefinition<any>
  readonly draft: (name: string) => KubeObject
}

const LOADS: readonly Load[] = [
  {
    name: 'ConfigMap of 1 KB',
    kind: configMaps,
    draft: (name) => ({ metadata: { name }, data: { text: 'x'.repeat(1000) } }) as KubeObject,
  },
  {
    name: 'Pod (no node wanted)',
    kind: pods,
    draft: (name) =>
      ({
        metadata: { name, labels: { app: 'bench' } },
        // another scheduler's: the measured writes are those of the client
        spec: {
          schedulerName: 'none',
          containers: [{ name: 'main', image: 'host', command: ['true'], resources: { requests: { cpu: '100m', memory: '128Mi' } } }],
        },
      }) as KubeObject,
  },
]

interface Round {
  readonly perSecond: number
  readonly p50: number
  readonly p99: number
  readonly serverCpu: number
  readonly clientCpu: number
}

let serial = 0

async function round(load: Load, client: Client, server: { cpuMs: () => number; forMs: number }): Promise<Round> {
  const api = client.of<KubeObject>(load.kind)
  const times: number[] = []
  const cpu = process.cpuUsage()
  const serverCpu = server.cpuMs()
  const begin = performance.now()
  const end = begin + server.forMs
  const worker = async (): Promise<void> => {
    while (performance.now() < end) {
      const from = performance.now()
      await api.create(load.draft(`bench-${serial++}`), { namespace: 'default' })
      times.push(performance.now() - from)
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  const wallMs = performance.now() - begin
  const own = process.cpuUsage(cpu)
  return {
    perSecond: (times.length / wallMs) * 1000,
    p50: quantile(times, 0.5),
    p99: quantile(times, 0.99),
    serverCpu: (server.cpuMs() - serverCpu) / wallMs,
    clientCpu: (own.user + own.system) / 1000 / wallMs,
  }
}

async function main(seconds: number, rounds: number): Promise<void> {
  const dataDir = mkdtempSync(join(tmpdir(), 'biplane-http-creates-'))
  const nodeArgs = (process.env['BIPLANE_NODE_ARGS'] ?? '').split(' ').filter((arg) => arg !== '')
  const plane = await startControlPlane(biplaneBin(), { dataDir, nodeArgs })
  const client = connectClient(plane.access)
  const found = new Map<Load, Round[]>(LOADS.map((load) => [load, []]))
  try {
    const server = { cpuMs: () => plane.usage().cpuMs, forMs: seconds * 1000 }
    // once for each to warm up
    for (const load of LOADS) await round(load, client, { ...server, forMs: 2000 })
    for (let i = 0; i < rounds; i++) for (const load of LOADS) found.get(load)?.push(await round(load, client, server))
  } finally {
    await client.transport.close()
    await plane.stop()
    rmSync(dataDir, { recursive: true, force: true })
  }
  const median = (load: Load, of: (one: Round) => number): number => quantile((found.get(load) ?? []).map(of), 0.5)
  report('http-creates', [
    '# Creates through HTTPS',
    '',
    ...LOADS.map(
      (load) =>
        `- ${load.name}: ${against(
          median(load, (one) => one.perSecond),
          { least: GOAL, unit: 'creates/s' },
        )}`,
    ),
    '',
    `${IN_FLIGHT} requests in flight on one HTTP/2 connection over TLS, each answered after its flush to the disk. Authentication by client certificate,`,
    'authorization, admission, defaults, validation, watch caches and controllers are all on. Client and server are separate processes on the same cores; the',
    `client parses every answer. ${rounds} interleaved rounds of ${seconds} s after one to warm up, all in one server that keeps what was created.`,
    '',
    ...table(
      ['object', 'creates/s: median (min to max)', 'p50 ms', 'p99 ms', 'server, cores', 'client, cores'],
      LOADS.map((load) => [
        load.name,
        spread((found.get(load) ?? []).map((one) => one.perSecond)),
        median(load, (one) => one.p50).toFixed(1),
        median(load, (one) => one.p99).toFixed(1),
        median(load, (one) => one.serverCpu).toFixed(2),
        median(load, (one) => one.clientCpu).toFixed(2),
      ]),
    ),
  ])
}

const [seconds = '4', rounds = '5'] = process.argv.slice(2)
await main(Number(seconds), Number(rounds))
