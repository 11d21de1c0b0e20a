// HTTP/2 through one proxy on one core: GET, and POST with trailers as gRPC has them, 16 connections with 10 streams each; against HAProxy and nghttpx,
// interleaved in one run. The figure is CPU microseconds of the proxy per request. Goal: <= 1.0x of either. Exchanges, but no layers yet.
// Needs h2load, nginx, taskset; haproxy, nghttpx as peers. Run: node scripts/bench.mjs proxy-http2 [ROUNDS] [REQUESTS]
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, stopProcess } from './harness/control-plane.ts'
import { quantile, report, spread, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'
import { listening, type Peer, PEERS, startBackend } from './proxy-http2/peers.ts'
import { runProxy } from './proxy-http2/run-proxy.ts'

const LOADS = [
  { name: 'GET 100 B', path: '/', post: false },
  { name: 'POST 100 B with trailers', path: '/grpc', post: true },
] as const

/** CPU microseconds of `pid` per request. @throws when requests fail */
async function measure(pid: number, port: number, body: string, load: (typeof LOADS)[number], requests: number): Promise<number> {
  const before = usageOf(pid).cpuMs
  const argv = [
    '-c',
    '0',
    'h2load',
    '-c16',
    '-m10',
    `-n${requests}`,
    ...(load.post ? ['-d', body, '-H', 'content-type: application/grpc', '-H', 'te: trailers'] : []),
  ]
  const { stdout } = await promisify(execFile)('taskset', [...argv, `http://127.0.0.1:${port}${load.path}`], { timeout: 60_000 })
  if (!stdout.includes(`${requests} succeeded, 0 failed`)) throw new Error(`requests failed:\n${stdout}`)
  return ((usageOf(pid).cpuMs - before) * 1000) / requests
}

async function main(rounds: number, requests: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-http2-'))
  const body = join(dir, 'body')
  writeFileSync(body, Buffer.alloc(100, 'y'))
  const results = new Map<string, number[]>()
  const upstreamPort = await freePort()
  const backend = startBackend(dir, upstreamPort)
  const running: { readonly peer: Peer; readonly port: number; readonly child: ReturnType<Peer['start']> }[] = []
  try {
    await listening(upstreamPort)
    for (const peer of PEERS) {
      const port = await freePort()
      running.push({ peer, port, child: peer.start(dir, port, upstreamPort) })
      await listening(port)
    }
    for (let round = -1; round < rounds; round++) {
      for (const load of LOADS) {
        for (const { peer, port, child } of running) {
          const micros = await measure(child.pid as number, port, body, load, requests)
          // The first round warms up.
          if (round >= 0) results.set(`${load.name} ${peer.name}`, [...(results.get(`${load.name} ${peer.name}`) ?? []), micros])
        }
      }
    }
  } finally {
    for (const { child } of running) await stopProcess(child, 'SIGTERM')
    await stopProcess(backend, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
  }
  const median = (load: string, peer: Peer): number => quantile(results.get(`${load} ${peer.name}`) as number[], 0.5)
  const [own, ...others] = PEERS as [Peer, ...Peer[]]
  report('proxy-http2', [
    '# HTTP/2 through one proxy',
    '',
    ...LOADS.flatMap(({ name }) =>
      others.map((peer) => {
        const ratio = median(name, own) / median(name, peer)
        return `- ${name}, against ${peer.name}: **${ratio.toFixed(2)}x** of its CPU per request${ratio <= 1 ? '' : ', **missed**'} (goal <= 1.00x)`
      }),
    ),
    '',
    ...table(
      ['CPU us/request', ...PEERS.map(({ name }) => name)],
      LOADS.map(({ name }) => [name, ...PEERS.map((peer) => spread(results.get(`${name} ${peer.name}`) as number[], 1))]),
    ),
    '',
    `${rounds} rounds of ${requests} requests, interleaved; 16 connections with 10 streams; proxies on one core, load and nginx on the other. Ours runs exchanges without layers.`,
  ])
}

if (process.argv[2] === 'proxy') await runProxy(Number(process.argv[3]), Number(process.argv[4]))
else await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 40_000))
