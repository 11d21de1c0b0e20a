import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { formatPrefix, parseIp, parsePrefix, type IpBytes, type IpPrefix } from '../../../base/ip.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Node } from '../../../api/generated/types.ts'
import type { Fib, FibRoute } from '../../../policy/route/fib-route.ts'
import type { Nft } from '../../forwarding/contract.ts'
import { NodeAddressPool } from './addresses/pod-addresses.ts'
import { PodNatTable } from './nat/pod-nat-table.ts'
import { NodeRoutes } from './node-routes.ts'
import { TaggedRoutes } from './routes/tagged-routes.ts'

const node = (name: string, cidr: string | undefined, address: string): Node => ({
  metadata: { name },
  spec: cidr ? { podCIDRs: [cidr] } : {},
  status: { addresses: [{ type: 'InternalIP', address }] },
})

/** A node's routes over a kernel that only remembers. */
class Bench {
  readonly clock = new FakeClock()
  readonly pool = new NodeAddressPool()
  readonly applied: string[][] = []
  readonly texts: string[] = []
  nodes: Node[] = []
  change: () => void = () => {}
  restored: () => void = () => {}
  readonly tagged: TaggedRoutes
  readonly routes: NodeRoutes
  readonly stop = new AbortController()

  constructor(podCidrs?: readonly IpPrefix[]) {
    const { clock } = this
    const text = (route: FibRoute): string => `${route.type ?? ''} ${formatPrefix(route.prefix)}`.trim()
    const fib: Fib = {
      apply: (routes) => {
        this.applied.push([...routes].map(text))
        return Promise.resolve([])
      },
      change: () => Promise.resolve([]),
    }
    const nft = { run: (sent: string) => Promise.resolve(void this.texts.push(sent)) } as unknown as Nft
    this.tagged = new TaggedRoutes(fib)
    this.routes = new NodeRoutes({
      name: 'self',
      addresses: [parseIp('192.168.1.1') as IpBytes],
      mode: 'auto',
      ...(podCidrs ? { podCidrs } : {}),
      nodes: {
        list: () => this.nodes,
        onChange: (fn) => {
          this.change = fn
          return () => {}
        },
      },
      links: () =>
        Promise.resolve({
          uplink: { device: 'eth0', mtu: 1500 },
          subnets: [{ prefix: parsePrefix('192.168.1.0/24') as IpPrefix, device: 'eth0' }],
        }),
      pool: this.pool,
      nat: new PodNatTable({ nft, nodeAddresses: [], families: [4], forget: () => {}, clock, log: silentLogger }),
      routes: this.tagged,
      restored: new Promise((resolve) => (this.restored = resolve)),
      clock,
      log: silentLogger,
    })
    void this.routes.run(this.stop.signal)
  }

  async set(...nodes: Node[]): Promise<void> {
    this.nodes = nodes
    this.change()
    await this.clock.advance(0)
  }
}

describe('the routes of a node', () => {
  test('wait for its pod range, and say so until it is there', async () => {
    const bench = new Bench()
    let told = 0
    bench.routes.onChange(() => told++)
    expect(bench.routes.problem()).toContain('has given this node no pod CIDR')
    await bench.set(node('self', undefined, '192.168.1.1'))
    expect(bench.routes.problem()).toBeDefined()
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'))
    expect(bench.routes.problem()).toBeUndefined()
    expect(told).toBe(1)
    expect(bench.pool.take()).toEqual(['10.244.1.2'])
    bench.stop.abort()
  })

  test('are not replaced before the pods of an earlier agent have theirs', async () => {
    const bench = new Bench()
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'), node('other', '10.244.2.0/24', '192.168.1.2'))
    await bench.clock.advance(60_000)
    expect(bench.applied).toEqual([])
    await bench.tagged.add([{ prefix: parsePrefix('10.244.1.7/32') as IpPrefix, nextHops: [{ device: 'bp' }], metric: 1 }])
    bench.restored()
    await bench.clock.advance(0)
    expect(bench.applied).toEqual([['10.244.1.7/32', 'unreachable 10.244.1.0/24', '10.244.2.0/24']])
    bench.stop.abort()
  })

  test('follow nodes that come and go', async () => {
    const bench = new Bench()
    bench.restored()
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'))
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'), node('other', '10.244.2.0/24', '192.168.1.2'))
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'))
    expect(bench.applied.at(-2)).toEqual(['unreachable 10.244.1.0/24', '10.244.2.0/24'])
    expect(bench.applied.at(-1)).toEqual(['unreachable 10.244.1.0/24'])
    bench.stop.abort()
  })

  test('stay when the Node itself is deleted, and pods go on being numbered', async () => {
    const bench = new Bench()
    bench.restored()
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'))
    await bench.set()
    expect(bench.routes.problem()).toBeUndefined()
    expect(bench.pool.take()).toEqual(['10.244.1.2'])
    bench.stop.abort()
  })

  test('are of the range that the user gave, whatever the Node says', async () => {
    const bench = new Bench([parsePrefix('10.9.0.0/24') as IpPrefix])
    bench.restored()
    await bench.set(node('self', '10.244.1.0/24', '192.168.1.1'))
    expect(bench.applied.at(-1)).toEqual(['unreachable 10.9.0.0/24'])
    expect(bench.pool.take()).toEqual(['10.9.0.2'])
    bench.stop.abort()
  })
})
