// Cluster DNS against CoreDNS in the same run, on the same core, with the same cluster of 10,000 services from the same API server: questions a second,
// and the latency of answers at a fixed rate. Needs dnsperf, taskset and Go (for scripts/build-coredns.mjs).
// Run: node scripts/bench.mjs dns [SERVICES] [SECONDS] [ROUNDS]
import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createSocket } from 'node:dgram'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { systemClock } from '../src/base/clock.ts'
import { namespaces } from '../src/api/core/v1/namespace.ts'
import { services } from '../src/api/core/v1/service.ts'
import type { KindDefinition } from '../src/api/kind.ts'
import type { KubeObject } from '../src/api/meta/object.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import type { ServerAccess } from '../src/client/index.ts'
import { encodeObject, resourceOf, storageKey } from '../src/control-plane/apiserver/registry/index.ts'
import { openLmdbStore } from '../src/control-plane/store/index.ts'
import { biplaneBin, freePort, startControlPlane, stopProcess } from './harness/control-plane.ts'
import { quantile, report, spread, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'

const ROOT = process.env['BIPLANE_ROOT'] ?? '.'
const NAMESPACES = 50
const RATE = 2_000
const READY_TIMEOUT_MS = 120_000

interface Server {
  readonly name: string
  readonly port: number
  readonly process: ChildProcess
  readonly perSecond: number[]
  /** Milliseconds at RATE questions a second. */
  readonly latencies: number[]
  lost: number
}

async function writeServices(dataDir: string, count: number): Promise<void> {
  const store = await openLmdbStore({ dir: dataLayout(dataDir).store, clock: systemClock, compaction: false })
  const put = (kind: KindDefinition<any>, object: KubeObject): Promise<unknown> => {
    const resource = resourceOf(kind)
    const value = encodeObject(resource, { apiVersion: resource.apiVersion, kind: kind.kind, ...object })
    return store.txn([], [{ type: 'put', key: storageKey(resource, object.metadata.namespace ?? '', object.metadata.name), value }], [])
  }
  const meta = (name: string, namespace?: string): KubeObject['metadata'] => ({
    name,
    ...(namespace ? { namespace } : {}),
    uid: crypto.randomUUID(),
    creationTimestamp: '2026-01-05T09:00:00Z',
  })
  await Promise.all(
    Array.from({ length: NAMESPACES }, (_, i) =>
      put(namespaces, { metadata: meta(`ns-${i}`), spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } } as never),
    ),
  )
  await Promise.all(
    Array.from({ length: count }, (_, i) => {
      const ip = `10.96.${1 + (i >> 8)}.${i & 255}`
      const spec = {
        type: 'ClusterIP',
        clusterIP: ip,
        clusterIPs: [ip],
        ports: [{ name: 'http', port: 80, protocol: 'TCP', targetPort: 8080 }],
      }
      return put(services, { metadata: meta(`service-${i}`, `ns-${i % NAMESPACES}`), spec, status: { loadBalancer: {} } } as never)
    }),
  )
  await store.close()
}

/** What pods ask: mostly services by both families, some names that the search path makes up first, some ports. */
function questions(count: number, total: number): string {
  let seed = 1
  const random = (below: number): number => (seed = (seed * 1_103_515_245 + 12_345) % 2 ** 31) % below
  const lines: string[] = []
  for (let i = 0; i < total; i++) {
    const service = random(count)
    const name = `service-${service}.ns-${service % NAMESPACES}.svc.cluster.local`
    const kind = random(10)
    if (kind < 5) lines.push(`${name} A`)
    else if (kind < 8) lines.push(`${name} AAAA`)
    else if (kind < 9) lines.push(`service-${service}.ns-1.ns-${random(NAMESPACES)}.svc.cluster.local A`)
    else lines.push(`_http._tcp.${name} SRV`)
  }
  return `${lines.join('\n')}\n`
}

const pinned = (argv: readonly string[], env: Record<string, string> = {}): ChildProcess =>
  spawn('taskset', ['-c', '0', ...argv], { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env, ...env } })

async function startBiplane(dataDir: string, access: ServerAccess): Promise<Server> {
  const state = dataLayout(dataDir).node('bench').state
  mkdirSync(state, { recursive: true })
  writeFileSync(join(state, 'identity.json'), JSON.stringify({ certificate: String(access.cert), privateKey: String(access.key) }))
  const port = await freePort()
  const argv = [
    process.execPath,
    biplaneBin(),
    'dns',
    '--data-dir',
    dataDir,
    '--name',
    'bench',
    '--listen',
    `127.0.0.1:${port}`,
    '--upstream',
    '127.0.0.1:9',
  ]
  return answering({ name: 'biplane', port, process: pinned(argv), perSecond: [], latencies: [], lost: 0 })
}

async function startCoreDns(dataDir: string, binary: string): Promise<Server> {
  const port = await freePort()
  const file = join(dataDir, 'Corefile')
  const plugins = [
    'bind 127.0.0.1',
    `kubernetes cluster.local in-addr.arpa ip6.arpa {\n kubeconfig ${dataLayout(dataDir).adminKubeconfig}\n pods insecure\n ttl 5\n }`,
    'cache 30',
    'loadbalance',
    'forward . 127.0.0.1:9',
  ]
  writeFileSync(file, `.:${port} {\n ${plugins.join('\n ')}\n}\n`)
  return answering({
    name: 'CoreDNS',
    port,
    process: pinned([binary, '-conf', file, '-quiet'], { GOMAXPROCS: '1' }),
    perSecond: [],
    latencies: [],
    lost: 0,
  })
}

/** Waits until the last service has a name. */
async function answering(server: Server): Promise<Server> {
  const deadline = performance.now() + READY_TIMEOUT_MS
  const socket = createSocket('udp4')
  const seen = { answer: false }
  socket.on('error', () => {})
  // an answer that holds a record
  socket.on('message', (bytes) => (seen.answer ||= bytes.readUInt16BE(6) > 0))
  const name = Buffer.from('\x09service-0\x04ns-0\x03svc\x07cluster\x05local\x00\x00\x01\x00\x01', 'latin1')
  while (!seen.answer) {
    if (performance.now() > deadline || server.process.exitCode !== null) throw new Error(`${server.name} does not answer`)
    socket.send(Buffer.concat([Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]), name]), server.port, '127.0.0.1')
    await delay(100)
  }
  socket.close()
  return server
}

function dnsperf(server: Server, file: string, seconds: number, args: readonly string[]): string {
  const argv = ['-c', '1', 'dnsperf', '-s', '127.0.0.1', '-p', String(server.port), '-d', file, '-l', String(seconds), '-e', ...args]
  return execFileSync('taskset', argv, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    stdio: ['ignore', 'pipe', 'ignore'],
    timeout: (seconds + 30) * 1000,
  })
}

function measure(server: Server, file: string, seconds: number): void {
  const full = dnsperf(server, file, seconds, ['-c', '20', '-T', '1', '-q', '100'])
  server.perSecond.push(Number(/Queries per second:\s+([\d.]+)/.exec(full)?.[1]))
  const steady = dnsperf(server, file, seconds, ['-c', '20', '-T', '1', '-Q', String(RATE), '-v'])
  for (const [, latency] of steady.matchAll(/^> \w+ \S+ \S+ ([\d.]+)$/gm)) server.latencies.push(Number(latency) * 1000)
  for (const text of [full, steady]) server.lost += Number(/Queries lost:\s+(\d+)/.exec(text)?.[1] ?? 0)
}

async function main(count: number, seconds: number, rounds: number): Promise<void> {
  const { buildCoreDns } = (await import(resolve(ROOT, 'scripts/build-coredns.mjs'))) as { buildCoreDns: () => string }
  const binary = buildCoreDns()
  const dataDir = mkdtempSync(join(tmpdir(), 'biplane-dns-'))
  const servers: Server[] = []
  try {
    await writeServices(dataDir, count)
    const plane = await startControlPlane(biplaneBin(), { dataDir, args: ['--service-cidr', '10.96.0.0/16'] })
    const file = join(dataDir, 'questions')
    writeFileSync(file, questions(count, 50_000))
    servers.push(await startBiplane(dataDir, plane.access), await startCoreDns(dataDir, binary))
    // the first seconds are to warm up
    for (const server of servers) dnsperf(server, file, Math.min(seconds, 3), ['-c', '20', '-q', '100'])
    for (let round = 0; round < rounds; round++) for (const server of servers) measure(server, file, seconds)
    const [own, peer] = servers as [Server, Server]
    const rows = servers.map(({ name, perSecond, latencies, process, lost }) => [
      name,
      spread(perSecond),
      ...[0.5, 0.99].map((q) => (quantile(latencies, q) * 1000).toFixed(0)),
      usageOf(process.pid as number).rssMb.toFixed(0),
      String(lost),
    ])
    await plane.stop()
    report('dns', [
      `# Cluster DNS with ${count} services, against CoreDNS`,
      '',
      `- questions a second: **${(quantile(own.perSecond, 0.5) / quantile(peer.perSecond, 0.5)).toFixed(2)}x** of CoreDNS`,
      `- p99 at ${RATE} questions a second: **${(quantile(peer.latencies, 0.99) / quantile(own.latencies, 0.99)).toFixed(2)}x** (above 1 is faster than CoreDNS)`,
      '',
      `UDP with EDNS, over loopback; each server on one core (CoreDNS with GOMAXPROCS=1 and its cache), dnsperf on another. ${rounds} rounds of ${seconds} s each, in turn. 50,000`,
      'questions at random: half A, 30 % AAAA without data, 10 % names that do not exist, 10 % SRV. Both servers follow the same API server.',
      '',
      ...table(['server', 'questions/s: median (min to max)', 'p50 us', 'p99 us', 'RSS MiB', 'lost'], rows),
    ])
  } finally {
    await Promise.all(servers.map((server) => stopProcess(server.process, 'SIGKILL')))
    rmSync(dataDir, { recursive: true, force: true })
  }
}

const [count = '10000', seconds = '10', rounds = '3'] = process.argv.slice(2)
await main(Number(count), Number(seconds), Number(rounds))
