// Routes into the kernel, one and 100,000: the Fib, `ip -batch`, and BIRD's kernel protocol with static routes, interleaved in one run.
// Goals: one route <= 2 ms, 100,000 <= 1 s. Needs root, iproute2, nftables, bird2. Run: node scripts/bench.mjs fib [ROUNDS] [ROUTES]
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { formatPrefix } from '../src/base/ip.ts'
import { openFib } from '../src/data-plane/forwarding/fib/index.ts'
import { RouteSocket } from '../src/data-plane/forwarding/netlink/index.ts'
import { ROUTE_PROTOCOL, type FibRoute } from '../src/policy/route/fib-route.ts'
import { createNetworkLab, labProblem, type LabHost, type NetworkLab } from '../src/testing/network-lab/index.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'

const GATEWAYS = Array.from({ length: 8 }, (_, i) => Uint8Array.from([198, 18, 0, 2 + i]))
const HOPS = GATEWAYS.map((gateway) => [{ gateway, device: 'eth0' }])
const ONE_TRIES = 50
const WITHIN_MS = 60_000

/** Puts routes into the routing table of a namespace of its own. */
interface Peer {
  readonly name: string
  /** @returns milliseconds from the request until the kernel has all of them */
  load(): Promise<number>
  unload(): Promise<void>
  /** The same for one route in a table that is empty; it is gone again afterwards. */
  one(): Promise<number>
  close(): Promise<void>
}

const routeAt = (index: number): FibRoute => ({
  prefix: { family: 4, length: 24, bytes: Uint8Array.from([20 + (index >> 16), (index >> 8) & 255, index & 255, 0]) },
  nextHops: HOPS[index % HOPS.length] ?? [],
  metric: 20,
})
const ONE: FibRoute = { ...routeAt(0), prefix: { family: 4, length: 24, bytes: Uint8Array.from([100, 64, 0, 0]) } }

/** Routes in the namespace's tables, counted by the kernel. */
function countRoutes(host: LabHost): number {
  const text = host.inside(() => readFileSync('/proc/thread-self/net/fib_triestat', 'utf8'))
  return [...text.matchAll(/Prefixes:\s+(\d+)/g)].reduce((sum, [, count]) => sum + Number(count), 0)
}

async function until(what: string, isSo: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + WITHIN_MS; !(await isSo()); await delay(2))
    if (performance.now() > end) throw new Error(`not in time: ${what}`)
}

function ours(host: LabHost, routes: readonly FibRoute[]): Peer {
  const fib = openFib({ protocol: ROUTE_PROTOCOL.router, namespace: host.path })
  const timed = async (work: () => Promise<readonly object[]>): Promise<number> => {
    const begin = performance.now()
    const problems = await work()
    if (problems.length > 0) throw new Error(JSON.stringify(problems[0]))
    return performance.now() - begin
  }
  return {
    name: 'biplane',
    load: () => timed(() => fib.apply(routes, 1n)),
    unload: async () => void (await fib.apply([], 2n)),
    async one() {
      const took = await timed(() => fib.change({ add: [ONE], remove: [] }, 3n))
      await fib.change({ add: [], remove: [ONE] }, 4n)
      return took
    },
    close: () => fib.close(),
  }
}

function ipBatch(host: LabHost, routes: readonly FibRoute[], dir: string): Peer {
  const words = (route: FibRoute): string =>
    `${formatPrefix(route.prefix)} via ${route.nextHops[0]?.gateway?.join('.')} dev eth0 metric 20 proto 190`
  const file = join(dir, 'batch')
  writeFileSync(file, routes.map((route) => `route add ${words(route)}\n`).join(''))
  const timed = async (...argv: readonly string[]): Promise<number> => {
    const begin = performance.now()
    await host.must(['ip', ...argv], { timeoutMs: WITHIN_MS })
    return performance.now() - begin
  }
  return {
    name: 'ip',
    load: () => timed('-batch', file),
    unload: async () => void (await timed('route', 'flush', 'proto', '190')),
    async one() {
      const took = await timed('route', 'add', ...words(ONE).split(' '))
      await timed('route', 'del', ...words(ONE).split(' '))
      return took
    },
    close: async () => {},
  }
}

async function bird(host: LabHost, routes: readonly FibRoute[], dir: string): Promise<Peer> {
  const files = {
    config: join(dir, 'bird.conf'),
    routes: join(dir, 'routes.conf'),
    control: join(dir, 'bird.ctl'),
    pid: join(dir, 'bird.pid'),
  }
  const words = (route: FibRoute): string => `route ${formatPrefix(route.prefix)} via ${route.nextHops[0]?.gateway?.join('.')};\n`
  const text = routes.map(words).join('')
  writeFileSync(files.routes, '')
  writeFileSync(
    files.config,
    `router id 198.18.0.1;
protocol device { }
protocol kernel { metric 20; scan time 3600; ipv4 { import none; export all; }; }
protocol static { ipv4;
include "${files.routes}";
}
protocol static one { disabled; ipv4; ${words(ONE)} }
`,
  )
  const child = host.spawn(['bird', '-f', '-c', files.config, '-s', files.control, '-P', files.pid], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const control = await connectControl(files.control)
  const idle = countRoutes(host)
  const kernel = RouteSocket.open({ namespace: host.path })
  const has = async (isThere: boolean): Promise<void> => {
    while ((await kernel.routes({ family: 4, protocol: 12 })).length > 0 !== isThere);
  }
  return {
    name: 'BIRD',
    async load() {
      writeFileSync(files.routes, text)
      const begin = performance.now()
      control.write('configure\n')
      await until('BIRD has all routes', () => countRoutes(host) >= idle + routes.length)
      return performance.now() - begin
    },
    async unload() {
      writeFileSync(files.routes, '')
      control.write('configure\n')
      await until('BIRD has no routes', () => countRoutes(host) === idle)
    },
    async one() {
      const begin = performance.now()
      control.write('enable one\n')
      await has(true)
      const took = performance.now() - begin
      control.write('disable one\n')
      await has(false)
      return took
    },
    async close() {
      control.destroy()
      kernel.close()
      child.kill('SIGKILL')
    },
  }
}

async function connectControl(path: string): Promise<Socket> {
  let socket: Socket | undefined
  await until('BIRD answers', async () => {
    const attempt = connect(path)
    const isOpen = await new Promise<boolean>((resolve) => attempt.once('connect', () => resolve(true)).once('error', () => resolve(false)))
    if (isOpen) socket = attempt
    return isOpen
  })
  // what it says is of no interest, but has to be read
  return (socket as Socket).resume()
}

async function host(lab: NetworkLab, name: string): Promise<LabHost> {
  const made = await lab.host(name)
  await lab.segment([{ host: made, device: 'eth0', addresses: ['198.18.0.1/24'] }])
  return made
}

async function main(): Promise<void> {
  const [rounds = 3, count = 100_000] = process.argv.slice(2).map(Number)
  const problem = labProblem()
  if (problem !== '') throw new Error(`this bench ${problem}`)
  const dir = mkdtempSync(join(tmpdir(), 'bench-fib-'))
  const lab = await createNetworkLab()
  try {
    const routes = Array.from({ length: count }, (_, i) => routeAt(i))
    const peers = [
      ours(await host(lab, 'ours'), routes),
      ipBatch(await host(lab, 'ip'), routes, dir),
      await bird(await host(lab, 'bird'), routes, dir),
    ]
    const loads = peers.map((): number[] => [])
    const ones = peers.map((): number[] => [])
    for (let round = 0; round <= rounds; round++) {
      for (const [i, peer] of peers.entries()) {
        for (let n = 0; n < ONE_TRIES; n++) {
          const took = await peer.one()
          if (round > 0) ones[i]?.push(took)
        }
        const took = await peer.load()
        // the first round warms up
        if (round > 0) loads[i]?.push(took)
        await peer.unload()
      }
    }
    for (const peer of peers) await peer.close()
    const p50 = (values: readonly number[] | undefined): number => quantile(values ?? [], 0.5)
    const faster = (all: readonly (readonly number[])[], i: number): string => `${(p50(all[i]) / p50(all[0])).toFixed(1)}x`
    report('fib', [
      '# Routes into the kernel',
      '',
      `One route: ${faster(ones, 1)} faster than a run of \`ip\`, ${faster(ones, 2)} than BIRD. ${count} routes: ${faster(loads, 1)} faster than \`ip -batch\`, ${faster(loads, 2)} than BIRD (which reads its static routes from a file meanwhile).`,
      '',
      `- one route, p99: ${against(quantile(ones[0] ?? [], 0.99), { most: 2, unit: 'ms' })}`,
      `- ${count} routes: ${against(p50(loads[0]), { most: 1000, unit: 'ms' })}`,
      '',
      ...table(
        ['', 'one route, ms: p50', 'p99', `${count} routes, ms: median (least to most)`],
        peers.map(({ name }, i) => [name, p50(ones[i]).toFixed(2), quantile(ones[i] ?? [], 0.99).toFixed(2), spread(loads[i] ?? [])]),
      ),
      '',
      `${rounds} rounds, the peers by turns, each in a network namespace of its own; 8 gateways. From the request until the kernel has the routes.`,
    ])
  } finally {
    await lab.remove()
    rmSync(dir, { recursive: true, force: true })
  }
}

await main()
