import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../src/api/index.ts'
import { configMaps } from '../src/api/core/v1/config-map.ts'
import { namespaces } from '../src/api/core/v1/namespace.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import { systemClock } from '../src/base/clock.ts'
import { isStatus } from '../src/base/errors.ts'
import { silentLogger } from '../src/base/log.ts'
import { createMetrics } from '../src/base/metrics.ts'
import {
  accessOf,
  createClient,
  createDiscovery,
  createHttpsTransport,
  createInformerFactory,
  parseKubeconfig,
  type Client,
  type Transport,
} from '../src/client/index.ts'
import { createResourceHandler, type ResourceHandler } from '../src/control-plane/apiserver/handlers/index.ts'
import { createApiServer, LOOPBACK_USER } from '../src/control-plane/apiserver/index.ts'
import { createMemoryStore, type Store } from '../src/control-plane/store/index.ts'
import { startFixture, type Fixture } from './apiserver-fixture.ts'

let store: Store
let resources: ResourceHandler
let fixture: Fixture
const transports: Transport[] = []

beforeAll(async () => {
  store = createMemoryStore()
  const environment = { clock: systemClock, random: Math.random, uuid: randomUUID, log: silentLogger, metrics: createMetrics() }
  resources = createResourceHandler({ store, kinds: BUILT_IN_KINDS, ...environment })
  fixture = await startFixture(resources.handle)
  await admin()
    .of(namespaces)
    .create({ metadata: { name: 'default' } })
})

afterAll(async () => {
  for (const transport of transports) await transport.close()
  await fixture.close()
  await resources.close()
  await store.close()
})

interface Login {
  readonly user?: string
  readonly ca?: string
}

const base64 = (text: string): string => Buffer.from(text).toString('base64')

function certificate(name: string, groups: readonly string[], foreign = false): string {
  const { cert, key } = fixture.pki.client(name, groups, { foreign })
  return `client-certificate-data: ${base64(cert)}, client-key-data: ${base64(key)}`
}

/** A client as a kubeconfig describes it. */
function login({ user = 'token: admin-token', ca = fixture.pki.ca }: Login = {}): Client {
  const kubeconfig = `
current-context: c
clusters: [{name: k, cluster: {server: "https://127.0.0.1:${fixture.port}", certificate-authority-data: ${base64(ca)}}}]
users: [{name: u, user: {${user}}}]
contexts: [{name: c, context: {cluster: k, user: u}}]`
  const sources = { clock: systemClock, readFile: () => undefined }
  const access = accessOf(parseKubeconfig(kubeconfig, '/kubeconfig'), sources)
  const transport = createHttpsTransport({ ...access, clock: systemClock, random: Math.random })
  transports.push(transport)
  return createClient(transport)
}

const admin = (): Client => login()

test.each<[string, () => Login, string]>([
  ['a client certificate of an administrator', () => ({ user: certificate('root', ['system:masters']) }), 'ok'],
  ['a token of an administrator', () => ({ user: 'token: admin-token' }), 'ok'],
  ['a certificate of somebody', () => ({ user: certificate('jane', ['dev']) }), 'Forbidden'],
  ['a token nobody knows', () => ({ user: 'token: nonsense' }), 'Unauthorized'],
  ['a certificate that another authority signed', () => ({ user: certificate('root', ['system:masters'], true) }), 'Unauthorized'],
  ['no credentials', () => ({ user: '' }), 'Unauthorized'],
  ['a wrong authority in the kubeconfig', () => ({ ca: fixture.pki.client('x', []).cert }), 'Unreachable'],
])('%s', async (_what, options, want) => {
  const outcome = await login(options())
    .of(pods)
    .list()
    .then(
      () => 'ok',
      (error: unknown) => (isStatus(error) ? error.reason : (error as { code?: string }).code),
    )
  // an anonymous user may also be known and not allowed
  expect(want === 'Unauthorized' && outcome === 'Forbidden' ? 'Unauthorized' : outcome).toBe(want)
})

interface Life {
  readonly answers: readonly { readonly reason?: string }[]
  readonly events: readonly { readonly type: string; readonly data?: unknown }[]
}

/** What a client sees of one life of an object, without what differs by nature. */
async function life(client: Client, namespace: string): Promise<Life> {
  const answers: unknown[] = []
  const events: unknown[] = []
  const resource = client.of(configMaps)
  const options = { namespace }
  await client.of(namespaces).create({ metadata: { name: namespace } })
  const watching = (async (): Promise<void> => {
    for await (const { type, object } of resource.watch({ ...options, sendInitialEvents: true, allowWatchBookmarks: true })) {
      events.push({ type, name: object.metadata.name, data: object.data })
      if (type === 'DELETED') return
    }
  })()
  // the bookmark that ends the initial events: from here on nothing is missed
  await expect.poll(() => events.length).toBe(1)
  for (const step of [
    () => resource.create({ metadata: { name: 'a', namespace, labels: { l: 'x' }, annotations: { a: 'ä' } }, data: { x: '1' } }),
    () => resource.create({ metadata: { name: 'a', namespace } }),
    () => resource.create({ metadata: { name: 'Not Valid', namespace } }),
    () => resource.patch('a', { data: { x: null, y: '2' } }, { ...options, type: 'merge' }),
    () => resource.patch('a', [{ op: 'test', path: '/data/y', value: '3' }], { ...options, type: 'json' }),
    () => resource.update({ metadata: { name: 'a', namespace, resourceVersion: '1' }, data: {} }),
    () => resource.list({ ...options, labelSelector: 'l=x' }),
    () => resource.list({ ...options, fieldSelector: 'no.such=field' }),
    () => resource.get('b', options),
    () => resource.delete('a', options),
  ]) {
    answers.push(await step().catch((error: unknown) => (isStatus(error) ? error.toBody() : String(error))))
  }
  await watching
  return JSON.parse(JSON.stringify({ answers, events }), (key, value: unknown) => {
    if (['uid', 'resourceVersion', 'creationTimestamp', 'time'].includes(key)) return `some ${key}`
    return typeof value === 'string' ? value.replaceAll(namespace, 'some namespace') : value
  }) as Life
}

test('a client sees the same over HTTPS as inside the process', async () => {
  const environment = { clock: systemClock, log: silentLogger, metrics: createMetrics() }
  const inside = createApiServer({ resources: resources.handle, kinds: () => BUILT_IN_KINDS, ...environment })
  const near = await life(createClient(inside.inProcess(LOOPBACK_USER)), 'near')
  const far = await life(admin(), 'far')
  expect(far).toEqual(near)
  expect(near.answers.map(({ reason }) => reason ?? 'ok')).toEqual(
    'ok AlreadyExists Invalid ok Invalid Conflict ok BadRequest NotFound ok'.split(' '),
  )
  expect(near.events.map(({ type, data }) => [type, data])).toEqual([
    ['BOOKMARK', undefined],
    ['ADDED', { x: '1' }],
    ['MODIFIED', { y: '2' }],
    ['DELETED', { y: '2' }],
  ])
  await inside.stop({ graceMs: 0 })
})

test('discovery over HTTPS finds every built-in kind', async () => {
  const kinds = await createDiscovery(admin().transport).kinds()
  const names = new Set(kinds.map(({ group, version, plural }) => `${group}/${version}/${plural}`))
  expect(BUILT_IN_KINDS.filter(({ group, version, plural }) => !names.has(`${group}/${version}/${plural}`))).toEqual([])
})

test('a thousand watches on one connection all see an update', async () => {
  const client = admin()
  const stop = new AbortController()
  let synced = 0
  let seen = 0
  const watches = Array.from({ length: 1000 }, async () => {
    const options = { namespace: 'default', sendInitialEvents: true, allowWatchBookmarks: true, signal: stop.signal }
    for await (const { type, object } of client.of(configMaps).watch(options)) {
      if (type === 'BOOKMARK') synced++
      else if (object.metadata.name === 'shout') seen++
    }
  })
  await expect.poll(() => synced, { timeout: 20_000 }).toBe(1000)
  await client.of(configMaps).create({ metadata: { name: 'shout', namespace: 'default' } })
  await expect.poll(() => seen, { timeout: 20_000 }).toBe(1000)
  stop.abort(new Error('enough'))
  expect((await Promise.allSettled(watches)).every(({ status }) => status === 'rejected')).toBe(true)
})

test('an informer lives through a restart of the server and misses nothing', async () => {
  const port = fixture.port
  const client = admin()
  const log: string[] = []
  const factory = createInformerFactory({ client, clock: systemClock, random: () => 0, log: silentLogger })
  const informer = factory.informer(configMaps, { namespace: 'restart' })
  informer.addHandler({
    add: ({ metadata }) => void log.push(`+${metadata.name}`),
    update: ({ metadata }) => void log.push(`~${metadata.name}`),
    delete: ({ metadata }) => void log.push(`-${metadata.name}`),
  })
  await client.of(namespaces).create({ metadata: { name: 'restart' } })
  await client.of(configMaps).create({ metadata: { name: 'a', namespace: 'restart' } })
  await client.of(configMaps).create({ metadata: { name: 'b', namespace: 'restart' } })
  const stop = new AbortController()
  const done = factory.run(stop.signal)
  await factory.whenSynced()
  await fixture.server.stop({ graceMs: 0 })
  const environment = { clock: systemClock, log: silentLogger, metrics: createMetrics() }
  const inside = createApiServer({ resources: resources.handle, kinds: () => BUILT_IN_KINDS, ...environment })
  const near = createClient(inside.inProcess(LOOPBACK_USER)).of(configMaps)
  await near.create({ metadata: { name: 'c', namespace: 'restart' } })
  await near.delete('a', { namespace: 'restart' })
  const { pki } = fixture
  const again = createApiServer({
    resources: resources.handle,
    kinds: () => BUILT_IN_KINDS,
    certificate: { ...pki.server, clientCa: pki.ca },
    authentication: { tokens: [{ token: 'admin-token', user: { name: 'admin', groups: ['system:masters'] } }] },
    ...environment,
  })
  await again.start('127.0.0.1', port)
  await expect.poll(() => log, { timeout: 20_000 }).toEqual(['+a', '+b', '+c', '-a'])
  // and requests find the new server too
  expect((await client.of(configMaps).list({ namespace: 'restart' })).items.map(({ metadata }) => metadata.name)).toEqual(['b', 'c'])
  stop.abort()
  await done
  await again.stop({ graceMs: 0 })
})
