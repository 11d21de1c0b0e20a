import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { imageRecipes } from '../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { configMaps } from '../../api/core/v1/config-map.ts'
import { events } from '../../api/core/v1/event.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import type { Container, Pod, PodSpec } from '../../api/generated/types.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { silentLogger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import { createClient } from '../../client/create-client.ts'
import type { Transport } from '../../client/transport.ts'
import { startTestCluster, type TestCluster } from '../../testing/index.ts'
import type { NodeDescription } from './api-sync/node-status.ts'
import { NodeAgent } from './node-agent.ts'
import type { ResolvedContainer, Sandbox } from './runtime.ts'
import { createFakeRuntime, type FakeRuntime } from './runtimes/fake/index.ts'

const node: NodeDescription = {
  name: 'n1',
  addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  capacity: { cpuMillis: 2000, memoryBytes: 1024 ** 3, pods: 110 },
  labels: {},
  info: {
    machineID: 'm',
    bootID: 'b',
    kernelVersion: 'k',
    osImage: 'o',
    runtimeVersion: 'r',
    kubeletVersion: 'v',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
}
const here = { namespace: 'default' }

let clock: FakeClock
let cluster: TestCluster
let runtime: FakeRuntime
let dir: string
let agent: { readonly node: NodeAgent; stop(): Promise<void> }
/** What the runtime was given to run. */
let created: ResolvedContainer[]
let away = false

beforeEach(async () => {
  clock = new FakeClock()
  away = false
  cluster = await startTestCluster({ clock })
  dir = mkdtempSync(join(tmpdir(), 'biplane-agent-'))
  created = []
  runtime = createFakeRuntime({
    clock,
    stopDelayMs: 1_000,
    plan: (container) => {
      created.push(container)
      return undefined
    },
  })
  // the fake runtime has no disk of its own
  const { ensureSandbox, listPods } = { ensureSandbox: runtime.ensureSandbox.bind(runtime), listPods: runtime.listPods.bind(runtime) }
  const placed = (sandbox: Sandbox): Sandbox => {
    mkdirSync(join(dir, sandbox.podUid), { recursive: true })
    return { ...sandbox, dir: join(dir, sandbox.podUid) }
  }
  Object.defineProperty(runtime, 'ensureSandbox', { value: async (pod: Pod) => placed(await ensureSandbox(pod)) })
  Object.defineProperty(runtime, 'listPods', {
    value: async () => (await listPods()).map((found) => ({ ...found, sandbox: placed(found.sandbox) })),
  })
  await cluster.client.of(imageRecipes).create({ metadata: { name: 'any' }, spec: { images: ['app*'], command: ['serve'] } })
  agent = start()
  await clock.advance(0)
})

afterEach(async () => {
  await agent.stop()
  await cluster.stop()
  rmSync(dir, { recursive: true, force: true })
})

function start(onRegistered?: () => void): typeof agent {
  const transport: Transport = {
    send: async (request) => {
      if (away) throw new Error('connect ECONNREFUSED')
      return await cluster.client.transport.send(request)
    },
    close: async () => {},
  }
  const options = { node, runtime, clock, random: () => 0.5, log: silentLogger, metrics: createMetrics(), stateDir: dir }
  const made = new NodeAgent({ ...options, client: createClient(transport), ...(onRegistered ? { onRegistered } : {}) })
  const stop = new AbortController()
  const done = made.run(stop.signal)
  return {
    node: made,
    stop: async () => {
      stop.abort()
      await clock.advance(0)
      await done
    },
  }
}

/** Work with files is done by threads that no fake clock waits for. */
async function settle(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (const end = performance.now() + 5_000; performance.now() < end;) {
    await clock.advance(0)
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it did not come to that')
}

const get = (name = 'web'): Promise<Pod> => cluster.client.of(pods).get(name, here)
const phase = async (name = 'web'): Promise<string | undefined> => (await get(name)).status?.phase
const create = (spec: Partial<PodSpec> = {}, main: Partial<Container> = {}): Promise<Pod> =>
  cluster.client.of(pods).create({
    metadata: { name: 'web', ...here },
    spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'app:1', ...main }], ...spec },
  })
const until = (want: string): Promise<void> => settle(async () => (await phase()) === want)
const reasons = async (): Promise<string[]> => (await cluster.client.of(events).list(here)).items.map(({ reason }) => reason ?? '')

test('a pod that is bound runs; deleted, it is stopped, and gone when it has ended', async () => {
  const pod = await create({}, { env: [{ name: 'IP', valueFrom: { fieldRef: { fieldPath: 'status.podIP' } } }], args: ['--on', '$(IP)'] })
  await until('Running')
  const { status } = await get()
  expect(status).toMatchObject({ hostIP: '10.0.0.1', containerStatuses: [{ ready: true, restartCount: 0 }] })
  expect(created[0]).toMatchObject({ command: ['serve', '--on', status?.podIP], env: { IP: status?.podIP, HOSTNAME: 'web' } })
  await settle(async () => (await reasons()).length === 2)
  expect((await reasons()).sort()).toEqual(['Created', 'Started'])
  await cluster.client.of(pods).delete('web', { ...here, preconditions: { uid: pod.metadata.uid ?? '' } })
  await clock.advance(500)
  expect(await phase()).toBe('Running')
  await clock.advance(500)
  await settle(async () => (await cluster.client.of(pods).list(here)).items.length === 0)
  expect(await runtime.listPods()).toEqual([])
  expect(agent.node.podCount).toBe(0)
})

test('a pod that is forced out of the API is stopped all the same', async () => {
  await create()
  await until('Running')
  await cluster.client.of(pods).delete('web', { ...here, gracePeriodSeconds: 0 })
  await clock.advance(1_000)
  await settle(() => agent.node.podCount === 0)
  expect(await runtime.listPods()).toEqual([])
})

test('the next agent adopts: nothing restarts, what ended meanwhile is told, what was deleted meanwhile goes', async () => {
  await create()
  await until('Running')
  const other = await cluster.client
    .of(pods)
    .create({ metadata: { name: 'other', ...here }, spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'app:1' }] } })
  await settle(async () => (await phase('other')) === 'Running')
  const before = await get()
  const starts = created.length
  await agent.stop()
  await cluster.client.of(pods).delete('other', { ...here, gracePeriodSeconds: 0 })
  agent = start()
  // what was deleted takes a second to end
  await settle(async () => {
    await clock.advance(100)
    return agent.node.podCount === 1
  })
  expect((await get()).status).toEqual(before.status)
  expect(created.length).toBe(starts)
  await agent.stop()
  runtime.exit(`${before.metadata.uid}/main/0`, 7)
  expect(other.metadata.uid).not.toBe(before.metadata.uid)
  // who is told that the node is there finds its pods as they are, not as the last agent left them
  let found: Promise<Pod> | undefined
  agent = start(() => void (found = get()))
  await settle(async () => (await get()).status?.containerStatuses?.[0]?.restartCount === 1)
  expect((await get()).status?.containerStatuses?.[0]?.lastState?.terminated).toMatchObject({ exitCode: 7 })
  await settle(() => found !== undefined)
  const [status] = (await found)?.status?.containerStatuses ?? []
  expect([status?.state?.terminated, status?.lastState?.terminated].find(Boolean)).toMatchObject({ exitCode: 7 })
})

test('while the control plane is away nothing stops; a crash is restarted, with what was known; a new agent knows it too', async () => {
  const { client } = cluster
  await client.of(configMaps).create({ metadata: { name: 'conf', ...here }, data: { GREETING: 'hello' } })
  await client.of(services).create({
    metadata: { name: 'db', ...here },
    spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ports: [{ port: 5432 }] },
  })
  const pod = await create(
    { volumes: [{ name: 'v', configMap: { name: 'conf' } }] },
    { envFrom: [{ configMapRef: { name: 'conf' } }], volumeMounts: [{ name: 'v', mountPath: '/conf' }] },
  )
  await until('Running')
  const want = { GREETING: 'hello', DB_SERVICE_HOST: '10.96.0.9' }
  expect(created.at(-1)?.env).toMatchObject(want)
  await clock.advance(2_000)
  away = true
  await clock.advance(120_000)
  runtime.exit(`${pod.metadata.uid}/main/0`, 1)
  await settle(() => created.length === 2)
  await agent.stop()
  agent = start()
  await clock.advance(5_000)
  runtime.exit(`${pod.metadata.uid}/main/1`, 1)
  await clock.advance(15_000)
  await settle(() => created.length === 3)
  expect(created.at(-1)?.env).toMatchObject(want)
  expect(created.at(-1)?.mounts).toMatchObject([{ mountPath: '/conf' }, { mountPath: '/etc/hosts' }])
  away = false
  await clock.advance(30_000)
  await settle(async () => (await get()).status?.containerStatuses?.[0]?.restartCount === 2)
})

test('what is missing is waited for, and named', async () => {
  await create({ volumes: [{ name: 'v', configMap: { name: 'later' } }] }, { volumeMounts: [{ name: 'v', mountPath: '/conf' }] })
  await settle(async () => (await reasons()).includes('FailedMount'))
  const told = (await cluster.client.of(events).list(here)).items.find(({ reason }) => reason === 'FailedMount')
  expect(told?.message).toBe('MountVolume.SetUp failed for volume "v" : configmap "later" not found')
  await clock.advance(100)
  await settle(async () => (await get()).status?.containerStatuses?.[0]?.state?.waiting?.reason === 'ContainerCreating')
  await cluster.client.of(configMaps).create({ metadata: { name: 'later', ...here }, data: {} })
  await clock.advance(2_000)
  await until('Running')
})

test('an image without a recipe waits for one', async () => {
  await create({}, { image: 'strange:1' })
  const waiting = async (): Promise<string | undefined> => (await get()).status?.containerStatuses?.[0]?.state?.waiting?.reason
  await settle(async () => (await waiting()) === 'ImageNotRunnableAsProcess')
  await cluster.client.of(imageRecipes).create({ metadata: { name: 'strange' }, spec: { images: ['strange*'], command: ['odd'] } })
  await until('Running')
  expect(created.at(-1)?.command).toEqual(['odd'])
})

test('a status that somebody else has overwritten is put right', async () => {
  await create()
  await until('Running')
  const conditions = [{ type: 'Ready', status: 'False' }]
  await cluster.client.of(pods).patch('web', { status: { conditions } }, { ...here, type: 'strategic', subresource: 'status' })
  await settle(async () => (await get()).status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True')
})

test('a machine that cannot run pods says so in its node', async () => {
  await agent.stop()
  const problems = [{ what: 'no shell', fix: 'install one' }]
  Object.defineProperty(runtime, 'probe', {
    value: async () => ({ ok: false, capabilities: { limits: false, mounts: false, users: false }, problems }),
  })
  agent = start()
  const ready = async (): Promise<unknown> =>
    (await cluster.client.of(nodes).list()).items[0]?.status?.conditions?.find(({ type }) => type === 'Ready')
  const want = { status: 'False', reason: 'KubeletNotReady', message: 'no shell: install one' }
  await settle(async () => expect.objectContaining(want).asymmetricMatch(await ready()))
  const told = async (): Promise<unknown[]> =>
    (await cluster.client.of(events).list()).items.map(({ involvedObject, reason, message }) => [involvedObject.uid, reason, message])
  await settle(async () => (await told()).length > 0)
  expect(await told()).toContainEqual(['n1', 'MissingCapability', 'no shell; install one'])
})

test('files of a running pod follow their ConfigMap and its own labels', async () => {
  await cluster.client.of(configMaps).create({ metadata: { name: 'conf', ...here }, data: { a: '1' } })
  const volumes = [
    { name: 'v', configMap: { name: 'conf' } },
    { name: 'd', downwardAPI: { items: [{ path: 'labels', fieldRef: { fieldPath: 'metadata.labels' } }] } },
  ]
  const pod = await create({ volumes })
  await until('Running')
  const read = (path: string): string => readFileSync(join(dir, pod.metadata.uid ?? '', 'volumes', path), 'utf8')
  expect([read('v/a'), read('d/labels')]).toEqual(['1', ''])
  await cluster.client.of(pods).patch('web', { metadata: { labels: { tier: 'gold' } } }, { ...here, type: 'merge' })
  await settle(() => read('d/labels') === 'tier="gold"')
  await cluster.client.of(configMaps).patch('conf', { data: { a: '2' } }, { ...here, type: 'merge' })
  await clock.advance(90_000)
  await settle(() => read('v/a') === '2')
})
