// HTTP/2 through one proxy on one core: GET, and POST with trailers as unary gRPC has them, 16 connections with 10 streams each; the whole stack (fifty routes,
// rules on who may, forwarded headers, request ids, metrics, an access log in a file), and the engine without layers, against HAProxy, nghttpx and Envoy that do
// the stack's work, interleaved in one run. The figure is CPU microseconds of the proxy per request. Goals: <= 1.0x of HAProxy and nghttpx, <= 0.6x of Envoy.
// Needs h2load, nginx, taskset; HAProxy, nghttpx and Envoy (BIPLANE_ENVOY) as peers. Run: node scripts/bench.mjs proxy-http2 [ROUNDS] [REQUESTS]
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from './harness/control-plane.ts'
import { report, spread, table } from './harness/report.ts'
import { envoy, haproxy, nghttpx, onCore, PROXY_CORE, present, startBackend, type Peer } from './proxy/peers.ts'
import { grpcCall, h2load, interleave, listening, stopAll, type Target } from './proxy/run.ts'
import { runStackProxy, type StackOptions } from './proxy/stack-proxy.ts'
import { ASKED } from './proxy/work.ts'
import { runProxy } from './proxy-http2/run-proxy.ts'

const LOADS = [
  { name: 'gRPC unary, 100 B', path: `${ASKED}grpc` },
  { name: 'GET 100 B', path: `${ASKED}100` },
] as const
const GOALS = [
  ['HAProxy', 1],
  ['nghttpx', 1],
  ['Envoy', 0.6],
] as const

/** Exchanges and nothing else. */
const engine: Peer = {
  name: 'engine alone',
  start: ({ port, upstreamPort }) =>
    onCore(PROXY_CORE, [process.execPath, process.argv[1] as string, 'engine', String(port), String(upstreamPort)]),
}

async function main(rounds: number, requests: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'proxy-http2-'))
  const body = join(dir, 'body')
  writeFileSync(body, Buffer.alloc(100, 'y'))
  const upstreamPort = await freePort()
  const children: ChildProcess[] = [startBackend(dir, upstreamPort, 'http2')]
  const targets: Target[] = []
  try {
    await listening(upstreamPort)
    const [own, ...others] = present([haproxy, nghttpx, envoy]) as [Peer, ...Peer[]]
    for (const peer of [own, engine, ...others]) {
      const port = await freePort()
      const log = join(dir, `${peer.name}.log`)
      const child = peer.start({ dir, name: peer.name, port, upstreamPort, downstream: 'http2', upstream: 'http2', log })
      children.push(child)
      targets.push({ name: peer.name, port, children: [child] })
      await listening(port)
    }
    const results = await interleave(targets, LOADS, rounds, (target, { path }) =>
      h2load(target, path, requests, path.endsWith('grpc') ? grpcCall(body) : []),
    )
    const names = targets.map(({ name }) => name)
    report('proxy-http2', [
      '# HTTP/2 and gRPC through one proxy',
      '',
      ...LOADS.flatMap(({ name }) =>
        GOALS.filter(([peer]) => names.includes(peer)).map(([peer, goal]) => results.verdict(name, 'biplane', peer, goal)),
      ),
      '',
      ...table(
        ['CPU us/request', ...names],
        LOADS.map(({ name }) => [name, ...names.map((target) => spread(results.values(name, target, 'micros'), 1))]),
      ),
      '',
      ...table(
        ['requests/s; busy', ...names],
        LOADS.map(({ name }) => [
          name,
          ...names.map(
            (target) => `${results.median(name, target, 'perSecond').toFixed(0)}; ${results.median(name, target, 'busy').toFixed(2)}`,
          ),
        ]),
      ),
      '',
      `${rounds} rounds of ${requests} requests, interleaved; 16 connections with 10 streams; proxies on one core, h2load and the upstream (nginx) on the other. All`,
      'but the engine alone do the same: one of 50 routes, a denial by a header and by address (not nghttpx), x-request-id (not nghttpx), x-forwarded-for and -proto,',
      'an access log in a file (Envoy by its own thread, ours in pieces, the others line by line). "Engine alone" has exchanges and no layers.',
      ...results.failures(),
    ])
  } finally {
    await stopAll(children)
    rmSync(dir, { recursive: true, force: true })
  }
}

const [, , command, ...args] = process.argv
if (command === 'proxy') await runStackProxy(JSON.parse(args[0] as string) as StackOptions)
else if (command === 'engine') await runProxy(Number(args[0]), Number(args[1]))
else await main(Number(command ?? 5), Number(args[0] ?? 40_000))
