import { mkdtemp, rm } from 'node:fs/promises'
import { createServer, type ServerHttp2Session } from 'node:http2'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { createMetrics } from '../src/base/metrics.ts'
import { biplaneGenerator, SnapshotStore, XdsServer, type SourceResource } from '../src/control-plane/mesh/xds/index.ts'
import { ConfigClient, type ProxySnapshot } from '../src/data-plane/proxy/config/index.ts'
import type { ClusterLoadAssignment, Origin } from '../src/policy/traffic/model/index.ts'

const closing: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

async function socketPath(): Promise<string> {
  const dir = await mkdtemp(join(tmpdir(), 'xds-'))
  closing.push(() => rm(dir, { recursive: true }))
  return join(dir, 's')
}

const warnings: string[] = []
const log = {
  debug() {},
  info() {},
  warn: (text: string, fields?: object) => void warnings.push(`${text} ${JSON.stringify(fields)}`),
  error() {},
  child: () => log,
}
const origin: Origin = { kind: 'Service', group: '', namespace: 'x', name: 'a' }

const assignment = (address: string): SourceResource<ClusterLoadAssignment> => ({
  type: 'endpoints',
  value: { name: 'a', endpoints: [{ address: { address, port: 80 }, state: 'ready' }] },
  origins: [origin],
})

async function replica(path: string, address: string) {
  const store = new SnapshotStore([biplaneGenerator])
  store.set('p.x', 'biplane', [assignment(address)])
  const metrics = createMetrics()
  const xds = new XdsServer({
    source: store,
    clock: systemClock,
    metrics,
    log,
    authenticate: () => Promise.resolve({ proxyOf: (id) => (id === 'p.x' ? id : undefined) }),
    kindOf: () => 'biplane',
  })
  const server = createServer()
  const sessions = new Set<ServerHttp2Session>()
  server.on('session', (session) => sessions.add(session))
  server.on('stream', (stream, headers) => xds.handle(stream, headers))
  await new Promise<void>((resolve) => server.listen(path, resolve))
  const close = async (): Promise<void> => {
    xds.close()
    for (const session of sessions) session.destroy()
    await new Promise((resolve) => server.close(resolve))
  }
  closing.push(close)
  return { store, xds, metrics, close }
}

function client(paths: readonly string[], id = 'p.x') {
  let at = 0
  const waiting: { test: (snapshot: ProxySnapshot) => boolean; done: () => void }[] = []
  const one = new ConfigClient({
    node: { id, cluster: '', userAgent: 'biplane' },
    dial: paths[at++] as string,
    headers: () => Promise.resolve({}),
    onSnapshot: (snapshot) => waiting.forEach(({ test, done }) => test(snapshot) && done()),
    clock: systemClock,
    random: () => 0,
    log,
  })
  closing.push(() => one.close())
  const until = (test: (snapshot: ProxySnapshot) => boolean): Promise<void> =>
    test(one.snapshot) ? Promise.resolve() : new Promise((done) => waiting.push({ test, done }))
  return { one, until }
}

const has = (address: string) => (snapshot: ProxySnapshot) => snapshot.endpoints.get('a')?.endpoints[0]?.address.address === address
const poll = async (test: () => boolean): Promise<void> => {
  for (let tries = 0; !test(); tries++) {
    if (tries > 500) throw new Error('did not happen within 5 s')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

describe('distribution', () => {
  it('brings a change to the proxy and knows that it is in force; a new replica sends nothing again', async () => {
    const path = await socketPath()
    const first = await replica(path, '10.0.0.1')
    const { one, until } = client([path])
    one.want('endpoints', 'a')
    await one.start()
    await until(has('10.0.0.1'))
    first.store.set('p.x', 'biplane', [assignment('10.0.0.2')])
    await until(has('10.0.0.2'))
    await poll(() => first.xds.truth.of(origin).acked === 1)
    const before = one.snapshot
    closing.splice(closing.indexOf(first.close), 1)
    await first.close()
    const second = await replica(path, '10.0.0.2')
    await poll(() => second.xds.view()[0]?.types[0]?.resources === 1)
    expect(second.xds.view()[0]?.types[0]?.pending).toBeUndefined()
    expect(second.metrics.render()).not.toContain('xds_delivery_count{')
    expect(one.snapshot).toBe(before)
  })

  it('refuses a proxy that claims to be another', async () => {
    const path = await socketPath()
    await replica(path, '10.0.0.1')
    const { one } = client([path], 'other.x')
    one.want('endpoints', 'a')
    await one.start()
    await poll(() => one.status.reason !== undefined)
    expect(one.status.reason).toContain('gRPC status 7: node.id "other.x" is not the proxy that the credentials name')
  })
})
