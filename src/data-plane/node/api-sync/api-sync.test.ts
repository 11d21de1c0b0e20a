import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { leases } from '../../../api/coordination/v1/lease.ts'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import type { ConfigMap, Pod, PodStatus } from '../../../api/generated/types.ts'
import type { Clock } from '../../../base/clock.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createClient } from '../../../client/create-client.ts'
import type { Client } from '../../../client/client.ts'
import { createInformer } from '../../../client/informer.ts'
import type { ApiRequest, Transport } from '../../../client/transport.ts'
import { startTestCluster, type TestCluster } from '../../../testing/index.ts'
import { LastGoodList } from './last-good.ts'
import { runRegistration, type RegistrationOptions } from './node-registration.ts'
import { nodeStatus, type NodeDescription } from './node-status.ts'
import { ObjectCache } from './object-cache.ts'
import { StatusManager } from './status-manager.ts'
import { TokenCache } from './token-cache.ts'

/** The way to a cluster, which can be cut, and remembers what went over it. */
class Line implements Transport {
  readonly #inner: Transport
  readonly sent: ApiRequest[] = []
  cut = false

  constructor(cluster: TestCluster) {
    this.#inner = cluster.client.transport
  }

  async send(request: ApiRequest): ReturnType<Transport['send']> {
    if (this.cut) throw new Error('connect ECONNREFUSED')
    this.sent.push(request)
    return this.#inner.send(request)
  }

  async close(): Promise<void> {}

  /** `PATCH /status` and the like, since the last call. */
  told(): string[] {
    return this.sent.splice(0).map(({ method, path }) => `${method} ${path.split('/').slice(4).join('/')}`)
  }
}

let clock: FakeClock
let cluster: TestCluster
let line: Line
let client: Client
let stop: AbortController
let dir: string
beforeEach(async () => {
  clock = new FakeClock()
  cluster = await startTestCluster({ clock })
  line = new Line(cluster)
  client = createClient(line)
  stop = new AbortController()
  dir = mkdtempSync(join(tmpdir(), 'biplane-sync-'))
})
afterEach(async () => {
  stop.abort()
  await clock.advance(0)
  await cluster.stop()
  rmSync(dir, { recursive: true })
})

const here = { namespace: 'default' }
const makePod = (name = 'web'): Promise<Pod> =>
  cluster.client.of(pods).create({ metadata: { name, ...here }, spec: { nodeName: 'n1', containers: [{ name: 'main', image: 'host' }] } })
const statusOf = async (name = 'web'): Promise<PodStatus> => (await cluster.client.of(pods).get(name, here)).status ?? {}
const running = (podIP: string, more: PodStatus = {}): PodStatus => ({
  phase: 'Running',
  podIP,
  podIPs: [{ ip: podIP }],
  conditions: [{ type: 'Ready', status: 'True' }],
  ...more,
})

describe('StatusManager', () => {
  const manager = (): StatusManager => new StatusManager({ client, clock, log: silentLogger, signal: stop.signal })

  test('sends what is new, once; while a request is under way only the newest', async () => {
    const statuses = manager()
    const pod = await makePod()
    for (const ip of ['10.0.0.1', '10.0.0.2', '10.0.0.3']) statuses.publish(pod, running(ip))
    statuses.publish(pod, running('10.0.0.3'))
    await clock.advance(0)
    expect(line.told()).toEqual(['PATCH default/pods/web/status', 'PATCH default/pods/web/status'])
    expect(await statusOf()).toMatchObject({ phase: 'Running', podIP: '10.0.0.3', podIPs: [{ ip: '10.0.0.3' }], qosClass: 'BestEffort' })
  })

  test('holds back what is past in a moment', async () => {
    const statuses = manager()
    const pod = await makePod()
    const starting = (reason: string): PodStatus => ({
      phase: 'Pending',
      containerStatuses: [{ name: 'main', image: '', imageID: '', ready: false, restartCount: 0, state: { waiting: { reason } } }],
    })
    statuses.publish(pod, starting('ContainerCreating'))
    await clock.advance(99)
    expect(line.told()).toEqual([])
    await clock.advance(1)
    expect(line.told().length).toBe(1)
    statuses.publish(pod, { ...starting('ContainerCreating'), podIP: '10.0.0.1' })
    statuses.publish(pod, running('10.0.0.1'))
    await clock.advance(0)
    expect(line.told().length).toBe(1)
    expect((await statusOf()).phase).toBe('Running')
    statuses.publish(pod, starting('ImageNotRunnableAsProcess'))
    await clock.advance(0)
    expect(line.told().length).toBe(1)
  })

  test('what is gone from a status is gone there too; conditions of others stay', async () => {
    const statuses = manager()
    const pod = await makePod()
    statuses.publish(pod, running('10.0.0.1', { reason: 'Odd', message: 'x' }))
    await clock.advance(0)
    const foreign = { type: 'x/ready', status: 'True' }
    await cluster.client.of(pods).patch('web', { status: { conditions: [foreign] } }, { ...here, type: 'strategic', subresource: 'status' })
    statuses.publish(pod, running('10.0.0.1'))
    await clock.advance(0)
    const status = await statusOf()
    expect(status).not.toHaveProperty('reason')
    expect(status.conditions?.map(({ type }) => type).sort()).toEqual(['Ready', 'x/ready'])
  })

  test('why a condition was False does not stay once it is True', async () => {
    const statuses = manager()
    const pod = await makePod()
    const because = { reason: 'ContainersNotReady', message: 'containers with unready status: [main]' }
    statuses.publish(pod, running('10.0.0.1', { conditions: [{ type: 'Ready', status: 'False', ...because }] }))
    await clock.advance(0)
    expect((await statusOf()).conditions).toMatchObject([{ status: 'False', ...because }])
    statuses.publish(pod, running('10.0.0.1'))
    await clock.advance(0)
    expect((await statusOf()).conditions).toEqual([{ type: 'Ready', status: 'True' }])
  })

  test('waits for a control plane that is away, then sends the newest', async () => {
    const statuses = manager()
    const pod = await makePod()
    line.cut = true
    statuses.publish(pod, running('10.0.0.1'))
    await clock.advance(60_000)
    statuses.publish(pod, running('10.0.0.2'))
    line.cut = false
    await clock.advance(5_000)
    expect(line.told()).toEqual(['PATCH default/pods/web/status'])
    expect((await statusOf()).podIP).toBe('10.0.0.2')
  })

  test('never writes to a successor of the same name', async () => {
    const statuses = manager()
    const old = await makePod()
    await cluster.client.of(pods).delete('web', { ...here, gracePeriodSeconds: 0 })
    await makePod()
    statuses.publish(old, running('10.0.0.1'))
    statuses.release(old, running('10.0.0.1'))
    await clock.advance(30_000)
    expect(await statusOf()).toMatchObject({ phase: 'Pending' })
  })

  test('sends the last status of a deleted pod, then lets it go', async () => {
    const statuses = manager()
    await makePod()
    await cluster.client.of(pods).delete('web', { ...here, gracePeriodSeconds: 30 })
    const pod = await cluster.client.of(pods).get('web', here)
    statuses.release(pod, running('10.0.0.1', { phase: 'Succeeded' }))
    await clock.advance(0)
    expect(line.told()).toEqual(['PATCH default/pods/web/status', 'DELETE default/pods/web'])
    await expect(statusOf()).rejects.toMatchObject({ reason: 'NotFound' })
  })

  test('says it again when somebody else has overwritten it, once for each time', async () => {
    const statuses = manager()
    const pod = await makePod()
    statuses.publish(pod, running('10.0.0.1'))
    await clock.advance(0)
    const ours = await cluster.client.of(pods).get('web', here)
    statuses.observe(ours)
    const api = cluster.client.of(pods)
    const unready = await api.patch(
      'web',
      { status: { conditions: [{ type: 'Ready', status: 'False' }] } },
      { ...here, type: 'strategic', subresource: 'status' },
    )
    line.told()
    statuses.observe(pod) // older than our write
    statuses.observe(unready)
    await clock.advance(0)
    expect(line.told()).toEqual(['PATCH default/pods/web/status'])
    expect((await statusOf()).conditions?.[0]?.status).toBe('True')
    // the same news comes again, and our own write comes back
    statuses.observe(unready)
    statuses.observe(await api.get('web', here))
    await clock.advance(0)
    expect(line.told()).toEqual([])
  })
})

const conf = async (data: Record<string, string>): Promise<ConfigMap> =>
  await cluster.client.of(configMaps).create({ metadata: { name: 'conf', ...here }, data })

describe('ObjectCache', () => {
  const get = (cache: ObjectCache): Promise<ConfigMap | undefined> => cache.get(configMaps, 'default', 'conf')

  test('asks once for many, and again when its copy is old', async () => {
    await conf({ a: '1' })
    const cache = new ObjectCache({ client, clock })
    const [one, two] = await Promise.all([get(cache), get(cache)])
    expect(one).toBe(two)
    await get(cache)
    expect(line.told().length).toBe(1)
    await clock.advance(10_000)
    await get(cache)
    expect(line.told().length).toBe(1)
  })

  test('finds at once what has just been made, and forgets what is gone', async () => {
    const cache = new ObjectCache({ client, clock, dir })
    expect(await get(cache)).toBeUndefined()
    await conf({ a: '1' })
    expect((await get(cache))?.data).toEqual({ a: '1' })
    await cluster.client.of(configMaps).delete('conf', here)
    await clock.advance(10_000)
    expect(await get(cache)).toBeUndefined()
    expect(readdirSync(dir)).toEqual([])
  })

  test('while the control plane is away the last good copy answers, also the next process', async () => {
    await conf({ a: '1' })
    const cache = new ObjectCache({ client, clock, dir })
    await get(cache)
    line.cut = true
    await clock.advance(60_000)
    expect((await get(cache))?.data).toEqual({ a: '1' })
    expect((await get(new ObjectCache({ client, clock, dir })))?.data).toEqual({ a: '1' })
    await expect(get(new ObjectCache({ client, clock }))).rejects.toThrow('ECONNREFUSED')
    writeFileSync(join(dir, 'configmaps_default_conf.json'), '{"cut sh')
    await expect(get(new ObjectCache({ client, clock, dir }))).rejects.toThrow('ECONNREFUSED')
  })
})

test('TokenCache asks again when four fifths of a token are over', async () => {
  const asked: unknown[] = []
  const transport: Transport = {
    send: async ({ path, body }) => {
      asked.push(path, (body as { spec: { boundObjectRef: unknown } }).spec.boundObjectRef)
      const answer = { status: { token: `t${asked.length / 2}` } }
      return { status: 201, headers: {}, object: async () => answer, events: () => neverCalled(), stream: () => neverCalled() }
    },
    close: async () => {},
  }
  const tokens = new TokenCache(createClient(transport), clock)
  const pod = { metadata: { name: 'web', namespace: 'default', uid: 'u1' } }
  const get = (): Promise<string> => tokens.get(pod, 'robot', { expirationSeconds: 1_000 })
  expect([await get(), await get()]).toEqual(['t1', 't1'])
  expect(asked).toEqual([
    '/api/v1/namespaces/default/serviceaccounts/robot/token',
    { apiVersion: 'v1', kind: 'Pod', name: 'web', uid: 'u1' },
  ])
  await clock.advance(799_999)
  expect(await get()).toBe('t1')
  await clock.advance(1)
  expect(await get()).toBe('t2')
})

function neverCalled(): never {
  throw new Error('not asked for')
}

describe('LastGoodList', () => {
  const list = (): { known: LastGoodList<ConfigMap>; run: () => Promise<void> } => {
    const informer = createInformer(configMaps, { client, clock, random: () => 0, log: silentLogger })
    return {
      known: new LastGoodList(informer, { clock, log: silentLogger, path: join(dir, 'list.json') }),
      run: () => informer.run(stop.signal),
    }
  }

  test('the next process begins with what was last known, until the control plane says otherwise', async () => {
    await conf({ a: '1' })
    const first = list()
    void first.run()
    await clock.advance(2_000)
    await first.known.settled()
    expect(JSON.parse(readFileSync(join(dir, 'list.json'), 'utf8'))).toMatchObject([{ data: { a: '1' } }])
    const second = list()
    let changes = 0
    second.known.onChange(() => changes++)
    await second.known.load()
    expect(second.known.list()).toMatchObject([{ data: { a: '1' } }])
    // all of it goes while nobody looks: an empty list is news too
    await cluster.client.of(configMaps).delete('conf', here)
    const before = changes
    void second.run()
    await clock.advance(0)
    expect(second.known.list()).toEqual([])
    expect(changes).toBeGreaterThan(before)
  })

  test('is on disk as soon as somebody needs it to be', async () => {
    await conf({ a: '1' })
    const { known, run } = list()
    await known.flush()
    expect(readdirSync(dir)).toEqual([])
    void run()
    await clock.advance(0)
    await known.flush()
    expect(JSON.parse(readFileSync(join(dir, 'list.json'), 'utf8'))).toMatchObject([{ data: { a: '1' } }])
    rmSync(join(dir, 'list.json'))
    await known.flush()
    expect(readdirSync(dir)).toEqual([])
  })

  test('rests a hundred times as long as a write took', async () => {
    // every look at the clock takes 30 ms
    let at = 0
    const slow: Clock = { now: () => clock.now(), monotonic: () => (at += 30), after: (ms, fn) => clock.after(ms, fn) }
    const informer = createInformer(configMaps, { client, clock, random: () => 0, log: silentLogger })
    const known = new LastGoodList(informer, { clock: slow, log: silentLogger, path: join(dir, 'list.json') })
    void informer.run(stop.signal)
    await clock.advance(1_000)
    await known.settled()
    rmSync(join(dir, 'list.json'))
    await conf({ a: '1' })
    await clock.advance(2_999)
    await known.settled()
    expect(readdirSync(dir)).toEqual([])
    await clock.advance(1)
    await known.settled()
    expect(readdirSync(dir)).toEqual(['list.json'])
  })

  test('a damaged copy is no copy', async () => {
    writeFileSync(join(dir, 'list.json'), '[{"metad')
    const { known } = list()
    await known.load()
    expect(known.list()).toEqual([])
  })
})

const node: NodeDescription = {
  name: 'n1',
  addresses: [{ type: 'InternalIP', address: '10.0.0.1' }],
  capacity: { cpuMillis: 2500, memoryBytes: 1024 ** 3, pods: 110 },
  labels: { disk: 'ssd' },
  info: {
    machineID: 'm1',
    bootID: 'b',
    kernelVersion: 'k',
    osImage: 'o',
    runtimeVersion: 'r',
    kubeletVersion: 'v',
    operatingSystem: 'linux',
    architecture: 'amd64',
  },
}

describe('registration', () => {
  const register = (more: Partial<RegistrationOptions> = {}): Promise<void> =>
    runRegistration({ client, clock, log: silentLogger, node, problem: () => undefined, ...more }, stop.signal)
  const lease = async (): Promise<string | undefined> =>
    (await cluster.client.of(leases).get('n1', { namespace: 'kube-node-lease' })).spec?.renewTime

  test('makes the node and its Lease, then only renews the Lease', async () => {
    let registered = 0
    void register({ onRegistered: () => registered++ })
    await clock.advance(0)
    const made = await cluster.client.of(nodes).get('n1')
    expect(made.metadata.labels).toMatchObject({ 'kubernetes.io/hostname': 'n1', 'kubernetes.io/os': 'linux', disk: 'ssd' })
    expect(made.status).toMatchObject({ capacity: { cpu: '2500m', memory: '1Gi', pods: '110' }, nodeInfo: { machineID: 'm1' } })
    expect(made.status?.conditions?.find(({ type }) => type === 'Ready')).toMatchObject({ status: 'True', reason: 'KubeletReady' })
    const first = await lease()
    line.told()
    await clock.advance(20_000)
    expect(line.told()).toEqual(['PUT namespaces/kube-node-lease/leases/n1', 'PUT namespaces/kube-node-lease/leases/n1'])
    expect(Date.parse((await lease()) ?? '') - Date.parse(first ?? '')).toBe(20_000)
    expect(registered).toBe(1)
  })

  test('tells of what the pod network needs others to know, and of ranges only once', async () => {
    const annotations = { 'biplane.dev/vtep-mac': '0a:62:00:00:00:01' }
    void register({ node: { ...node, annotations, podCidrs: ['10.9.0.0/24'] } })
    await clock.advance(0)
    const made = await cluster.client.of(nodes).get('n1')
    expect(made.metadata.annotations).toMatchObject(annotations)
    expect(made.spec?.podCIDRs).toEqual(['10.9.0.0/24'])
    // the next agent has another end of the tunnel, and other ranges: those are not changed under others' feet
    stop.abort()
    stop = new AbortController()
    void register({ node: { ...node, annotations: { 'biplane.dev/vtep-mac': '0a:62:00:00:00:02' }, podCidrs: ['10.8.0.0/24'] } })
    await clock.advance(0)
    const next = await cluster.client.of(nodes).get('n1')
    expect(next.metadata.annotations?.['biplane.dev/vtep-mac']).toBe('0a:62:00:00:00:02')
    expect(next.spec?.podCIDRs).toEqual(['10.9.0.0/24'])
  })

  test('a problem that ends is told of at once where that is known', async () => {
    let problem: string | undefined = 'no pod CIDR'
    let changed = (): void => {}
    void register({
      problem: () => problem,
      onProblemChange: (fn) => {
        changed = fn
        return () => {}
      },
    })
    const ready = async (): Promise<string | undefined> =>
      (await cluster.client.of(nodes).get('n1')).status?.conditions?.find(({ type }) => type === 'Ready')?.status
    await clock.advance(0)
    expect(await ready()).toBe('False')
    problem = undefined
    changed()
    await clock.advance(0)
    expect(await ready()).toBe('True')
  })

  test('a problem makes it NotReady at the next heartbeat, and Ready again', async () => {
    let problem: string | undefined
    void register({ problem: () => problem })
    const ready = async (): Promise<string> => {
      const found = (await cluster.client.of(nodes).get('n1')).status?.conditions?.find(({ type }) => type === 'Ready')
      return `${found?.status} ${found?.message}`
    }
    await clock.advance(0)
    problem = 'no shell'
    await clock.advance(10_000)
    expect(await ready()).toBe('False no shell')
    problem = undefined
    await clock.advance(10_000)
    expect(await ready()).toBe('True kubelet is posting ready status')
  })

  test('goes on when the control plane comes back', async () => {
    line.cut = true
    void register()
    await clock.advance(30_000)
    line.cut = false
    await clock.advance(1_000)
    expect(await lease()).toBeDefined()
  })

  test('refuses the name of a live node of another machine; takes it over once that one is silent', async () => {
    const other = new AbortController()
    void runRegistration(
      { client, clock, log: silentLogger, node: { ...node, info: { ...node.info, machineID: 'm2' } }, problem: () => undefined },
      other.signal,
    )
    await clock.advance(0)
    await expect(register()).rejects.toMatchObject({
      code: 'NodeNameTaken',
      message: expect.stringContaining('node "n1" is in use by another machine (machine id m2'),
    })
    other.abort()
    await clock.advance(41_000)
    void register()
    await clock.advance(0)
    expect((await cluster.client.of(nodes).get('n1')).status?.nodeInfo?.machineID).toBe('m1')
  })
})

test('node conditions keep their transition time until their status changes; foreign ones stay', () => {
  const before = nodeStatus(node, undefined, { nowMs: 0 })
  const foreign = { type: 'KernelDeadlock', status: 'False' }
  const after = nodeStatus(node, { ...before, conditions: [...(before.conditions ?? []), foreign] }, { nowMs: 60_000, problem: 'x' })
  const times = Object.fromEntries((after.conditions ?? []).map(({ type, lastTransitionTime }) => [type, lastTransitionTime]))
  expect(times).toMatchObject({ MemoryPressure: '1970-01-01T00:00:00Z', Ready: '1970-01-01T00:01:00Z' })
  expect(after.conditions).toContain(foreign)
})
