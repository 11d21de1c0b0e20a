// One endpoint change to what 2,000 connected proxies have confirmed: simulated proxies (delta xDS, all 1,000 services of ten endpoints, fifty on a connection)
// on our control plane, from the API's EndpointSlice on, and on go-control-plane, from its cache on, interleaved in one run. Goals: p50 <= 120 ms, p99 <= 300 ms,
// less CPU of the control plane per proxy and push than go-control-plane. Then 10,000 proxies on ours: memory <= 1.5 GB, push rate.
// Needs go for the peer. Run: node scripts/bench.mjs mesh-push [CHANGES] [PROXIES] [MANY_PROXIES]
import { execFileSync, fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { clusterName } from '../src/policy/traffic/compile/index.ts'
import { TYPE_URL } from '../src/policy/traffic/model/index.ts'
import { against, quantile, report, table } from './harness/report.ts'
import { usageOf } from './harness/usage.ts'
import { runClients, type ClientNews, type ClientOptions } from './mesh-push/clients.ts'
import { runControl } from './mesh-push/control.ts'
import type { Scale } from './mesh-push/scale.ts'

const root = resolve(process.env['BIPLANE_ROOT'] ?? '.')
const SERVICES = 1_000
const ENDPOINTS = 10
const ENVOY_ENDPOINTS = 'type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment'
const WAIT_MS = 600_000

/** A control plane with its proxies. */
interface Side {
  readonly name: string
  readonly server: ChildProcess
  readonly clients: ChildProcess
  readonly synced: { readonly seconds: number; readonly megabytes: number; readonly cpuMs: number }
  change(service: number): void
  readonly latencies: number[]
  cpuMs: number
  pushes: number
}

const self = (role: string, options: object): ChildProcess => {
  const flags = (process.env['BIPLANE_NODE_ARGS'] ?? '').split(' ').filter((flag) => flag !== '' && role === 'control')
  const child = fork(process.argv[1] as string, [role], { execArgv: [...process.execArgv, ...flags] })
  // too many uids for an argument
  child.send(options)
  return child
}

async function message<T>(child: ChildProcess): Promise<T> {
  const timer = AbortSignal.timeout(WAIT_MS)
  const [news] = (await once(child, 'message', { signal: timer })) as [T]
  return news
}

async function heard(clients: ChildProcess): Promise<Exclude<ClientNews, { type: 'failed' }>> {
  const news = await message<ClientNews>(clients)
  if (news.type === 'failed') throw new Error(`a proxy's stream has ended: ${news.reason}`)
  return news
}

async function connected(name: string, server: ChildProcess, options: ClientOptions, change: Side['change']): Promise<Side> {
  const before = usageOf(server.pid as number).cpuMs
  const clients = self('clients', options)
  const news = await heard(clients)
  if (news.type !== 'synced') throw new Error('a change came before all were there')
  const synced = { ...news, cpuMs: usageOf(server.pid as number).cpuMs - before }
  return { name, server, clients, synced, change, latencies: [], cpuMs: 0, pushes: 0 }
}

async function ours(scale: Scale, bring: boolean): Promise<Side> {
  const server = self('control', scale)
  const { uids } = await message<{ uids: string[] }>(server)
  const names = Array.from({ length: scale.services }, (_, i) => clusterName('default', `s${i}`, 80))
  const options = { ...scale, typeUrl: TYPE_URL.endpoints, names, uids, bring }
  return connected('biplane', server, options, (service) => server.send(service))
}

async function peer(cache: 'linear' | 'snapshot', scale: Scale, binary: string): Promise<Side> {
  const server = spawn(binary, [scale.path, cache, `${scale.services}`, `${scale.endpoints}`], { stdio: ['pipe', 'pipe', 'inherit'] })
  await once(server.stdout, 'data')
  const names = Array.from({ length: scale.services }, (_, i) => `default/s${i}/80`)
  const options = { ...scale, typeUrl: ENVOY_ENDPOINTS, names, uids: [], bring: false }
  return connected(`go-control-plane, ${cache} cache`, server, options, (service) => server.stdin.write(`${service}\n`))
}

/** Undefined, and a line that says why: it cannot be built here. */
function buildPeer(): string | undefined {
  const target = join(root, 'node_modules/.cache/biplane/mesh-push/server')
  if (existsSync(target)) return target
  try {
    mkdirSync(join(target, '..'), { recursive: true })
    execFileSync('go', ['build', '-o', target, '.'], { cwd: join(root, 'bench/mesh-push'), stdio: ['ignore', 'inherit', 'inherit'] })
    return target
  } catch (error) {
    console.error(`no go-control-plane: ${String(error)}`)
    return undefined
  }
}

async function push(side: Side, proxies: number, service: number): Promise<void> {
  side.clients.send('change')
  const cpu = usageOf(side.server.pid as number).cpuMs
  const start = Number(process.hrtime.bigint())
  side.change(service)
  const news = await heard(side.clients)
  if (news.type !== 'changed') throw new Error('proxies connected again')
  side.latencies.push(...news.at.map((at) => (at - start) / 1e6))
  // what comes after the last confirmation was sent belongs to it
  await new Promise((done) => setTimeout(done, 100))
  side.cpuMs += usageOf(side.server.pid as number).cpuMs - cpu
  side.pushes += proxies
}

/** Ours go by themselves, so that what they have measured of themselves is written. */
const end = (side: Side): void => {
  for (const child of [side.server, side.clients]) if (child.connected) child.disconnect()
  if (side.server.stdin) side.server.kill()
}

async function main(changes: number, proxies: number, many: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'mesh-push-'))
  const scale = (name: string, count: number): Scale => ({
    path: join(dir, name),
    proxies: count,
    services: SERVICES,
    endpoints: ENDPOINTS,
  })
  const sides: Side[] = []
  try {
    const binary = buildPeer()
    sides.push(await ours(scale('biplane', proxies), false))
    if (binary) for (const cache of ['linear', 'snapshot'] as const) sides.push(await peer(cache, scale(cache, proxies), binary))
    for (let i = 0; i < changes; i++) for (const side of sides) await push(side, proxies, (i * 7) % SERVICES)
    const rows = sides.map((side) => [side, usageOf(side.server.pid as number)] as const)
    for (const side of sides) end(side)
    const micros = (side: Side): number => (side.cpuMs * 1_000) / side.pushes
    const [first, ...peers] = sides as [Side, ...Side[]]
    const large = many > 0 ? await atScale(scale('many', many), changes) : undefined
    report('mesh-push', [
      '# One endpoint change to all proxies',
      '',
      `p50, ${proxies} proxies: ${against(quantile(first.latencies, 0.5), { most: 120, unit: 'ms' })}`,
      '',
      `p99: ${against(quantile(first.latencies, 0.99), { most: 300, unit: 'ms' })}`,
      '',
      ...peers.flatMap((other) => [
        `CPU per proxy and push, against ${other.name}: ${against(micros(first), { most: Math.round(micros(other)), unit: 'us' })}`,
        '',
      ]),
      ...(large ? [`memory with ${many} proxies: ${against(large.rssMb, { most: 1_500, unit: 'MB' })}`, ''] : []),
      ...table(
        [
          '',
          'p50 ms',
          'p99 ms',
          'most ms',
          'CPU us per proxy and push',
          'memory MB',
          'all proxies connected, s',
          'of those CPU, s',
          'MB sent',
        ],
        rows.map(([side, { rssMb }]) => [
          side.name,
          ...[0.5, 0.99, 1].map((q) => quantile(side.latencies, q).toFixed(1)),
          micros(side).toFixed(1),
          rssMb.toFixed(0),
          side.synced.seconds.toFixed(1),
          (side.synced.cpuMs / 1_000).toFixed(1),
          side.synced.megabytes.toFixed(0),
        ]),
      ),
      '',
      ...(large ? large.lines : []),
      `${changes} changes of one endpoint, gone and back, among ${SERVICES} services of ${ENDPOINTS} endpoints, each subscribed by name by each proxy; one change`,
      'after the other. From the command to the confirmation as the proxy writes it. Ours has the whole way in it: the write to the API (a store in memory),',
      'the informer, the compiler; go-control-plane gets the finished resource in its cache. Proxies are streams of a process of their own, fifty on a connection.',
    ])
  } finally {
    for (const side of sides) end(side)
    rmSync(dir, { recursive: true, force: true })
  }
}

async function atScale(scale: Scale, changes: number): Promise<{ readonly rssMb: number; readonly lines: readonly string[] }> {
  const side = await ours(scale, true)
  try {
    for (let i = 0; i < changes; i++) await push(side, scale.proxies, (i * 7) % SERVICES)
    const { rssMb, peakRssMb } = usageOf(side.server.pid as number)
    const [p50, p99] = [0.5, 0.99].map((q) => quantile(side.latencies, q)) as [number, number]
    return {
      rssMb: peakRssMb,
      lines: [
        `${scale.proxies} proxies that come back with what they had: all connected after ${side.synced.seconds.toFixed(1)} s; a change p50 ${p50.toFixed(0)}, p99`,
        `${p99.toFixed(0)} ms; ${((scale.proxies * 1_000) / Math.max(...side.latencies)).toFixed(0)} pushes a second in the slowest; CPU`,
        `${((side.cpuMs * 1_000) / side.pushes).toFixed(1)} us per proxy and push; memory ${rssMb.toFixed(0)} MB, ${peakRssMb.toFixed(0)} MB at most, the API's store in it.`,
        '',
      ],
    }
  } finally {
    end(side)
  }
}

const [, , role] = process.argv
if (role === 'control') process.once('message', (scale) => void runControl(scale as Scale))
else if (role === 'clients') process.once('message', (options) => runClients(options as ClientOptions))
else await main(Number(role ?? 20), Number(process.argv[3] ?? 2_000), Number(process.argv[4] ?? 10_000))
