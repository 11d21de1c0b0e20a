// Mutual TLS between two proxies, as between two sidecars: client -> proxy -> TLS 1.3 -> proxy -> upstream, both proxies on one core, with the whole stack; against
// HAProxy to HAProxy and Envoy to Envoy with the same certificates (P-256), interleaved in one run. Figures: CPU microseconds of both proxies per request over
// HTTP/1.1 and gRPC, new connections, memory. Goals: <= 1.1x of HAProxy, <= 0.7x of Envoy; new connections >= 0.8x of HAProxy's; 45 MB at rest, 2 MB for 1,000
// clusters more. Needs wrk, h2load, openssl, nginx, taskset; HAProxy and Envoy (BIPLANE_ENVOY) as peers. Run: node scripts/bench.mjs proxy-mtls [ROUNDS] [SECONDS]
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort, stopProcess } from './harness/control-plane.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'
import { writeCertificates } from './proxy/certificates.ts'
import { handshakes } from './proxy/handshakes.ts'
import { envoy, haproxy, ours, present, startBackend, type Peer } from './proxy/peers.ts'
import { grpcCall, h2load, interleave, listening, Results, stopAll, wrk, type Target } from './proxy/run.ts'
import { runStackProxy, type StackOptions } from './proxy/stack-proxy.ts'
import { ASKED } from './proxy/work.ts'

const HTTP = { name: 'HTTP/1.1, 100 B', path: `${ASKED}100`, protocol: 'http' } as const
const GRPC = { name: 'gRPC unary, 100 B', path: `${ASKED}grpc`, protocol: 'http2' } as const
const GOALS = [
  ['HAProxy', 1.1],
  ['Envoy', 0.7],
] as const
const REST_MS = 3_000
const CLUSTERS = 1_000

interface Hop extends Target {
  /** Of the second proxy: TLS. */
  readonly tlsPort: number
}

async function startHop(peer: Peer, protocol: 'http' | 'http2', dir: string, upstreamPort: number): Promise<Hop> {
  const [port, tlsPort] = [await freePort(), await freePort()]
  const name = `${peer.name}-${protocol}`
  const common = { dir, certificates: dir, downstream: protocol === 'http2' ? 'http2' : 'http1' } as const
  // between our own it is HTTP/2 whatever the applications speak; the others speak what they speak by default
  const second = peer.start({
    ...common,
    name: `${name}-in`,
    port: tlsPort,
    upstreamPort,
    upstream: protocol,
    tls: 'in',
    log: join(dir, `${name}-in.log`),
  })
  const first = peer.start({
    ...common,
    name: `${name}-out`,
    port,
    upstreamPort: tlsPort,
    upstream: protocol,
    tls: 'out',
    log: join(dir, `${name}-out.log`),
  })
  await listening(tlsPort)
  await listening(port)
  return { name: peer.name, port, tlsPort, children: [first, second] }
}

interface Memory {
  readonly restMb: number
  readonly withClustersMb: number
}

async function measureMemory(): Promise<Memory> {
  const restMb = async (idleClusters: number): Promise<number> => {
    const port = await freePort()
    const child = ours.start({ dir: '', name: '', port, upstreamPort: 9, downstream: 'http1', upstream: 'http', idleClusters })
    try {
      await listening(port)
      await delay(REST_MS)
      return usageOf(child.pid as number).rssMb
    } finally {
      await stopProcess(child, 'SIGTERM')
    }
  }
  return { restMb: await restMb(0), withClustersMb: await restMb(CLUSTERS) }
}

async function main(rounds: number, seconds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-mtls-'))
  writeCertificates(dir)
  const body = join(dir, 'body')
  writeFileSync(body, Buffer.alloc(100, 'y'))
  const children: ChildProcess[] = []
  try {
    const peers = present([haproxy, envoy])
    const names = peers.map(({ name }) => name)
    const results = new Results()
    const rates = new Map<string, number[]>()
    for (const { name, path, protocol } of [HTTP, GRPC]) {
      const upstreamPort = await freePort()
      const backend = startBackend(dir, upstreamPort, protocol)
      const hops: Hop[] = []
      children.push(backend)
      await listening(upstreamPort)
      for (const peer of peers) hops.push(await startHop(peer, protocol, dir, upstreamPort))
      children.push(...hops.flatMap((hop) => hop.children))
      const load = (target: Target) =>
        protocol === 'http' ? wrk(target, path, seconds) : h2load(target, path, 10_000 * seconds, grpcCall(body))
      results.take(await interleave(hops, [{ name }], rounds, load))
      const handshakeRounds = protocol === 'http' ? rounds : 0
      for (let round = 0; round < handshakeRounds; round++) {
        for (const { name: peer, tlsPort, children: processes } of hops) {
          const found = await handshakes(dir, tlsPort, processes[1] as ChildProcess, seconds)
          rates.set(peer, [...(rates.get(peer) ?? []), found])
        }
      }
      await stopAll([backend, ...hops.flatMap((hop) => hop.children)])
    }
    const memory = await measureMemory()
    const rate = (peer: string): number => quantile(rates.get(peer) ?? [], 0.5)
    const ratio = rate('HAProxy') / rate('biplane')
    report('proxy-mtls', [
      '# Mutual TLS between two proxies',
      '',
      ...[HTTP, GRPC].flatMap(({ name }) =>
        GOALS.filter(([peer]) => names.includes(peer)).map(([peer, goal]) => results.verdict(name, 'biplane', peer, goal)),
      ),
      ...(names.includes('HAProxy')
        ? [
            `- new connections for a second of CPU, against HAProxy: **${ratio.toFixed(2)}x**${ratio >= 0.8 ? '' : ', **missed**'} (goal >= 0.80x)`,
          ]
        : []),
      `- memory of a proxy at rest: ${against(memory.restMb, { most: 45, unit: 'MB' })}`,
      `- memory for ${CLUSTERS} clusters of three endpoints: ${against(memory.withClustersMb - memory.restMb, { most: 2, unit: 'MB' })}`,
      '',
      ...table(
        ['CPU us/request, both proxies', ...names],
        [HTTP, GRPC].map(({ name }) => [name, ...names.map((peer) => spread(results.values(name, peer, 'micros'), 1))]),
      ),
      '',
      ...table(
        ['', ...names],
        [['CPU us for a new TLS 1.3 connection with client certificate', ...names.map((peer) => spread(rates.get(peer) ?? [], 0))]],
      ),
      '',
      `${rounds} rounds of ${seconds} s, interleaved; HTTP/1.1: 64 connections; gRPC: 16 connections with 10 streams. Between ours it is always HTTP/2, as between sidecars;`,
      'between the others HTTP/1.1 for HTTP/1.1 and HTTP/2 for gRPC. Every proxy has the work of proxy-http1. Memory is resident, shared pages of Node counted in.',
      ...results.failures(),
    ])
  } finally {
    await stopAll(children)
    rmSync(dir, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'proxy') await runStackProxy(JSON.parse(process.argv[3] as string) as StackOptions)
else await main(Number(process.argv[2] ?? 3), Number(process.argv[3] ?? 2))
