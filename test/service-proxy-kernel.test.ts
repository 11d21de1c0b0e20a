import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ServiceSpec } from '../src/api/generated/types.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { poll } from './support/poll.ts'
import type { Agent, Protocol } from './service-proxy-support/agents.ts'
import { service, slicesOf, type EndpointOf } from './service-proxy-support/objects.ts'
import { RunningProxy } from './service-proxy-support/running-proxy.ts'
import { buildServiceLab, CLIENT, NODE, PODS, type ServiceLab } from './service-proxy-support/service-lab.ts'

const missing = labProblem()
const FAMILIES = ['v4', 'v6'] as const
const PROTOCOLS: readonly Protocol[] = ['TCP', 'UDP']
const vip = (index: number, family: 'v4' | 'v6'): string => (family === 'v4' ? `10.96.0.${index}` : `fd00:10:96::${index.toString(16)}`)

/** How many clients the kernel remembers for no more than a second. */
async function memories(lab: ServiceLab, family: 'v4' | 'v6'): Promise<number> {
  const text = await lab.node.must(['nft', '-j', 'list', 'map', family === 'v4' ? 'ip' : 'ip6', 'biplane-services', 'affinity'])
  const { nftables } = JSON.parse(text) as {
    readonly nftables: readonly {
      readonly map?: { readonly elem?: readonly [{ readonly elem: { readonly expires: number } }, unknown][] }
    }[]
  }
  return nftables.flatMap(({ map }) => map?.elem ?? []).filter(([{ elem }]) => elem.expires <= 1).length
}

describe.skipIf(missing !== '')(`services in the kernel${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: ServiceLab
  let running: RunningProxy
  let agents: Record<'node' | 'client' | 'p1' | 'p2' | 'r1', Agent>

  beforeAll(async () => {
    lab = await buildServiceLab()
    agents = lab.agents
    running = new RunningProxy(lab)
  })
  afterAll(async () => {
    await running?.stop()
    await lab?.lab.remove()
  })

  /** One service at index 1, in place of all others. */
  const serve = (spec: ServiceSpec, endpoints: readonly EndpointOf[], balancerIps: readonly string[] = []): Promise<void> =>
    running.have([service('web', 1, spec, balancerIps)], [slicesOf('web', endpoints)])

  describe.each(FAMILIES)('%s', (family) => {
    test.each(PROTOCOLS)('a cluster IP is served to pods, to the node and to clients outside, by every endpoint (%s)', async (protocol) => {
      await serve({}, [PODS.p1, PODS.p2, PODS.r1])
      for (const name of ['p1', 'node', 'client'] as const) {
        expect([name, await agents[name].askers(protocol, vip(1, family), 80, 40)]).toEqual([name, 'p1 p2 r1'])
      }
    })

    test.each(PROTOCOLS)(
      'who the endpoint sees: the pod itself, the node for those outside, and the node for a pod that is its own endpoint (%s)',
      async (protocol) => {
        await serve({}, [PODS.r1])
        expect(await agents.p1.ask(protocol, vip(1, family), 80)).toBe(`r1 ${PODS.p1[family]}`)
        expect(await agents.node.ask(protocol, vip(1, family), 80)).toBe(`r1 ${NODE[family]}`)
        expect(await agents.client.ask(protocol, vip(1, family), 80)).toBe(`r1 ${NODE[family]}`)
        await serve({}, [PODS.p1])
        expect(await agents.p1.ask(protocol, vip(1, family), 80)).toMatch(/^p1 /)
        expect(await agents.p1.ask(protocol, vip(1, family), 80)).not.toBe(`p1 ${PODS.p1[family]}`)
      },
    )

    test.each(PROTOCOLS)('no endpoint: rejected at once; so is a port that no service has (%s)', async (protocol) => {
      await serve(
        {
          type: 'NodePort',
          ports: [
            { name: 'tcp', port: 80, nodePort: 30080 },
            { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30080 },
          ],
        },
        [],
      )
      for (const name of ['p1', 'node', 'client'] as const) {
        for (const [to, port] of [
          [vip(1, family), 80],
          [vip(1, family), 81],
          [vip(9, family), 80],
          [NODE[family], 30080],
        ] as const) {
          expect([name, to, port, await agents[name].ask(protocol, to, port)]).toEqual([name, to, port, 'refused'])
        }
      }
    })

    test.each(PROTOCOLS)('node port, external IP and load-balancer IP (%s)', async (protocol) => {
      const external = family === 'v4' ? '198.51.100.7' : '2001:db8:7::7'
      const balancer = family === 'v4' ? '198.51.100.8' : '2001:db8:7::8'
      const ports = [
        { name: 'tcp', port: 80, nodePort: 30081 },
        { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30081 },
      ]
      await serve({ type: 'LoadBalancer', ports, externalIPs: [external] }, [PODS.p1, PODS.r1], [balancer])
      for (const [to, port] of [
        [NODE[family], 30081],
        [external, 80],
        [balancer, 80],
      ] as const) {
        expect([to, await agents.client.askers(protocol, to, port)]).toEqual([to, 'p1 r1'])
        expect([to, await agents.p2.askers(protocol, to, port)]).toEqual([to, 'p1 r1'])
      }
      expect(await agents.node.askers(protocol, NODE[family], 30081)).toBe('p1 r1')
      // policy Cluster: what comes from outside is masqueraded
      expect(await agents.client.ask(protocol, NODE[family], 30081)).toMatch(/ /)
      expect(await agents.client.ask(protocol, NODE[family], 30081)).not.toContain(` ${CLIENT[family]}`)
    })

    test.each(PROTOCOLS)(
      'externalTrafficPolicy Local: only local endpoints, which see the client; pods and the node reach all (%s)',
      async (protocol) => {
        const ports = [
          { name: 'tcp', port: 80, nodePort: 30082 },
          { name: 'udp', port: 80, protocol: 'UDP', nodePort: 30082 },
        ]
        const spec: ServiceSpec = { type: 'NodePort', ports, externalTrafficPolicy: 'Local' }
        await serve(spec, [PODS.p1, PODS.r1])
        expect(await agents.client.askers(protocol, NODE[family], 30082)).toBe('p1')
        expect(await agents.client.ask(protocol, NODE[family], 30082)).toBe(`p1 ${CLIENT[family]}`)
        expect(await agents.p2.askers(protocol, NODE[family], 30082)).toBe('p1 r1')
        expect(await agents.node.askers(protocol, NODE[family], 30082)).toBe('p1 r1')
        await serve(spec, [PODS.r1])
        expect(await agents.client.ask(protocol, NODE[family], 30082, { timeoutMs: 400 })).toBe('timeout')
        expect(await agents.p2.askers(protocol, NODE[family], 30082)).toBe('r1')
        expect(running.metric('kubeproxy_sync_proxy_rules_no_local_endpoints_total{traffic_policy="external"}')).toBe(1)
      },
    )

    test.each(PROTOCOLS)(
      'internalTrafficPolicy Local: local endpoints for everyone, dropped where there is none (%s)',
      async (protocol) => {
        await serve({ internalTrafficPolicy: 'Local' }, [PODS.p2, PODS.r1])
        expect(await agents.p1.askers(protocol, vip(1, family), 80)).toBe('p2')
        await serve({ internalTrafficPolicy: 'Local' }, [PODS.r1])
        expect(await agents.p1.ask(protocol, vip(1, family), 80, { timeoutMs: 400 })).toBe('timeout')
        expect(await agents.node.ask(protocol, vip(1, family), 80, { timeoutMs: 400 })).toBe('timeout')
      },
    )

    test.each(PROTOCOLS)('loadBalancerSourceRanges let in whom they name (%s)', async (protocol) => {
      const balancer = family === 'v4' ? '198.51.100.8' : '2001:db8:7::8'
      const spec = (ranges: readonly string[]): ServiceSpec => ({ type: 'LoadBalancer', loadBalancerSourceRanges: [...ranges] })
      await serve(spec([`${CLIENT.v4}/32`, `${CLIENT.v6}/128`]), [PODS.p1], [balancer])
      expect(await agents.client.askers(protocol, balancer, 80, 4)).toBe('p1')
      expect(await agents.p2.ask(protocol, balancer, 80, { timeoutMs: 400 })).toBe('timeout')
      await serve(spec(['203.0.113.0/24', '2001:db8:ffff::/64']), [PODS.p1], [balancer])
      expect(await agents.client.ask(protocol, balancer, 80, { timeoutMs: 400 })).toBe('timeout')
      // cluster IPs are not guarded
      expect(await agents.p2.askers(protocol, vip(1, family), 80, 4)).toBe('p1')
    })

    test.each(PROTOCOLS)('session affinity: a client keeps its endpoint, until that is gone (%s)', async (protocol) => {
      const spec: ServiceSpec = { sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 600 } } }
      const all = { p1: PODS.p1, p2: PODS.p2, r1: PODS.r1 }
      await serve(spec, Object.values(all))
      const first = await agents.client.askers(protocol, vip(1, family), 80, 1)
      expect(Object.keys(all)).toContain(first)
      expect(await agents.client.askers(protocol, vip(1, family), 80)).toBe(first)
      // another endpoint leaves and comes back: nothing changes for this client
      const other = first === 'p1' ? 'p2' : 'p1'
      await serve(
        spec,
        Object.entries(all).flatMap(([name, pod]) => (name === other ? [] : [pod])),
      )
      expect(await agents.client.askers(protocol, vip(1, family), 80)).toBe(first)
      await serve(
        spec,
        Object.entries(all).flatMap(([name, pod]) => (name === first ? [] : [pod])),
      )
      const second = await agents.client.askers(protocol, vip(1, family), 80, 1)
      expect(second).not.toBe(first)
      expect(await agents.client.askers(protocol, vip(1, family), 80)).toBe(second)
      // the first one is back, but the memory of it is void
      await serve(spec, Object.values(all))
      expect(await agents.client.askers(protocol, vip(1, family), 80)).toBe(second)
    })

    test.each(PROTOCOLS)('session affinity ends after its time (%s)', async (protocol) => {
      await serve({ sessionAffinity: 'ClientIP', sessionAffinityConfig: { clientIP: { timeoutSeconds: 1 } } }, [PODS.p1, PODS.p2, PODS.r1])
      const seen = new Set<string>()
      for (let round = 0; round < 40 && seen.size < 2; round++) {
        seen.add(await agents.client.askers(protocol, vip(1, family), 80, 1))
        await poll('the memory has ended', async () => ((await memories(lab, family)) === 0 ? true : undefined))
      }
      expect(seen.size).toBe(2)
    })
  })

  test('terminating endpoints serve while no other is ready', async () => {
    const ending = { ready: false, serving: true, terminating: true }
    await serve({}, [PODS.p1, { ...PODS.p2, conditions: ending }])
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80)).toBe('p1')
    await serve({}, [
      { ...PODS.p1, conditions: { ready: false, serving: false, terminating: true } },
      { ...PODS.p2, conditions: ending },
    ])
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80)).toBe('p2')
  })

  test('topology hints narrow to the node, then to the zone, and are ignored where one is missing', async () => {
    const hints = (nodes: readonly string[], zones: readonly string[]) => ({
      hints: { forNodes: nodes.map((name) => ({ name })), forZones: zones.map((name) => ({ name })) },
    })
    await serve({}, [
      { ...PODS.p1, ...hints(['node'], ['a']) },
      { ...PODS.p2, ...hints(['x'], ['a']) },
      { ...PODS.r1, ...hints(['x'], ['b']) },
    ])
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80)).toBe('p1')
    await serve({}, [
      { ...PODS.p1, ...hints([], ['a']) },
      { ...PODS.p2, ...hints(['x'], ['a']) },
      { ...PODS.r1, ...hints(['x'], ['b']) },
    ])
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80)).toBe('p1 p2')
    await serve({}, [{ ...PODS.p1, ...hints([], ['a']) }, { ...PODS.p2, ...hints([], ['a']) }, PODS.r1])
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80)).toBe('p1 p2 r1')
  })

  test('a service with more endpoints than there are chains prepared', async () => {
    const many = Array.from({ length: 100 }, (_, i) => ({ v4: `10.244.9.${i + 1}`, v6: `fd00:10:244:9::${i + 1}`, nodeName: 'other' }))
    // all on one host that is there: what counts is that each of them is chosen
    await lab.agents.r1.host.must(['ip', 'route', 'add', 'local', '10.244.9.0/24', 'dev', 'lo'])
    await lab.node.must(['ip', 'route', 'add', '10.244.9.0/24', 'via', '192.0.2.21'])
    await serve({}, many)
    expect(await agents.client.askers('TCP', vip(1, 'v4'), 80, 50)).toBe('r1')
    const { stdout } = await lab.node.run(['nft', 'list', 'map', 'ip', 'biplane-services', 'frontend'])
    expect(stdout).toContain('a000:64')
  })

  test('what is turned away is counted for each address', async () => {
    await serve({}, [])
    await agents.client.ask('TCP', vip(1, 'v4'), 80)
    await agents.p1.ask('TCP', vip(1, 'v6'), 80)
    const counted = new Map((await running.proxy.refusals()).map(({ frontend, reason, packets }) => [`${frontend} ${reason}`, packets]))
    expect(Object.fromEntries(counted)).toEqual({
      'TCP/10.96.0.1:80 no-endpoints': 1,
      'UDP/10.96.0.1:80 no-endpoints': 0,
      'TCP/[fd00:10:96::1]:80 no-endpoints': 1,
      'UDP/[fd00:10:96::1]:80 no-endpoints': 0,
    })
  })

  test('headless and ExternalName services put nothing into the kernel', async () => {
    await running.have(
      [
        service('headless', 1, { clusterIPs: ['None'], clusterIP: 'None' }),
        service('named', 2, { type: 'ExternalName', externalName: 'a.example', clusterIPs: [] }),
      ],
      [slicesOf('headless', [PODS.p1])],
    )
    expect(running.proxy.table.frontends.size).toBe(0)
    const answer = JSON.parse(await lab.node.must(['nft', '-j', 'list', 'map', 'ip', 'biplane-services', 'frontend'])) as {
      nftables: { map?: { elem?: unknown[] } }[]
    }
    expect(answer.nftables.flatMap(({ map }) => map?.elem ?? [])).toEqual([])
  })
})
