// HTTP/1.1 through one proxy on one core, 64 connections kept alive: 100 bytes, 10 KB and 1 MB; against nginx and HAProxy, interleaved in one run. The figure
// is CPU microseconds of the proxy per request. Goal: <= 1.15x of nginx. Exchanges, but no layers yet.
// Needs wrk, nginx, taskset; haproxy as a peer. Run: node scripts/bench.mjs proxy-http1 [ROUNDS] [SECONDS]
import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { freePort, stopProcess } from './harness/control-plane.ts'
import { quantile, report, spread, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'
import { PEERS, startBackend, type Peer } from './proxy-http1/peers.ts'
import { runProxy } from './proxy-http1/run-proxy.ts'
import { listening } from './proxy-http2/peers.ts'
import type { TransportName } from '../src/data-plane/proxy/transport/choose-transport.ts'

const GOAL = 1.15
const LOADS = [
  { name: '100 B', path: '/' },
  { name: '10 KB', path: '/10k' },
  { name: '1 MB', path: '/1m' },
] as const

/** CPU microseconds of `pid` per request. @throws when requests fail */
async function measure(pid: number, url: string, seconds: number): Promise<number> {
  const before = usageOf(pid).cpuMs
  const argv = ['-c', '0', 'wrk', '-t1', '-c64', `-d${seconds}s`, url]
  const { stdout } = await promisify(execFile)('taskset', argv, { timeout: 60_000 })
  const requests = Number(/(\d+) requests in/.exec(stdout)?.[1] ?? 0)
  if (requests === 0 || /Non-2xx|Socket errors/.test(stdout)) throw new Error(`requests failed:\n${stdout}`)
  return ((usageOf(pid).cpuMs - before) * 1000) / requests
}

async function main(rounds: number, seconds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-http1-'))
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
          const micros = await measure(child.pid as number, `http://127.0.0.1:${port}${load.path}`, seconds)
          // the first round warms up
          if (round >= 0) results.set(`${load.name} ${peer.name}`, [...(results.get(`${load.name} ${peer.name}`) ?? []), micros])
        }
      }
    }
  } finally {
    for (const { child } of running) await stopProcess(child, 'SIGTERM')
    await stopProcess(backend, 'SIGTERM')
    rmSync(dir, { recursive: true, force: true })
  }
  const median = (load: string, name: string): number => quantile(results.get(`${load} ${name}`) as number[], 0.5)
  report('proxy-http1', [
    '# HTTP/1.1 through one proxy',
    '',
    ...LOADS.map(({ name }) => {
      const ratio = median(name, 'biplane') / median(name, 'nginx')
      return `- ${name}, against nginx: **${ratio.toFixed(2)}x** of its CPU per request${ratio <= GOAL ? '' : ', **missed**'} (goal <= ${GOAL}x)`
    }),
    '',
    ...table(
      ['CPU us/request', ...PEERS.map(({ name }) => name)],
      LOADS.map(({ name }) => [name, ...PEERS.map((peer) => spread(results.get(`${name} ${peer.name}`) as number[], 1))]),
    ),
    '',
    `${rounds} rounds of ${seconds} s, interleaved; 64 connections; proxies on one core, wrk and nginx on the other. Ours runs exchanges without layers.`,
  ])
}

if (process.argv[2] === 'proxy') await runProxy(Number(process.argv[3]), Number(process.argv[4]), process.argv[5] as TransportName)
else await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 2))
