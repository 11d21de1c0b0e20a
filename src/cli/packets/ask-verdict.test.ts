import { afterEach, beforeEach, expect, test } from 'vitest'
import { namespaces } from '../../api/core/v1/namespace.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import type { EndpointSlice, NetworkPolicy, Pod, Service } from '../../api/generated/types.ts'
import { packetPaths } from '../../data-plane/node/link/packet-paths.ts'
import { compilePolicies } from '../../policy/packet/policies/index.ts'
import { compileServices } from '../../policy/packet/services/index.ts'
import { startTestCluster, type TestCluster } from '../../testing/index.ts'
import { askVerdict } from './ask-verdict.ts'
import { linkNode } from './linked-node.ts'
import { verdictText } from './verdict-report.ts'

const NODES = { n1: '192.168.0.1', n2: '192.168.0.2' }
const PODS: Record<string, [ip: string, node: 'n1' | 'n2']> = {
  web: ['10.244.1.2', 'n1'],
  db: ['10.244.2.3', 'n2'],
  near: ['10.244.1.4', 'n1'],
}
const policy: NetworkPolicy = {
  metadata: { name: 'db-only', namespace: 'shop', resourceVersion: '7' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'other' } } }] }],
  },
}

let cluster: TestCluster
let links: { close(): void }[]

beforeEach(async () => {
  cluster = await startTestCluster()
  const { client } = cluster
  await client.of(namespaces).create({ metadata: { name: 'shop' } })
  for (const [name, address] of Object.entries(NODES)) {
    const node = await client.of(nodes).create({ metadata: { name } })
    await client.of(nodes).updateStatus({ ...node, status: { addresses: [{ type: 'InternalIP', address }] } })
  }
  const made: Pod[] = []
  for (const [name, [ip, nodeName]] of Object.entries(PODS)) {
    const ports = [{ name: 'sql', containerPort: 5432 }]
    const pod = await client.of(pods).create({
      metadata: { name, namespace: 'shop', labels: { app: name } },
      spec: { nodeName, containers: [{ name: 'c', image: 'x', ports }] },
    })
    made.push(await client.of(pods).updateStatus({ ...pod, status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] } }))
  }
  const service: Service = await client.of(services).create({
    metadata: { name: 'db', namespace: 'shop' },
    spec: { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'], ipFamilies: ['IPv4'], ports: [{ name: 'sql', port: 80, targetPort: 5432 }] },
  })
  const slice: EndpointSlice = {
    metadata: { name: 'db-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    endpoints: ['db', 'near'].map((name) => ({ addresses: [PODS[name]?.[0] ?? ''], conditions: { ready: true } })),
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  }
  links = []
  for (const [node, address] of Object.entries(NODES)) {
    const policies = compilePolicies({
      networkPolicies: [policy],
      clusterNetworkPolicies: [],
      pods: made,
      namespaces: [await client.of(namespaces).get('shop')],
      nodes: (await client.of(nodes).list()).items,
      node,
    })
    const table = compileServices([service], [slice], { name: node, addresses: [address], podRanges: [`10.244.${node.slice(1)}.0/24`] })
    const route = (
      to: string,
    ): Promise<string | { destination: string; type: string; nextHops: string[]; owner: string; metric: number; table: number }> =>
      Promise.resolve(
        to.startsWith('10.244.')
          ? { destination: `${to}/32`, type: 'unicast', nextHops: ['dev eth0'], owner: 'biplane node', metric: 0, table: 254 }
          : 'the kernel has no route there',
      )
    links.push(await linkNode(cluster, node, packetPaths({ node, policies: () => policies, services: () => table, route })))
  }
})
afterEach(async () => {
  for (const link of links) link.close()
  await cluster.stop()
})

const ask = (from: string, to: string, more: object = {}) =>
  askVerdict(cluster.client, { from, to, protocol: 'TCP', namespace: 'shop', ...more })

test('each node says its half: the sender service and egress, the receiver ingress', async () => {
  const report = await ask('web', 'db')
  expect(report).toMatchObject({
    from: { label: 'pod shop/web', address: '10.244.1.2' },
    to: { label: 'service shop/db', address: '10.96.0.9', port: 80, protocol: 'TCP' },
    node: 'n1',
    service: { action: 'forward', service: 'shop/db:sql' },
  })
  expect(report.ways.map(({ address, target, node, outcome }) => [address, target, node, outcome])).toEqual([
    ['10.244.1.4', 'pod shop/near', 'n1', 'allowed'],
    ['10.244.2.3', 'pod shop/db', 'n2', 'denied'],
  ])
  expect(report.ways[1]?.ingress).toMatchObject({ verdict: 'deny', policy: 'shop/db-only' })
})

test('as text', async () => {
  expect(verdictText(await ask('shop/web', 'db.shop:sql'), { wide: false })).toBe(`from      pod shop/web (10.244.1.2), at node n1
to        service shop/db (10.96.0.9) port 80/TCP
service   forward to shop/db:sql

-> 10.244.1.4:5432 (pod shop/near on n1): allowed
   egress    accept: no policy judges the egress of 10.244.1.2
   route     10.244.1.4/32 dev eth0 (biplane node)
   ingress   accept: no policy judges the ingress of 10.244.1.4

-> 10.244.2.3:5432 (pod shop/db on n2): denied
   egress    accept: no policy judges the egress of 10.244.1.2
   route     10.244.2.3/32 dev eth0 (biplane node)
   ingress   deny (Drop): no ingress rule of NetworkPolicy/shop/db-only accepts it   (node n2)

verdict   allowed for 1 of 2 endpoints, denied for 1 of 2 endpoints
`)
})

test('a pod by the name of its port, an address from outside, an address without a route', async () => {
  expect((await ask('shop/web', 'shop/db:sql')).ways).toMatchObject([{ address: '10.244.2.3', port: 5432, outcome: 'denied' }])
  const outside = await ask('203.0.113.9', 'shop/near:5432')
  expect(outside).toMatchObject({ from: { label: '203.0.113.9' }, node: 'n1', ways: [{ outcome: 'allowed' }] })
  const away = await ask('shop/web', '203.0.113.9:443')
  expect(away.ways).toMatchObject([{ outcome: 'unroutable', routeProblem: 'the kernel has no route there' }])
  expect((await ask('shop/web', '192.168.0.2', { protocol: 'ICMP' })).ways).toMatchObject([{ target: 'node n2', port: 0 }])
})

test('a masqueraded packet is judged with the address of the node it comes through', async () => {
  const report = await ask('203.0.113.9', '10.96.0.9:80', { node: 'n1' })
  const far = report.ways.find(({ node }) => node === 'n2')
  expect(far).toMatchObject({ masquerade: true, ingress: { verdict: 'deny' } })
})

test('a node that is not heard leaves its half unknown', async () => {
  links[1]?.close()
  await expect.poll(() => cluster.api.links.connected('n2')).toBe(false)
  const report = await ask('web', 'db')
  expect(report.ways[1]).toMatchObject({
    outcome: 'unknown',
    problem: expect.stringMatching(/^node n2 was not heard: .*node is not connected$/),
  })
  expect(report.ways[1]).not.toHaveProperty('ingress')
})

test.each([
  ['web', 'shop/db', 'which port of pod shop/db?'],
  ['web', 'shop/db:nope', 'pod shop/db has no port "nope"'],
  ['web', 'db:99x', 'service shop/db has no port "99x" of TCP'],
  ['gone', 'db', 'pods "gone" not found'],
  ['web', '[fd00::1]:80', 'have no address family in common'],
])('from %s to %s: %s', async (from, to, message) => {
  await expect(ask(from, to)).rejects.toThrow(message)
})
