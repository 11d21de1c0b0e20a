import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { build } from 'esbuild'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { HEALTH_PORT, inboundName, MESH_PORT, type ProxySettings, type SocketAddress } from '../src/policy/traffic/model/index.ts'
import { MESH_SOCKET_VARIABLE } from '../src/protocols/mesh-link.ts'
import { ControlPlane } from './proxy-support/control-plane.ts'
import { ask, Closers } from './proxy-support/peers.ts'
import { cluster, endpoints, inbound, inboundTarget, manager, meshCluster, outbound, routesTo } from './proxy-support/resources.ts'
import { Mesh, Sidecar, spiffeId } from './proxy-support/sidecar.ts'
import { freePort } from './support/free-port.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

/** A proxy as it runs in a pod, by its command, with several workers. */

const ADDRESS = '127.91.12.2'
const WORKERS = 3
const bundleDir = join(REPOSITORY, 'node_modules/.cache/biplane', `proxy-workers-${process.pid}`)
const mesh = new Mesh()
let closers: Closers
let folder: string
let control: ControlPlane
let proxy: ChildProcess
let gateway: SocketAddress
let said = ''

beforeAll(async () => {
  mkdirSync(bundleDir, { recursive: true })
  await build({
    absWorkingDir: REPOSITORY,
    entryPoints: ['src/cli/main.ts'],
    outfile: join(bundleDir, 'biplane.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    logLevel: 'warning',
  })
})
afterAll(() => rm(bundleDir, { recursive: true, force: true }))
beforeEach(async () => {
  closers = new Closers()
  said = ''
  folder = await mkdtemp(join(tmpdir(), 'workers-'))
  await writeFile(join(folder, 'token'), 'token\n')
  await mkdir(join(folder, 'state'))
  control = new ControlPlane(join(folder, 'link.sock'), (csr) => mesh.sign(csr, spiffeId('db')))
  closers.add(await control.start(), (one) => one.stop())
  gateway = { address: '127.0.0.1', port: await freePort() }
})
afterEach(async () => {
  if (proxy.exitCode === null && proxy.signalCode === null) {
    const ended = once(proxy, 'exit')
    proxy.kill('SIGKILL')
    await ended
  }
  await closers.run()
  await rm(folder, { recursive: true })
})

const settings = (listeners: readonly string[]): ProxySettings => ({
  name: 'db-1.shop',
  trust: mesh.trust,
  identity: spiffeId('db'),
  issuer: mesh.authority.id,
  metrics: { profile: 'all', include: [], exclude: [], includeUnused: false, applications: [] },
  listeners,
  passthrough: 'all',
})

function start(kind: 'gateway' | 'sidecar', env: Readonly<Record<string, string>> = { BIPLANE_WORKERS: String(WORKERS) }): void {
  proxy = spawn(process.execPath, [join(bundleDir, 'biplane.mjs'), 'proxy', kind], {
    env: {
      PATH: process.env['PATH'] ?? '',
      POD_NAMESPACE: 'shop',
      POD_NAME: 'db-1',
      POD_IPS: ADDRESS,
      SERVICE_ACCOUNT: 'db',
      [MESH_SOCKET_VARIABLE]: control.path,
      BIPLANE_MESH_TOKEN: join(folder, 'token'),
      BIPLANE_FILES: join(folder, 'state'),
      ...env,
    },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  proxy.stderr?.on('data', (chunk: Buffer) => (said += chunk.toString()))
}

const health = (path: string): ReturnType<typeof ask> => ask({ address: ADDRESS, port: HEALTH_PORT }, { path })

function ready(): Promise<true> {
  return poll('the proxy is ready', async () => ((await health('/ready')).status === 200 ? true : undefined), {
    withinMs: 10_000,
    everyMs: 50,
  }).catch((error: unknown) => {
    throw new Error(`${(error as Error).message}\n${said}`, { cause: error })
  })
}

/** A gateway with one listener, behind which is an application that says this. */
async function gatewayTo(text: string): Promise<void> {
  const app = await closers.http(
    '127.0.0.1',
    (request, response) => void setTimeout(() => response.end(text), request.url === '/slow' ? 600 : 0),
  )
  control.tell({
    listener: [
      {
        name: 'gateway|g',
        direction: 'gateway',
        address: { address: '0.0.0.0', port: gateway.port },
        protocol: 'http',
        chains: [{ name: 'http', match: {}, http: manager('web') }],
      },
    ],
    route: [routesTo('web', text)],
    cluster: [cluster(text)],
    endpoints: [endpoints(text, { address: app })],
    proxy: [settings(['gateway|g'])],
  })
}

const workers = (): readonly number[] =>
  readFileSync(`/proc/${proxy.pid}/task/${proxy.pid}/children`, 'utf8')
    .split(' ')
    .filter((text) => text.trim() !== '')
    .map(Number)

/** Inodes of sockets that listen at this port. */
const listening = (port: number): readonly string[] =>
  ['tcp', 'tcp6'].flatMap((file) =>
    readFileSync(`/proc/net/${file}`, 'utf8')
      .split('\n')
      .map((line) => line.trim().split(/\s+/))
      .filter(([, local, , state]) => state === '0A' && Number.parseInt(local?.split(':')[1] ?? '', 16) === port)
      .map((fields) => fields[9] as string),
  )

const sockets = (pid: number): readonly string[] =>
  readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return /^socket:\[(\d+)\]$/.exec(readlinkSync(`/proc/${pid}/fd/${fd}`))?.[1] ?? []
    } catch {
      return []
    }
  })

/** All have the one socket that listens at the port of the gateway. */
function sharing(): Promise<readonly number[]> {
  return poll(
    `${WORKERS} workers listen on one socket`,
    () => {
      const [pids, inodes] = [workers(), listening(gateway.port)]
      return pids.length === WORKERS && inodes.length === 1 && pids.every((pid) => sockets(pid).includes(inodes[0] as string))
        ? pids
        : undefined
    },
    { withinMs: 10_000, everyMs: 50 },
  )
}

/** Each on a connection of its own. */
const askMany = (count: number): Promise<readonly string[]> =>
  Promise.all(Array.from({ length: count }, async () => (await ask(gateway)).body))

async function requestsCounted(): Promise<number> {
  const { body } = await health('/metrics')
  return [...body.matchAll(/^envoy_http_downstream_rq_total\{[^}]*\} (\d+)$/gm)].reduce((sum, [, count]) => sum + Number(count), 0)
}

describe('a proxy of several workers', () => {
  it('has one port, one configuration and one set of metrics', async () => {
    await gatewayTo('one')
    start('gateway')
    await ready()
    await sharing()
    for (let i = 0; i < 5; i++) expect(new Set(await askMany(20))).toEqual(new Set(['one']))
    expect(await requestsCounted()).toBe(100)
    await gatewayTo('two')
    await poll('what is new is in force', async () => ((await ask(gateway)).body === 'two' ? true : undefined), { withinMs: 5_000 })
    await poll('and in all workers', async () => (new Set(await askMany(40)).size === 1 ? true : undefined), { withinMs: 5_000 })
    expect(new Set(await askMany(40))).toEqual(new Set(['two']))
    expect(control.refusals).toEqual([])
  })

  it('loses no listening when one is killed, or all of them: another one takes its place', async () => {
    await gatewayTo('one')
    start('gateway')
    await ready()
    const before = await sharing()
    await askMany(40)
    expect(await requestsCounted()).toBe(40)
    const [first] = before
    process.kill(first as number, 'SIGKILL')
    // connections that come meanwhile are those of the others, or wait in the queue of the socket: those the killed one had taken are gone with it
    await poll('it is gone', () => (existsSync(`/proc/${first}`) ? undefined : true))
    for (let i = 0; i < 10; i++) expect(new Set(await askMany(10))).toEqual(new Set(['one']))
    const after = await sharing()
    expect(after).not.toContain(first)
    expect(after.filter((pid) => before.includes(pid))).toHaveLength(WORKERS - 1)
    expect(await requestsCounted()).toBe(140)
    for (const pid of after) process.kill(pid, 'SIGKILL')
    await poll('all are gone', () => (after.some((pid) => existsSync(`/proc/${pid}`)) ? undefined : true))
    expect(listening(gateway.port)).toHaveLength(1)
    expect(new Set(await askMany(20))).toEqual(new Set(['one']))
    expect(await requestsCounted()).toBe(160)
    expect(said).toMatch(/a worker has ended, and another one takes its place/)
  })

  it('answers what it has begun when it is told to stop, and all processes end', async () => {
    await gatewayTo('one')
    start('gateway')
    await ready()
    const pids = await sharing()
    const slow = Array.from({ length: 12 }, () => ask(gateway, { path: '/slow' }))
    await poll('they are under way', async () => ((await requestsCounted()) === 12 ? true : undefined))
    const ended = once(proxy, 'exit')
    proxy.kill('SIGTERM')
    for (const { status, body } of await Promise.all(slow)) expect([status, body]).toEqual([200, 'one'])
    expect(await ended).toEqual([0, null])
    expect(pids.filter((pid) => existsSync(`/proc/${pid}`))).toEqual([])
    expect(listening(gateway.port)).toEqual([])
  })

  it('is killed: its workers end with it', async () => {
    await gatewayTo('one')
    start('gateway')
    await ready()
    const pids = await sharing()
    proxy.kill('SIGKILL')
    await poll('no worker is left', () => (pids.some((pid) => existsSync(`/proc/${pid}`)) ? undefined : true), { withinMs: 5_000 })
    expect(listening(gateway.port)).toEqual([])
  })

  it('shows one identity in all of them, and believes that of others', async () => {
    const client = closers.add(await new Sidecar({ address: '127.91.12.1', account: 'web', mesh }).start(), (one) => one.close())
    const app = await closers.http(ADDRESS, (request, response) => response.end(String(request.headers['x-forwarded-client-cert'] ?? '')))
    const { clusters, routes } = inboundTarget(app, 'http')
    control.tell({ listener: [inbound(app, 'http')], cluster: clusters, route: routes, proxy: [settings([inboundName(app.port)])] })
    start('sidecar')
    await ready()
    const vip = { address: '10.96.7.1', port: 80 }
    client.outboundTo = vip
    for (let i = 0; i < 20; i++) {
      // a cluster of another name has connections of its own
      client.tell({
        listeners: [outbound(vip, 'http', `db-${i}`)],
        routes: [routesTo(`outbound|${vip.address}|${vip.port}`, `db-${i}`)],
        clusters: [meshCluster(`db-${i}`, 'http')],
        endpoints: [endpoints(`db-${i}`, { address: app, identity: spiffeId('db'), meshPort: MESH_PORT })],
      })
      const { status, body } = await ask(client.intercepted.outbound)
      expect([status, body]).toEqual([200, expect.stringContaining(`URI=${spiffeId('web')}`)])
    }
  })

  it('is one process where nobody asks for more, and says what no number of workers is', async () => {
    await gatewayTo('one')
    start('gateway', {})
    await ready()
    expect(workers()).toEqual([])
    proxy.kill('SIGKILL')
    await once(proxy, 'exit')
    start('gateway', { BIPLANE_WORKERS: 'many' })
    expect((await once(proxy, 'exit'))[0]).not.toBe(0)
    expect(said).toMatch(/"many" is no number of workers/)
  })
})
