import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type ServerHttp2Session, type Http2Server } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it, onTestFinished } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { decodeDeltaRequest, deltaEntry, deltaResponse, type DeltaDiscoveryRequest } from '../../../protocols/discovery/index.ts'
import { grpcFrame, GrpcReader } from '../../../protocols/grpc-frames/index.ts'
import { TYPE_URL, type Cluster, type HealthCheck, type Resource, type ResourceType } from '../../../policy/traffic/model/index.ts'
import { checkResource } from './check-resource.ts'
import { readConfigFile, writeConfigFile } from './config-file.ts'
import { ConfigState } from './config-state.ts'
import { ConfigClient, type ConfigClientOptions } from './index.ts'

const listener = (name: string, routes: string): Resource => ({
  name,
  direction: 'outbound',
  address: { address: '10.0.0.1', port: 80 },
  protocol: 'http',
  chains: [
    { name: 'x', match: {}, http: { statPrefix: 'x', routes, filters: [], timeouts: {}, accessLogs: [], appendForwardedFor: false } },
  ],
})
const route = (name: string, cluster: string): Resource => ({
  name,
  virtualHosts: [
    { name: 'v', domains: ['*'], routes: [{ name: 'r', match: {}, action: { type: 'forward', clusters: [{ cluster, weight: 1 }] } }] },
  ],
})
const cluster = (name: string): Resource => ({
  name,
  discovery: { type: 'eds', name },
  protocol: 'http',
  loadBalancer: { type: 'roundRobin' },
  limits: {},
  healthChecks: [],
})
const endpoints = (name: string): Resource => ({ name, endpoints: [] })

const response = (type: ResourceType, values: readonly Resource[], removed: readonly string[] = [], version = '1') => ({
  systemVersion: '',
  typeUrl: TYPE_URL[type],
  nonce: 'n',
  removed,
  resources: values.map((value) => ({ name: value.name, version, typeUrl: TYPE_URL[type], value: Buffer.from(JSON.stringify(value)) })),
})

/** A state with one whole listener. */
function whole(): ConfigState {
  const state = new ConfigState()
  state.want('listener', 'l')
  state.connect()
  for (const one of [
    response('listener', [listener('l', 'r')]),
    response('route', [route('r', 'c')]),
    response('cluster', [cluster('c')]),
  ]) {
    state.receive(one)
    state.follow()
  }
  state.receive(response('endpoints', [endpoints('c')]))
  return state
}

describe('a configuration', () => {
  it('is executed when all that a listener refers to is there, and asks for it', () => {
    const state = new ConfigState()
    state.want('listener', 'l')
    expect(state.connect().map(({ subscribe }) => subscribe)).toEqual([['l']])
    state.receive(response('listener', [listener('l', 'r')]))
    expect(state.follow().map(({ subscribe }) => subscribe)).toEqual([['r']])
    state.receive(response('route', [route('r', 'c')]))
    expect(state.follow().map(({ subscribe }) => subscribe)).toEqual([['c']])
    state.receive(response('cluster', [cluster('c')]))
    expect(state.snapshot.listeners.size).toBe(0)
    expect(state.follow().map(({ subscribe }) => subscribe)).toEqual([['c']])
    state.receive(response('endpoints', [endpoints('c')]))
    expect([...state.snapshot.listeners.keys()]).toEqual(['l'])
  })

  it('half references: the route before stays until the new cluster is there', () => {
    const state = whole()
    expect(state.receive(response('route', [route('r', 'new')], [], '2')).errorDetail).toBeUndefined()
    expect(JSON.stringify([...state.snapshot.routes.values()])).toContain('"cluster":"c"')
    state.follow()
    state.receive(response('cluster', [cluster('new')]))
    state.follow()
    state.receive(response('endpoints', [endpoints('new')]))
    expect(JSON.stringify([...state.snapshot.routes.values()])).toContain('"cluster":"new"')
  })

  it('keeps what is gone while something in force refers to it', () => {
    const state = whole()
    state.receive(response('cluster', [], ['c']))
    expect([...state.snapshot.clusters.keys()]).toEqual(['c'])
    state.receive(response('listener', [], ['l']))
    state.receive(response('route', [], ['r']))
    expect(state.snapshot.clusters.size).toBe(0)
  })

  it.each([
    ['unknown types', { ...response('route', []), typeUrl: 'x/y' }, 'type x/y was never asked for'],
    ['names never asked for', response('route', [route('other', 'c')]), '"other" was never asked for'],
    [
      'what is no resource',
      response('route', [{ name: 'r', virtualHosts: 1 } as unknown as Resource], [], '9'),
      '"r" virtualHosts should be a list',
    ],
    ['no version', response('route', [route('r', 'c')], [], ''), '"r" has no version'],
  ])('a lying control plane: %s are refused with the reason, the last good stays', (_what, lie, reason) => {
    const state = whole()
    const before = state.snapshot
    expect(state.receive(lie).errorDetail?.message).toBe(reason)
    expect(state.snapshot).toBe(before)
  })

  it('reconnecting brings the versions along', () => {
    const state = whole()
    expect(state.connect().map(({ initialVersions }) => [...initialVersions])).toEqual(['c', 'c', 'r', 'l'].map((name) => [[name, '1']]))
  })
})

function later<T>(): { promise: Promise<T>; resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}

async function folder(): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'config-'))
  onTestFinished(() => rm(path, { recursive: true }))
  return path
}

describe('the file', () => {
  it('gives back what was written, for its owner alone', async () => {
    const path = join(await folder(), 'config')
    const saved = whole().save()
    await writeConfigFile(path, saved)
    const state = new ConfigState()
    state.restore((await readConfigFile(path)) as never)
    expect(state.save()).toEqual(saved)
    expect(state.snapshot.listeners.size).toBe(1)
  })

  it('that is damaged anywhere is refused', async () => {
    const path = join(await folder(), 'config')
    await writeConfigFile(path, whole().save())
    const bytes = await readFile(path)
    for (let at = 0; at < bytes.length; at += 7) {
      const damaged = Buffer.from(bytes)
      damaged[at] = (damaged[at] as number) ^ 0x15
      await writeFile(path, damaged)
      await expect(readConfigFile(path)).rejects.toThrow(/checksum|no JSON|bytes|format/)
    }
  })
})

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

const log = { debug() {}, info() {}, warn() {}, error() {}, child: () => log }

function client(dial: string, more: Partial<ConfigClientOptions> = {}): ConfigClient {
  const one = new ConfigClient({
    node: { id: 'p.x', cluster: '', userAgent: 'biplane' },
    dial,
    headers: () => Promise.resolve({}),
    onSnapshot: () => {},
    clock: systemClock,
    random: () => 0,
    log,
    ...more,
  })
  closing.push(() => one.close())
  return one
}

/** A control plane that does what it is told for each request. */
async function controlPlane(path: string, answer: (request: DeltaDiscoveryRequest) => Buffer | undefined): Promise<Http2Server> {
  const server = createServer()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream) => {
    const reader = new GrpcReader()
    stream.on('error', () => {})
    stream.respond({ ':status': 200 })
    stream.on('data', (chunk: Buffer) => {
      for (const message of reader.push(chunk)) {
        const bytes = answer(decodeDeltaRequest(message))
        if (bytes) stream.write(bytes)
      }
    })
  })
  await new Promise<void>((resolve) => server.listen(path, resolve))
  closing.push(async () => {
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  })
  return server
}

interface Given {
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

const sent = (type: ResourceType, value: Resource): Buffer =>
  grpcFrame(
    deltaResponse({
      typeUrl: TYPE_URL[type],
      nonce: '1',
      removed: [],
      entries: [deltaEntry(response(type, [value]).resources[0] as never)],
    }),
  )

describe('numbers that no proxy could carry out', () => {
  const plain = cluster('c') as Cluster
  const check: HealthCheck = { type: 'tcp', intervalMs: 1_000, timeoutMs: 1_000, unhealthyThreshold: 1, healthyThreshold: 1 }
  it.each<[string, Partial<Cluster>, string]>([
    [
      'a table without an end',
      { loadBalancer: { type: 'maglev', tableSize: 1e12 } },
      'loadBalancer.tableSize should be a whole number from 2 to 5000011',
    ],
    ['a table of less than nothing', { loadBalancer: { type: 'maglev', tableSize: -5 } }, 'loadBalancer.tableSize'],
    ['a ring without an end', { loadBalancer: { type: 'ringHash', minSize: 1, maxSize: 1e12, hash: 'xxhash' } }, 'loadBalancer.maxSize'],
    ['checks without a pause', { healthChecks: [{ ...check, intervalMs: 0 }] }, 'healthChecks[0].intervalMs'],
    [
      'sweeps without a pause',
      { outlierDetection: { intervalMs: 0, baseEjectionMs: 1, maxEjectionMs: 1, maxEjectionPercent: 1, splitLocalErrors: false } },
      'outlierDetection.intervalMs',
    ],
  ])('%s: is refused', (_, parts, reason) => expect(checkResource('cluster', { ...plain, ...parts })).toContain(reason))
  it('a share of less than nothing: is refused', () => {
    const value = { name: 'c', endpoints: [{ address: { address: '10.0.0.1', port: 80 }, state: 'ready', weight: -1 }] }
    expect(checkResource('endpoints', value)).toBe('endpoints[0].weight should not be negative')
  })
  it('those of Kuma and Envoy are taken', () => {
    expect(
      checkResource('cluster', { ...plain, loadBalancer: { type: 'maglev', tableSize: 65_537 }, healthChecks: [check] }),
    ).toBeUndefined()
    expect(
      checkResource('cluster', { ...plain, loadBalancer: { type: 'ringHash', minSize: 1_024, maxSize: 8_388_608, hash: 'xxhash' } }),
    ).toBeUndefined()
  })
})

describe('a client', () => {
  it('control plane dead: starts from the disk', async () => {
    const path = join(await folder(), 'config')
    await writeConfigFile(path, whole().save())
    const one = client('/nowhere/mesh.sock', { file: path })
    await one.start()
    expect([...one.snapshot.listeners.keys()]).toEqual(['l'])
  })

  it('moves a damaged file aside and starts empty', async () => {
    const where = await folder()
    await writeFile(join(where, 'config'), 'rubbish')
    const one = client('/nowhere/mesh.sock', { file: join(where, 'config') })
    await one.start()
    expect(one.snapshot.listeners.size).toBe(0)
    expect(await readdir(where)).toEqual(['config.damaged'])
  })

  it('disk full: goes on with what it was told, and says so', async () => {
    const where = await folder()
    await controlPlane(join(where, 's'), ({ subscribe }) => (subscribe.length > 0 ? sent('endpoints', endpoints('c')) : undefined))
    const told = later<void>()
    const one = client(join(where, 's'), {
      file: join(where, 'config'),
      onSnapshot: () => told.resolve(),
      write: () => Promise.reject(new Error('ENOSPC: no space left on device')),
    })
    one.want('endpoints', 'c')
    await one.start()
    await told.promise
    await one.close()
    expect(one.snapshot.endpoints.size).toBe(1)
    expect(one.status.saveError).toContain('ENOSPC')
  })

  it('tells that something was said, though the configuration is the same', async () => {
    const where = await folder()
    const gone = grpcFrame(deltaResponse({ typeUrl: TYPE_URL.listener, nonce: '1', removed: ['nobody'], entries: [] }))
    await controlPlane(join(where, 's'), ({ subscribe }) => (subscribe.length > 0 ? gone : undefined))
    const heard = later<void>()
    const one = client(join(where, 's'), { onResponse: () => heard.resolve() })
    const before = one.snapshot
    one.want('listener', 'nobody')
    await one.start()
    await heard.promise
    expect(one.isMissing('listener', 'nobody')).toBe(true)
    expect(one.snapshot).toBe(before)
  })

  it.each<[string, (give: Given) => void, string | undefined]>([
    ['confirms what it was told when that is in force, not before', (give) => give.resolve(), undefined],
    ['refuses what could not be put in force', (give) => give.reject(new Error('nobody takes it')), 'nobody takes it'],
  ])('%s', async (_, finish, problem) => {
    const where = await folder()
    const answers: DeltaDiscoveryRequest[] = []
    const answered = later<void>()
    await controlPlane(join(where, 's'), (request) => {
      if (request.responseNonce === '') return request.subscribe.length > 0 ? sent('endpoints', endpoints('c')) : undefined
      answers.push(request)
      answered.resolve()
      return undefined
    })
    const told = later<void>()
    let give: Given = { resolve: () => {}, reject: () => {} }
    const one = client(join(where, 's'), {
      onSnapshot: () => {
        told.resolve()
        return new Promise<void>((resolve, reject) => (give = { resolve, reject }))
      },
    })
    one.want('endpoints', 'c')
    await one.start()
    await told.promise
    await new Promise((resolve) => setTimeout(resolve, 20))
    expect(answers).toEqual([])
    finish(give)
    await answered.promise
    expect(answers.map(({ responseNonce, errorDetail }) => [responseNonce, errorDetail?.message])).toEqual([['1', problem]])
  })

  it('giant messages: the stream ends with the reason', async () => {
    const where = await folder()
    await controlPlane(join(where, 's'), () => Buffer.from([0, 0x7f, 0xff, 0xff, 0xff]))
    const failed = later<string>()
    const one = client(join(where, 's'), {
      log: { ...log, warn: (_text: string, fields?: Record<string, unknown>) => failed.resolve(String(fields?.['reason'])) } as never,
    })
    one.want('endpoints', 'c')
    await one.start()
    expect(await failed.promise).toContain('at most 4194304 are taken')
  })
})
