// Services in the kernel against kubernetes' kube-proxy (nftables mode): 10,000 services with 3 endpoints each at once, and one more.
// Both are processes in one network namespace, fed by the same API server; a probe connects until the service answers.
// Run as root, after node scripts/build-kube-proxy.mjs: node scripts/bench.mjs services [SERVICES] [ADDED] [ROUNDS]
import { resolve } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { EndpointSlice, Service } from '../src/api/generated/types.ts'
import { createNetworkLab, type LabHost } from '../src/testing/network-lab/index.ts'
import { against, quantile, report, spread, table } from './harness/report.ts'
import { ServicePrograms, stopChild, type Conversation } from './service-programs/peer.ts'
import { addDirectly, loadDirectly, type DirectResult } from './service-programs/direct.ts'
import type { ApiAccess } from './service-programs/run-proxy.ts'
import { serviceObject, sliceObject, vipOf } from './service-programs/objects.ts'

const ROOT = process.env['BIPLANE_ROOT'] ?? '.'
const NODE = { name: 'node', addresses: ['192.0.2.1'] } as const

interface Result {
  readonly loadMs: number
  readonly addMs: readonly number[]
  /** Mean of a sync by its own measure, without what the API takes. */
  readonly syncMs: number
}

interface Order {
  readonly services: readonly Service[]
  readonly slices: readonly EndpointSlice[]
}

const order = (from: number, to: number): Order => {
  const indices = Array.from({ length: to - from }, (_, i) => from + i)
  return { services: indices.map(serviceObject), slices: indices.map(sliceObject) }
}

interface Contest {
  readonly host: LabHost
  readonly api: Conversation
  readonly probe: Conversation
  readonly access: ApiAccess
  readonly programs: ServicePrograms
  readonly count: number
  readonly added: number
  /** The first index that the API does not have yet. */
  next: number
}

/** Time until the last of all services is served, then for one after another from its creation until it is served. */
async function measure(contest: Contest, start: () => Competitor): Promise<Result> {
  const { api, probe } = contest
  const all = contest.next
  const begin = now()
  const competitor = start()
  // served in no particular order: the last of all, and some of the others
  for (const index of [all - 1, 0, all >> 1, all >> 2]) await probe.ask({ to: vipOf(index), port: 80 })
  const loadMs = now() - begin
  await delay(3000)
  const before = await competitor.syncs()
  const addMs: number[] = []
  for (let i = 0; i < contest.added; i++) {
    const index = contest.next++
    const { at: created } = await api.ask<{ readonly at: number }>(order(index, index + 1))
    const { at: served } = await probe.ask<{ readonly at: number }>({ to: vipOf(index), port: 80 })
    addMs.push(served - created)
    await delay(300)
  }
  const after = await competitor.syncs()
  await competitor.stop()
  return { loadMs, addMs, syncMs: ((after.sum - before.sum) / (after.count - before.count)) * 1000 }
}

interface Syncs {
  readonly sum: number
  readonly count: number
}

interface Competitor {
  syncs(): Promise<Syncs>
  stop(): Promise<void>
}

function ours({ programs, host, access }: Contest): Competitor {
  const proxy = programs.start(host, 'proxy', JSON.stringify(access), JSON.stringify(NODE))
  return {
    syncs: async () => syncsOf((await proxy.ask<{ readonly metrics: string }>({})).metrics),
    async stop() {
      await proxy.stop()
      for (const family of ['ip', 'ip6']) await host.run(['nft', 'delete', 'table', family, 'biplane-services'])
    },
  }
}

function kubeProxy({ programs, host, access }: Contest, binary: string): Competitor {
  const child = programs.startKubeProxy(host, binary, { access, nodeName: NODE.name, nodePortAddresses: ['192.0.2.0/24'] })
  return {
    syncs: async () => syncsOf(await host.must(['curl', '-s', 'http://127.0.0.1:10249/metrics'])),
    async stop() {
      await stopChild(child)
      for (const family of ['ip', 'ip6']) await host.run(['nft', 'delete', 'table', family, 'kube-proxy'], { timeoutMs: 120_000 })
    },
  }
}

/** kube-proxy labels it by family. */
function syncsOf(metrics: string): Syncs {
  const sumOf = (name: string): number =>
    [...metrics.matchAll(new RegExp(`^kubeproxy_sync_proxy_rules_duration_seconds_${name}(?:\\{[^}]*\\})? (\\S+)$`, 'gm'))].reduce(
      (sum, [, value]) => sum + Number(value),
      0,
    )
  return { sum: sumOf('sum'), count: sumOf('count') }
}

const now = (): number => Number(process.hrtime.bigint()) / 1e6

async function main(count: number, added: number, rounds: number): Promise<void> {
  const { builtKubeProxy } = (await import(resolve(ROOT, 'scripts/build-kube-proxy.mjs'))) as { readonly builtKubeProxy: () => string }
  const binary = builtKubeProxy()
  if (binary === '') throw new Error('there is no kube-proxy: node scripts/build-kube-proxy.mjs')
  const programs = await ServicePrograms.bundle()
  const lab = await createNetworkLab()
  try {
    const host = await lab.host('node')
    // every address is this host's own, so that one listener answers for all endpoints, and what is not translated is refused at once
    for (const line of [
      'address add 192.0.2.1/24 dev lo',
      'route add local 10.96.0.0/12 dev lo',
      'route add local 10.244.0.0/14 dev lo',
      'route add default dev lo',
    ]) {
      await host.must(['ip', ...line.split(' ')])
    }
    const api = programs.start(host, 'api', NODE.name, ...NODE.addresses)
    const access = await api.next<ApiAccess>()
    const probe = programs.start(host, 'probe')
    await probe.next()
    await api.ask(order(0, count))
    const contest: Contest = { host, api, probe, access, programs, count, added, next: count }
    const direct: DirectResult[] = []
    const [mine, theirs]: [Result[], Result[]] = [[], []]
    for (let round = 0; round < rounds; round++) {
      direct.push({ loadMs: await loadDirectly(host, count), addMs: await addDirectly(host, count, 100) })
      mine.push(await measure(contest, () => ours(contest)))
      theirs.push(await measure(contest, () => kubeProxy(contest, binary)))
    }
    show(count, { direct, mine, theirs })
  } finally {
    await lab.remove()
    programs.remove()
  }
}

interface Results {
  readonly direct: readonly DirectResult[]
  readonly mine: readonly Result[]
  readonly theirs: readonly Result[]
}

function show(count: number, { direct, mine, theirs }: Results): void {
  const median = (values: readonly number[]): number => quantile(values, 0.5)
  const load = median(direct.map(({ loadMs }) => loadMs))
  const add = median(direct.flatMap(({ addMs }) => addMs))
  const [ourAdd, theirAdd] = [median(mine.flatMap(({ addMs }) => addMs)), median(theirs.flatMap(({ addMs }) => addMs))]
  const [ourLoad, theirLoad] = [median(mine.map(({ loadMs }) => loadMs)), median(theirs.map(({ loadMs }) => loadMs))]
  const [ourSync, theirSync] = [median(mine.map(({ syncMs }) => syncMs)), median(theirs.map(({ syncMs }) => syncMs))]
  report('services', [
    '# Services in the kernel',
    '',
    `- one service with 3 endpoints more, at ${count.toLocaleString('en')}: ${against(add, { most: 2, unit: 'ms' })}`,
    `- ${count.toLocaleString('en')} services at once: ${against(load, { most: 1000, unit: 'ms' })}`,
    `- one more, from the API's answer to the first connection: ${against(theirAdd / ourAdd, { least: 10, unit: 'times faster than kube-proxy' })}`,
    `- one more, a sync by each one's own metric: ${against(theirSync / ourSync, { least: 10, unit: 'times faster than kube-proxy' })}`,
    `- all at once, from the start of the process to the first connections: ${against(theirLoad / ourLoad, { least: 10, unit: 'times faster than kube-proxy' })}`,
    '',
    'The first two are from the list of objects to the transaction being in force, in the process of the proxy. The others: both are processes of their own in one',
    'network namespace, fed over TLS by the same API server; a probe connects to the service over and over until that succeeds. kube-proxy 1.35.4 in mode nftables, set to',
    'wait 1 ms between syncs instead of its 1 s, which would be most of the time.',
    '',
    ...table(
      ['', 'biplane: median (min to max)', 'kube-proxy: median (min to max)'],
      [
        [
          'one more: creation to first connection, ms',
          spread(
            mine.flatMap(({ addMs }) => addMs),
            1,
          ),
          spread(
            theirs.flatMap(({ addMs }) => addMs),
            1,
          ),
        ],
        [
          'one more: sync, ms',
          spread(
            mine.map(({ syncMs }) => syncMs),
            2,
          ),
          spread(
            theirs.map(({ syncMs }) => syncMs),
            2,
          ),
        ],
        [
          'one more: in the process, ms',
          spread(
            direct.flatMap(({ addMs }) => addMs),
            2,
          ),
          '',
        ],
        ['all: start to first connections, ms', spread(mine.map(({ loadMs }) => loadMs)), spread(theirs.map(({ loadMs }) => loadMs))],
        ['all: in the process, ms', spread(direct.map(({ loadMs }) => loadMs)), ''],
      ],
    ),
  ])
}

await main(Number(process.argv[2] ?? 10_000), Number(process.argv[3] ?? 15), Number(process.argv[4] ?? 2))
