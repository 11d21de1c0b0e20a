// Hollow nodes: schedule pods on nodes through the real API: LMDB store, HTTPS clients in a process of their own, bindings and events written.
// Goal: >= 1,500 pods/s for 10,000 pods on 1,000 nodes. Run: node scripts/bench.mjs schedule [PODS] [NODES]
import { fork, type ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { BUILT_IN_KINDS } from '../src/api/registry.ts'
import { leases } from '../src/api/coordination/v1/lease.ts'
import { namespaces } from '../src/api/core/v1/namespace.ts'
import { nodes } from '../src/api/core/v1/node.ts'
import { pods } from '../src/api/core/v1/pod.ts'
import { serviceAccounts } from '../src/api/core/v1/service-account.ts'
import type { Pod } from '../src/api/generated/types.ts'
import { systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { createMetrics } from '../src/base/metrics.ts'
import { microTimestamp, timestamp } from '../src/base/timestamp.ts'
import { createClient, createHttpsTransport, createInformerFactory, type Client } from '../src/client/index.ts'
import { createManager } from '../src/controller/index.ts'
import { createPriorityPlugin, createServiceAccountPlugin } from '../src/control-plane/apiserver/admission/index.ts'
import { createResourceHandler } from '../src/control-plane/apiserver/handlers/index.ts'
import { createApiServer, LOOPBACK_USER } from '../src/control-plane/apiserver/index.ts'
import { addControllers } from '../src/control-plane/controllers/index.ts'
import { loadOrCreatePki } from '../src/control-plane/pki/index.ts'
import { addScheduler } from '../src/control-plane/scheduler/index.ts'
import { openLmdbStore } from '../src/control-plane/store/index.ts'
import { machineFacts } from './machine-facts.ts'

const IN_FLIGHT = 64
const CLIENT = 'client'

interface ClientSetup {
  readonly server: string
  readonly ca: string
  readonly cert: string
  readonly key: string
}

interface Round {
  readonly name: string
  readonly pods: number
  readonly createMs: number
  /** From when the scheduler could begin until the last pod was bound. */
  readonly boundMs: number
  readonly cpuMs: number
  /** Inside the scheduler: filters and scores. */
  readonly decideMs: number
  readonly nodesUsed: number
  readonly most: number
}

/** A process of its own: makes what it is told to over HTTPS. */
async function runClient(): Promise<void> {
  let client: Client | undefined
  process.on('message', (message: { setup?: ClientSetup; make?: { from: number; count: number }; end?: true }) => {
    if (message.setup) {
      const { server, ca, cert, key } = message.setup
      client = createClient(createHttpsTransport({ server, ca, cert, key, clock: systemClock, random: Math.random }))
    }
    if (message.make) void make(client as Client, message.make).then((ms) => process.send?.({ ms }))
    if (message.end) process.exit(0)
  })
  await once(process, 'disconnect')
}

async function make(client: Client, { from, count }: { readonly from: number; readonly count: number }): Promise<number> {
  const begin = performance.now()
  let next = from
  const worker = async (): Promise<void> => {
    while (next < from + count) {
      const name = `pod-${next++}`
      const resources = { requests: { cpu: '100m', memory: '64Mi' } }
      await client.of(pods).create({
        metadata: { name, namespace: 'default', labels: { app: 'bench' } },
        spec: { containers: [{ name: 'c', image: 'host', resources }] },
      })
    }
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker))
  return performance.now() - begin
}

async function main(podCount: number, nodeCount: number): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-schedule-'))
  const child = fork(process.argv[1] as string, [CLIENT], { execArgv: [] })
  try {
    const rounds = await run(dir, child, { podCount, nodeCount })
    report(rounds, nodeCount)
  } finally {
    child.kill()
    rmSync(dir, { recursive: true, force: true })
  }
}

async function run(dir: string, child: ChildProcess, size: { readonly podCount: number; readonly nodeCount: number }): Promise<Round[]> {
  const clock = systemClock
  const log = silentLogger
  const random = Math.random
  const metrics = createMetrics()
  const pki = await loadOrCreatePki(join(dir, 'pki'), { clock, hosts: ['127.0.0.1'], serviceIp: '127.96.0.1' })
  const store = await openLmdbStore({ dir: join(dir, 'store'), clock, log, metrics })
  const resources = createResourceHandler({
    store,
    kinds: BUILT_IN_KINDS,
    clock,
    random,
    uuid: randomUUID,
    log,
    metrics,
    admission: [createServiceAccountPlugin(store), createPriorityPlugin(store)],
  })
  const api = createApiServer({
    resources: resources.handle,
    kinds: () => BUILT_IN_KINDS,
    certificate: { key: pki.serving.privateKey, cert: pki.serving.certificate, clientCa: pki.caCertificate },
    clock,
    log,
    metrics,
  })
  const { port } = await api.start('127.0.0.1', 0)
  const client = createClient(api.inProcess(LOOPBACK_USER))
  await makeCluster(client, size.nodeCount)
  child.send({
    setup: { server: `https://127.0.0.1:${port}`, ca: pki.caCertificate, cert: pki.admin.certificate, key: pki.admin.privateKey },
  })

  const stop = new AbortController()
  const informers = createInformerFactory({ client, clock, random, log })
  const bound = new BoundCounter()
  const manager = createManager({ client, informers, clock, log, metrics, random })
  addControllers(manager, { kinds: BUILT_IN_KINDS, caPem: pki.caCertificate, nodeGracePeriodMs: 3_600_000 })
  addScheduler(manager, { random })
  informers.informer(pods).addHandler({ add: (pod) => bound.see(pod), update: (pod) => bound.see(pod) })

  const half = Math.floor(size.podCount / 2)
  const decided = (): number =>
    Number(/attempt_duration_seconds_sum\{result="scheduled"[^}]*\} (\S+)/.exec(metrics.render())?.[1] ?? 0) * 1000
  const measure = async (name: string, count: number, begin: () => Promise<number> | number): Promise<Round> => {
    const cpu = process.cpuUsage()
    const decideBefore = decided()
    const at = performance.now()
    const target = bound.total + count
    const [createMs] = await Promise.all([begin(), bound.reach(target)])
    const boundMs = performance.now() - at
    const used = process.cpuUsage(cpu)
    const spread = bound.spread()
    return { name, pods: count, createMs, boundMs, cpuMs: (used.user + used.system) / 1000, decideMs: decided() - decideBefore, ...spread }
  }
  let running: Promise<void> | undefined
  const createMs = await order(child, { from: 0, count: half })
  const waiting = await measure('pods wait, then the scheduler starts', half, () => {
    running = manager.run(stop.signal)
    return createMs
  })
  const arriving = await measure('pods arrive while it runs', size.podCount - half, () =>
    order(child, { from: half, count: size.podCount - half }),
  )
  stop.abort(new Error('bench ended'))
  await running
  await api.stop({ graceMs: 0 })
  await resources.close()
  await store.close()
  return [waiting, arriving]
}

async function order(child: ChildProcess, make: { readonly from: number; readonly count: number }): Promise<number> {
  child.send({ make })
  const [{ ms }] = (await once(child, 'message')) as [{ ms: number }]
  return ms
}

/** Node objects and Leases, and nothing behind them. */
async function makeCluster(client: Client, count: number): Promise<void> {
  for (const name of ['default', 'kube-node-lease']) await client.of(namespaces).create({ metadata: { name } })
  await client.of(serviceAccounts).create({ metadata: { name: 'default', namespace: 'default' } })
  const now = Date.now()
  const allocatable = { cpu: '32', memory: '128Gi', pods: '110' }
  const conditions = [
    { type: 'Ready', status: 'True', reason: 'KubeletReady', lastHeartbeatTime: timestamp(now), lastTransitionTime: timestamp(now) },
  ]
  const one = async (name: string): Promise<void> => {
    const node = await client.of(nodes).create({ metadata: { name, labels: { 'kubernetes.io/hostname': name } } })
    await client.of(nodes).updateStatus({ ...node, status: { allocatable, capacity: allocatable, conditions } })
    await client.of(leases).create({
      metadata: { name, namespace: 'kube-node-lease' },
      spec: { holderIdentity: name, leaseDurationSeconds: 40, renewTime: microTimestamp(now) },
    })
  }
  for (let i = 0; i < count; i += IN_FLIGHT)
    await Promise.all(Array.from({ length: Math.min(IN_FLIGHT, count - i) }, (_, j) => one(`node-${i + j}`)))
}

class BoundCounter {
  readonly #perNode = new Map<string, number>()
  readonly #seen = new Set<string>()
  readonly #waiters: { readonly total: number; readonly resolve: () => void }[] = []

  get total(): number {
    return this.#seen.size
  }

  see(pod: Pod): void {
    const node = pod.spec?.nodeName
    if (!node || this.#seen.has(pod.metadata.name)) return
    this.#seen.add(pod.metadata.name)
    this.#perNode.set(node, (this.#perNode.get(node) ?? 0) + 1)
    for (const waiter of this.#waiters) if (this.total >= waiter.total) waiter.resolve()
  }

  reach(total: number): Promise<void> {
    return new Promise((resolve) => void this.#waiters.push({ total, resolve }))
  }

  spread(): { readonly nodesUsed: number; readonly most: number } {
    return { nodesUsed: this.#perNode.size, most: Math.max(...this.#perNode.values()) }
  }
}

function report(rounds: readonly Round[], nodeCount: number): void {
  const perSecond = (round: Round): number => (round.pods / round.boundMs) * 1000
  const lines = [
    '# Scheduling on hollow nodes',
    '',
    ...rounds.map(
      (round) => `${round.name}: ${perSecond(round).toFixed(0)} pods/s, ${(perSecond(round) / 1500).toFixed(2)}x the goal of 1,500.`,
    ),
    '',
    `${rounds.reduce((sum, round) => sum + round.pods, 0)} pods on ${nodeCount} nodes, in two halves. One process has store (LMDB), API server, all controllers and the scheduler; pods are made over HTTPS by another, ${IN_FLIGHT} at a time. Every binding is durable before it counts; "Scheduled" events are written too.`,
    '',
    '| round | pods | made over HTTPS in ms | bound in ms | pods/s | server CPU ms per pod | of that filters and scores | nodes used | most on one |',
    '|---|---|---|---|---|---|---|---|---|',
    ...rounds.map(
      (round) =>
        `| ${round.name} | ${round.pods} | ${round.createMs.toFixed(0)} | ${round.boundMs.toFixed(0)} | ${perSecond(round).toFixed(0)} | ${(round.cpuMs / round.pods).toFixed(3)} | ${(round.decideMs / round.pods).toFixed(3)} | ${round.nodesUsed} | ${round.most} |`,
    ),
    '',
    machineFacts(),
    '',
  ]
  process.stdout.write(lines.join('\n'))
  writeFileSync(join(process.env['BIPLANE_ROOT'] ?? '.', 'bench/results/schedule.md'), lines.join('\n'))
}

const [first = '10000', second = '1000'] = process.argv.slice(2)
await (first === CLIENT ? runClient() : main(Number(first), Number(second)))
