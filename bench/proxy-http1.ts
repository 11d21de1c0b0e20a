// HTTP/1.1 through one proxy on one core, 64 connections kept alive: 100 bytes, 10 KB and 1 MB; the whole stack (fifty routes, rules on who may, forwarded
// headers, request ids, metrics, an access log in a file) against nginx, HAProxy and Envoy that do the same work, interleaved in one run. The figure is CPU
// microseconds of the proxy per request. Goals: <= 1.0x of nginx and HAProxy, <= 0.6x of Envoy.
// Needs wrk, nginx, taskset; HAProxy and Envoy (BIPLANE_ENVOY) as peers. Run: node scripts/bench.mjs proxy-http1 [ROUNDS] [SECONDS]
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './harness/control-plane.ts'
import { report, spread, table } from './harness/report.ts'
import { envoy, haproxy, nginx, present, startBackend } from './proxy/peers.ts'
import { interleave, listening, stopAll, wrk, type Target } from './proxy/run.ts'
import { runStackProxy, type StackOptions } from './proxy/stack-proxy.ts'
import { ASKED } from './proxy/work.ts'

const LOADS = [
  { name: '100 B', path: `${ASKED}100` },
  { name: '10 KB', path: `${ASKED}10k` },
  { name: '1 MB', path: `${ASKED}1m` },
] as const
const GOALS = [
  ['nginx', 1],
  ['HAProxy', 1],
  ['Envoy', 0.6],
] as const

async function main(rounds: number, seconds: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-http1-'))
  const upstreamPort = await freePort()
  const children: ChildProcess[] = [startBackend(dir, upstreamPort, 'http')]
  const targets: Target[] = []
  try {
    await listening(upstreamPort)
    for (const peer of present([nginx, haproxy, envoy])) {
      const port = await freePort()
      const log = join(dir, `${peer.name}.log`)
      const child = peer.start({ dir, name: peer.name, port, upstreamPort, downstream: 'http1', upstream: 'http', log })
      children.push(child)
      targets.push({ name: peer.name, port, children: [child] })
      await listening(port)
    }
    const results = await interleave(targets, LOADS, rounds, (target, { path }) => wrk(target, path, seconds))
    const has = (name: string): boolean => targets.some((target) => target.name === name)
    const names = targets.map(({ name }) => name)
    report('proxy-http1', [
      '# HTTP/1.1 through one proxy',
      '',
      ...LOADS.flatMap(({ name }) =>
        GOALS.filter(([peer]) => has(peer)).map(([peer, goal]) => results.verdict(name, 'biplane', peer, goal)),
      ),
      '',
      ...table(
        ['CPU us/request', ...names],
        LOADS.map(({ name }) => [name, ...names.map((target) => spread(results.values(name, target, 'micros'), 1))]),
      ),
      '',
      ...table(
        ['requests/s; p50 / p99, ms; busy', ...names],
        LOADS.map(({ name }) => [
          name,
          ...names.map((target) => {
            const of = (field: 'perSecond' | 'p50' | 'p99' | 'busy', digits: number): string =>
              results.median(name, target, field).toFixed(digits)
            return `${of('perSecond', 0)}; ${of('p50', 2)} / ${of('p99', 1)}; ${of('busy', 2)}`
          }),
        ]),
      ),
      '',
      `${rounds} rounds of ${seconds} s, interleaved; 64 connections; proxies on one core, wrk and the upstream (nginx) on the other. All do the same: one of`,
      '50 routes, a denial by a header and by address, x-request-id, x-forwarded-for and -proto, an access log in a file (nginx in pieces of 64 KB, Envoy by its',
      'own thread, ours in pieces of 32 KB or 50 ms, HAProxy line by line). Below a busy share of 0.9 the load was what limited requests and latencies.',
    ])
  } finally {
    await stopAll(children)
    rmSync(dir, { recursive: true, force: true })
  }
}

if (process.argv[2] === 'proxy') await runStackProxy(JSON.parse(process.argv[3] as string) as StackOptions)
else await main(Number(process.argv[2] ?? 5), Number(process.argv[3] ?? 2))
