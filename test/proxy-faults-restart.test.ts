import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock, type Clock } from '../src/base/clock.ts'
import { silentLogger, type LogFields, type Logger } from '../src/base/log.ts'
import { runProxy } from '../src/cli/compose/proxy.ts'
import { HEALTH_PORT, inboundName, MESH_PORT, type ProxySettings, type SocketAddress } from '../src/policy/traffic/model/index.ts'
import { ask, Closers } from './proxy-support/peers.ts'
import { ControlPlane } from './proxy-support/control-plane.ts'
import { endpoints, inbound, inboundTarget, meshCluster, outbound, routesTo } from './proxy-support/resources.ts'
import { Mesh, Sidecar, spiffeId } from './proxy-support/sidecar.ts'
import { poll } from './support/poll.ts'

const ADDRESS = '127.91.9.2'
const HOUR_MS = 3_600_000
const mesh = new Mesh()
let closers: Closers
let client: Sidecar
let folder: string
let app: SocketAddress
let control: ControlPlane
/** What the proxy said, warnings and errors. */
const said: string[] = []

/** One life of the proxy that is looked at. */
interface Life {
  stop(): Promise<void>
}

beforeAll(async () => {
  client = await new Sidecar({ address: '127.91.9.1', account: 'web', mesh }).start()
})
afterAll(() => client.close())
beforeEach(async () => {
  closers = new Closers()
  said.length = 0
  folder = await mkdtemp(join(tmpdir(), 'proxy-'))
  await writeFile(join(folder, 'token'), 'token\n')
  await mkdir(join(folder, 'state'))
  app = await closers.http(ADDRESS, (_, response) => response.end('served'))
  control = new ControlPlane(join(folder, 'link.sock'), (csr) => mesh.sign(csr, spiffeId('db')))
  control.tell({ ...inboundOf('http'), proxy: [settings()] })
  closers.add(await control.start(), (one) => one.stop())
  call()
})
afterEach(async () => {
  await closers.run()
  await rm(folder, { recursive: true })
})

const settings = (): ProxySettings => ({
  name: 'db-1.shop',
  trust: mesh.trust,
  identity: spiffeId('db'),
  issuer: mesh.authority.id,
  metrics: { profile: 'basic', include: [], exclude: [], includeUnused: false, applications: [] },
  listeners: [inboundName(app.port)],
  passthrough: 'all',
})

function inboundOf(protocol: 'http' | 'tcp'): Parameters<ControlPlane['tell']>[0] {
  const { clusters, routes } = inboundTarget(app, protocol)
  return { listener: [inbound(app, protocol)], cluster: clusters, route: routes }
}

/** Lets the client call the proxy that is looked at. */
function call(): void {
  const vip = { address: '10.96.7.1', port: 80 }
  client.tell({
    listeners: [outbound(vip, 'http', 'db')],
    routes: [routesTo(`outbound|${vip.address}|${vip.port}`, 'db')],
    clusters: [meshCluster('db', 'http')],
    endpoints: [endpoints('db', { address: app, identity: spiffeId('db'), meshPort: MESH_PORT })],
  })
  client.outboundTo = vip
}

const served = (): ReturnType<typeof ask> => ask(client.intercepted.outbound)
const health = (path = '/ready'): ReturnType<typeof ask> => ask({ address: ADDRESS, port: HEALTH_PORT }, { path })

/** Until the proxy says that it is ready; or, with a text, until it says that it is not, and why. */
function ready(why?: RegExp): Promise<true> {
  const expected = why ? `not ready: ${String(why)}` : 'ready'
  const look = async (): Promise<true | undefined> => {
    const { status, body } = await health()
    if (why ? status === 503 && why.test(body) : status === 200) return true
    throw new Error(`${status} ${body}`)
  }
  return poll(expected, look, { withinMs: 5_000, everyMs: 20 })
}

function start(clock: Clock = systemClock): Life {
  const stopping = new AbortController()
  const note = (message: string, fields?: LogFields): void => void said.push(`${message} ${JSON.stringify(fields)}`)
  const log: Logger = { ...silentLogger, warn: note, error: note }
  const running = runProxy(
    {
      kind: 'sidecar',
      namespace: 'shop',
      pod: 'db-1',
      ips: [ADDRESS],
      node: 'a',
      serviceAccount: 'db',
      meshSocket: control.path,
      tokenPath: join(folder, 'token'),
      stateDir: join(folder, 'state'),
      probes: {},
      clock,
      random: Math.random,
      log,
      stopGraceMs: 1_000,
    },
    stopping.signal,
  )
  const life = {
    stop: async () => {
      stopping.abort()
      await running
    },
  }
  return closers.add(life, (one) => one.stop())
}

const state = (file: string): string => join(folder, 'state', file)

/** A proxy that has lived, and a control plane that does no more. */
async function lived(): Promise<void> {
  const life = start()
  await ready()
  expect(await served()).toMatchObject({ status: 200, body: 'served' })
  await life.stop()
  expect(await readdir(join(folder, 'state'))).toEqual(['config.json', 'identity.json'])
  await control.stop()
  said.length = 0
}

describe('a proxy that starts while the control plane is away', () => {
  it('serves with the configuration and the identity that it had', async () => {
    await lived()
    const before = await readFile(state('identity.json'), 'utf8')
    start()
    await ready()
    expect(await served()).toMatchObject({ status: 200, body: 'served' })
    expect(await readFile(state('identity.json'), 'utf8')).toBe(before)
  })

  it('goes on where it was when the control plane comes back, with what is new', async () => {
    await lived()
    start()
    await ready()
    control.tell({ route: [{ name: inboundName(app.port), virtualHosts: [] }] })
    await control.start()
    await poll('the new routes', async () => ((await served()).status === 404 ? true : undefined), { withinMs: 5_000, everyMs: 20 })
  })

  it('does not show an identity that has run out', async () => {
    await lived()
    start({
      now: () => systemClock.now() + 2 * HOUR_MS,
      monotonic: () => systemClock.monotonic(),
      after: (ms, fn) => systemClock.after(ms, fn),
    })
    await ready(/no certificate yet: the control plane cannot be reached/)
    expect(await served()).toMatchObject({ status: 503 })
  })

  it('has never been told anything: is not ready, and says why', async () => {
    await control.stop()
    start()
    await ready(/no configuration yet: the control plane cannot be reached/)
    await control.start()
    await ready()
    expect(await served()).toMatchObject({ status: 200 })
  })
})

describe('what was kept and is damaged', () => {
  it.each<[string, string, (text: string) => string, RegExp, RegExp]>([
    [
      'half an identity',
      'identity.json',
      (text) => text.slice(0, text.length / 2),
      /no certificate yet/,
      /identity on disk is damaged.*no JSON object/,
    ],
    [
      'the identity of somebody with another key',
      'identity.json',
      (text) => otherKey(text),
      /no certificate yet/,
      /identity on disk is damaged.*private key/,
    ],
    [
      'a configuration with a bit turned',
      'config.json',
      (text) => text.replace('"strict"', '"strIct"').replace('inbound', 'jnbound'),
      /no configuration yet/,
      /configuration is damaged.*checksum/,
    ],
    [
      'half a configuration',
      'config.json',
      (text) => text.slice(0, text.length / 2),
      /no configuration yet/,
      /configuration is damaged.*bytes/,
    ],
    [
      'a configuration of another version',
      'config.json',
      (text) => text.replace('{"format":1', '{"format":9'),
      /no configuration yet/,
      /configuration is damaged.*format 9/,
    ],
  ])('%s: is refused with the reason, and does not stop the start', async (_, file, damage, why, reason) => {
    await lived()
    const whole = await readFile(state(file), 'utf8')
    const damaged = damage(whole)
    expect(damaged).not.toBe(whole)
    await writeFile(state(file), damaged)
    start()
    await ready(why)
    expect(said.join('\n')).toMatch(reason)
    expect(await served()).toMatchObject({ status: 503 })
    await control.start()
    await ready()
    expect(await served()).toMatchObject({ status: 200, body: 'served' })
  })
})

describe.skipIf(!existsSync('/dev/full'))('a disk that is full', () => {
  it('costs the last good configuration, not the one in force, and is said', async () => {
    const life = start()
    await ready()
    await poll('the configuration on disk', () => (existsSync(state('config.json')) ? true : undefined), { withinMs: 5_000 })
    const before = await readFile(state('config.json'), 'utf8')
    // whatever is written there finds no room
    await symlink('/dev/full', state('config.json.new'))
    control.tell({ route: [{ name: inboundName(app.port), virtualHosts: [] }] })
    await poll('the new routes', async () => ((await served()).status === 404 ? true : undefined), { withinMs: 5_000, everyMs: 20 })
    await poll('a word about it', () => (said.some((line) => /cannot be saved: going on without.*ENOSPC/.test(line)) ? true : undefined), {
      withinMs: 5_000,
    })
    expect((await served()).status).toBe(404)
    expect(await readFile(state('config.json'), 'utf8')).toBe(before)
    expect((await health()).status).toBe(200)
    await life.stop()
  })
})

describe('a control plane that lies', () => {
  it('is refused what makes no sense, and what was good goes on', async () => {
    start()
    await ready()
    control.tell({ listener: [{ ...inbound(app, 'http'), chains: 'all of them' as never }] })
    await poll('a refusal', () => (control.refusals.length > 0 ? true : undefined), { withinMs: 5_000 })
    expect(control.refusals[0]).toMatch(/inbound\|\d+.*chains/)
    expect(await served()).toMatchObject({ status: 200, body: 'served' })
    control.tell(inboundOf('http'))
    expect(await served()).toMatchObject({ status: 200, body: 'served' })
  })
})

function otherKey(text: string): string {
  const { key } = mesh.pem(spiffeId('db'))
  return JSON.stringify({ ...(JSON.parse(text) as object), privateKey: key })
}
