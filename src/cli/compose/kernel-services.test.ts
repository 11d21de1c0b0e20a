import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { EndpointSlice, Node, Service, ServiceCIDR } from '../../api/generated/types.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { formatPrefix } from '../../base/ip.ts'
import { silentLogger, type Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import type { Nft } from '../../data-plane/forwarding/contract.ts'
import type { ChangingList } from '../../data-plane/service-proxy/index.ts'
import { KernelServices, serviceRangesOf } from './kernel-services.ts'
import type { LastGoodList } from '../../data-plane/node/api-sync/last-good.ts'

/** A list that tests fill. */
class TestList<T> implements ChangingList<T> {
  readonly #listeners = new Set<() => void>()
  #items: readonly T[]

  constructor(items: readonly T[]) {
    this.#items = items
  }

  list(): readonly T[] {
    return this.#items
  }

  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }

  put(...items: readonly T[]): void {
    this.#items = items
    for (const fn of this.#listeners) fn()
  }

  get listeners(): number {
    return this.#listeners.size
  }
}

const node = (zone?: string, podCIDRs: readonly string[] = ['10.244.1.0/24']): Node => ({
  metadata: { name: 'n1', labels: zone === undefined ? {} : { 'topology.kubernetes.io/zone': zone } },
  spec: { podCIDRs: [...podCIDRs] },
})
const range = (...cidrs: readonly string[]): ServiceCIDR => ({ metadata: { name: 'kubernetes' }, spec: { cidrs: [...cidrs] } })
const service: Service = {
  metadata: { name: 'web', namespace: 'default', resourceVersion: '7' },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.10',
    clusterIPs: ['10.96.0.10'],
    ports: [{ port: 80, protocol: 'TCP', targetPort: 8080 }],
  },
}

let dir: string
let stop: AbortController
let running: Promise<void> | undefined
let texts: string[]
let routed: string[]
let nodes: TestList<Node>
let ranges: TestList<ServiceCIDR>
let tellKnown: () => void
const clock = new FakeClock()
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'biplane-services-'))
  stop = new AbortController()
  texts = []
  routed = []
  nodes = new TestList([node('z1')])
  ranges = new TestList([range('10.96.0.0/16')])
})
afterEach(async () => {
  stop.abort()
  await running
  rmSync(dir, { recursive: true })
})

function start(more: { readonly add?: () => Promise<void>; readonly log?: Logger } = {}): KernelServices {
  const nft: Nft = {
    run: (text) => Promise.resolve(void texts.push(text)),
    apply: () => Promise.resolve(),
    list: () => Promise.resolve({ nftables: [] }),
    // eslint-disable-next-line require-yield
    async *foreignChanges(_tables, signal) {
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }))
    },
    close() {},
  }
  const services = new KernelServices({
    name: 'n1',
    addresses: ['192.0.2.1'],
    device: 'eth0',
    stateDir: dir,
    nft,
    routes: {
      add: (routes) => {
        routed.push(...routes.map(({ prefix }) => formatPrefix(prefix)))
        return more.add?.() ?? Promise.resolve()
      },
      remove: () => Promise.resolve(),
    },
    services: new TestList([service]),
    endpointSlices: new TestList<EndpointSlice>([]),
    nodes,
    serviceCIDRs: {
      list: ranges as unknown as LastGoodList<ServiceCIDR>,
      known: Promise.resolve(),
      fresh: Promise.resolve(),
      run: () => Promise.resolve(),
    },
    known: new Promise<void>((resolve) => (tellKnown = resolve)),
    clock,
    random: () => 0,
    log: more.log ?? silentLogger,
    metrics: createMetrics(),
    report: () => {},
  })
  running = services.run(stop.signal)
  return services
}

/** Lets files be written and turns be taken until `probe` is true. */
async function until(probe: () => boolean): Promise<void> {
  for (let round = 0; round < 5_000 && !probe(); round++) {
    await clock.advance(1)
    await new Promise((resolve) => setImmediate(resolve))
  }
  expect(probe()).toBe(true)
}

describe('the services of a node', () => {
  test('leave the kernel alone until all is known', async () => {
    const services = start()
    await clock.advance(60_000)
    expect([texts, routed, services.table(), services.appliedRevision()]).toEqual([[], [], undefined, undefined])
    tellKnown()
    await until(() => services.appliedRevision() !== undefined)
    expect([services.appliedRevision(), routed]).toEqual([7n, ['10.96.0.0/16']])
    expect(texts.join()).toContain('biplane-services')
  })

  test.each<[string, () => void]>([
    ['zone', () => nodes.put(node('z2'))],
    ['pod ranges', () => nodes.put(node('z1', ['10.244.9.0/24']))],
    ['service ranges', () => ranges.put(range('10.96.0.0/16', 'fd00:10:96::/112'))],
  ])('are served anew when the %s of the node change, by one proxy at a time', async (_name, change) => {
    const services = start()
    tellKnown()
    await until(() => services.appliedRevision() !== undefined)
    const [before, sent, listening] = [services.table(), texts.length, nodes.listeners]
    change()
    await until(() => services.table() !== before && services.appliedRevision() !== undefined && texts.length > sent)
    expect(nodes.listeners).toBe(listening)
  })

  test('are left alone by what is no fact of theirs', async () => {
    const services = start()
    tellKnown()
    await until(() => services.appliedRevision() !== undefined)
    const sent = texts.length
    nodes.put({ ...node('z1'), status: { conditions: [] } }, { metadata: { name: 'n2' } })
    for (let round = 0; round < 20; round++) await clock.advance(1)
    expect(texts).toHaveLength(sent)
  })

  test('are served although programs of the node itself have no way to them', async () => {
    const warnings: string[] = []
    const services = start({
      add: () => Promise.reject(new Error('no such device')),
      log: { ...silentLogger, warn: (message) => void warnings.push(message) },
    })
    tellKnown()
    await until(() => services.appliedRevision() !== undefined)
    expect(warnings).toContain('programs of this node itself may not reach services')
  })

  test('end when they are told to before anything is known', async () => {
    start()
    stop.abort()
    await running
    expect(texts).toEqual([])
  })
})

test('all ranges, once and in order', () => {
  expect(serviceRangesOf([range('fd00::/112', '10.96.0.0/16'), range('10.96.0.0/16'), { metadata: { name: 'empty' } }])).toEqual([
    '10.96.0.0/16',
    'fd00::/112',
  ])
})
