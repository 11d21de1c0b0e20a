import { expect, test } from 'vitest'
import type { Client } from '../../client/client.ts'
import type { Node, NodeSelectorRequirement, Pod, Taint, Toleration } from '../../api/generated/types.ts'
import { ClusterCache } from './cluster-cache.ts'
import { decideNode, feasibleNodesToFind, FilterCache, unschedulableMessage } from './decide-node.ts'
import { defaultProfile } from './default-profile.ts'
import { podInfo } from './pod-info.ts'
import { tolerates } from './plugins/tolerations.ts'

interface NodeTraits {
  readonly cpu?: string
  readonly memory?: string
  readonly pods?: string
  readonly labels?: Record<string, string>
  readonly taints?: Taint[]
  readonly unschedulable?: boolean
}
const node = (name: string, { cpu = '4', memory = '8Gi', pods = '110', labels = {}, ...spec }: NodeTraits = {}): Node => ({
  metadata: { name, labels },
  spec,
  status: { allocatable: { cpu, memory, pods } },
})
let serial = 0
const pod = (spec: Partial<NonNullable<Pod['spec']>> = {}, owner?: string): Pod => ({
  metadata: {
    name: `p${serial}`,
    namespace: 'default',
    uid: `u${serial++}`,
    ...(owner ? { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: owner, uid: owner, controller: true }] } : {}),
  },
  spec: { containers: [{ name: 'c', image: 'x' }], ...spec },
})
const asking = (cpu: string, memory = '1Mi'): Partial<NonNullable<Pod['spec']>> => ({
  containers: [{ name: 'c', resources: { requests: { cpu, memory } } }],
})
// never asked to bind here
const profile = defaultProfile(undefined as unknown as Client)

function cluster(nodes: readonly Node[], placed: readonly [Pod, string][] = []): ClusterCache {
  const cache = new ClusterCache()
  for (const one of nodes) cache.setNode(one)
  for (const [one, where] of placed)
    cache.addPod({ ...one, spec: { ...one.spec, containers: one.spec?.containers ?? [], nodeName: where } })
  return cache
}
const decide = (one: Pod, cache: ClusterCache, filterCache = new FilterCache()): string => {
  const decision = decideNode(podInfo(one), cache, { profile, filterCache, random: () => 0.999 })
  return decision.node ? decision.node.name : decision.message
}

const affinity = (...matchExpressions: NodeSelectorRequirement[]): Partial<NonNullable<Pod['spec']>> => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions }] } } },
})
const NO_MATCH = "0/1 nodes are available: 1 node(s) didn't match Pod's node affinity/selector."
test.each<[string, NodeTraits, Partial<NonNullable<Pod['spec']>>, string]>([
  ['fits', {}, asking('4'), 'n1'],
  ['asks for too much', {}, asking('4001m', '9Gi'), '0/1 nodes are available: 1 Insufficient cpu, 1 Insufficient memory.'],
  ['comes to a full node', { pods: '0' }, {}, '0/1 nodes are available: 1 Too many pods.'],
  [
    'asks for a device',
    {},
    { containers: [{ name: 'c', resources: { requests: { 'example.com/gpu': '1' } } }] },
    '0/1 nodes are available: 1 Insufficient example.com/gpu.',
  ],
  ['comes to a cordoned node', { unschedulable: true }, {}, '0/1 nodes are available: 1 node(s) were unschedulable.'],
  [
    'tolerates the cordon',
    { unschedulable: true },
    { tolerations: [{ key: 'node.kubernetes.io/unschedulable', operator: 'Exists' }] },
    'n1',
  ],
  [
    'does not tolerate',
    { taints: [{ key: 'k', value: 'v', effect: 'NoSchedule' }] },
    {},
    '0/1 nodes are available: 1 node(s) had untolerated taint {k: v}.',
  ],
  [
    'does not tolerate NoExecute',
    { taints: [{ key: 'k', effect: 'NoExecute' }] },
    {},
    '0/1 nodes are available: 1 node(s) had untolerated taint {k: }.',
  ],
  ['is merely unwanted', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }, {}, 'n1'],
  ['names another node', {}, { nodeName: 'n2' }, "0/1 nodes are available: 1 node(s) didn't match the requested node name."],
  ['selects it', { labels: { disk: 'ssd' } }, { nodeSelector: { disk: 'ssd' } }, 'n1'],
  ['selects another', { labels: { disk: 'hdd' } }, { nodeSelector: { disk: 'ssd' } }, NO_MATCH],
  ['In', { labels: { a: '1' } }, affinity({ key: 'a', operator: 'In', values: ['1', '2'] }), 'n1'],
  ['NotIn', { labels: { a: '1' } }, affinity({ key: 'a', operator: 'NotIn', values: ['1'] }), NO_MATCH],
  ['NotIn without the label', {}, affinity({ key: 'a', operator: 'NotIn', values: ['1'] }), 'n1'],
  ['Exists', {}, affinity({ key: 'a', operator: 'Exists' }), NO_MATCH],
  ['DoesNotExist', {}, affinity({ key: 'a', operator: 'DoesNotExist' }), 'n1'],
  ['Gt', { labels: { a: '5' } }, affinity({ key: 'a', operator: 'Gt', values: ['4'] }), 'n1'],
  ['Lt', { labels: { a: '5' } }, affinity({ key: 'a', operator: 'Lt', values: ['5'] }), NO_MATCH],
  ['all of one term', { labels: { a: '5' } }, affinity({ key: 'a', operator: 'Exists' }, { key: 'b', operator: 'Exists' }), NO_MATCH],
  ['an empty term', {}, affinity(), NO_MATCH],
])('a pod that %s', (_name, traits, spec, answer) => {
  expect(decide(pod(spec), cluster([node('n1', traits)]))).toBe(answer)
})

test('the reasons of all nodes are counted, in the order users know', () => {
  const nodes = [node('a', { cpu: '1' }), node('b', { unschedulable: true }), node('c', { unschedulable: true })]
  expect(decide(pod(asking('2')), cluster(nodes))).toBe('0/3 nodes are available: 1 Insufficient cpu, 2 node(s) were unschedulable.')
  expect(decide(pod(), cluster([]))).toBe('no nodes available to schedule pods')
  expect(
    unschedulableMessage(
      12,
      new Map([
        ['b', 10],
        ['a', 2],
      ]),
    ),
  ).toBe('0/12 nodes are available: 10 b, 2 a.')
})

test.each<[string, Toleration, Taint, boolean]>([
  ['everything', { operator: 'Exists' }, { key: 'a', effect: 'NoExecute' }, true],
  ['a key', { key: 'a', operator: 'Exists' }, { key: 'a', value: 'x', effect: 'NoSchedule' }, true],
  ['another key', { key: 'b', operator: 'Exists' }, { key: 'a', effect: 'NoSchedule' }, false],
  ['a value', { key: 'a', value: 'x' }, { key: 'a', value: 'x', effect: 'NoSchedule' }, true],
  ['another value', { key: 'a', operator: 'Equal', value: 'y' }, { key: 'a', value: 'x', effect: 'NoSchedule' }, false],
  ['another effect', { key: 'a', operator: 'Exists', effect: 'NoExecute' }, { key: 'a', effect: 'NoSchedule' }, false],
  ['no key without Exists', { value: 'x' }, { key: 'a', value: 'x', effect: 'NoSchedule' }, false],
])('tolerating %s', (_name, toleration, taint, answer) => {
  expect(tolerates([toleration], taint)).toBe(answer)
})

test('host ports clash on one address and protocol', () => {
  const port = (hostPort: number, hostIP?: string, protocol = 'TCP') => ({
    containers: [{ name: 'c', ports: [{ containerPort: 1, hostPort, protocol, ...(hostIP ? { hostIP } : {}) }] }],
  })
  const taken = cluster([node('n1')], [[pod(port(80, '127.0.0.1')), 'n1']])
  const CLASH = "0/1 nodes are available: 1 node(s) didn't have free ports for the requested pod ports."
  expect(decide(pod(port(80)), taken)).toBe(CLASH)
  expect(decide(pod(port(80, '127.0.0.1')), taken)).toBe(CLASH)
  expect(decide(pod(port(80, '127.0.0.2')), taken)).toBe('n1')
  expect(decide(pod(port(80, undefined, 'UDP')), taken)).toBe('n1')
})

test.each<[string, Node[], [Pod, string][], Pod, string]>([
  ['the emptier node', [node('a'), node('b')], [[pod(asking('2', '2Gi')), 'a']], pod(asking('1')), 'b'],
  [
    'no unwanted taint',
    [node('a', { taints: [{ key: 'k', effect: 'PreferNoSchedule' }] }), node('b')],
    [[pod(asking('2', '4Gi')), 'b']],
    pod(),
    'b',
  ],
  [
    'the node with fewer siblings',
    [node('a'), node('b')],
    [
      [pod({}, 'web'), 'a'],
      [pod({}, 'other'), 'b'],
      [pod({}, 'other'), 'b'],
    ],
    pod({}, 'web'),
    'b',
  ],
  [
    'cpu and memory used alike',
    [node('a', { cpu: '8', memory: '8Gi' }), node('b', { cpu: '8', memory: '8Gi' })],
    [
      [pod(asking('4', '1Mi')), 'a'],
      [pod(asking('1m', '4Gi')), 'b'],
    ],
    pod(asking('2', '1Mi')),
    'b',
  ],
  [
    'the preferred node',
    [node('a'), node('b', { labels: { fast: 'yes' } })],
    [[pod(asking('1', '1Gi')), 'b']],
    pod({
      affinity: {
        nodeAffinity: {
          preferredDuringSchedulingIgnoredDuringExecution: [
            { weight: 10, preference: { matchExpressions: [{ key: 'fast', operator: 'Exists' }] } },
          ],
        },
      },
    }),
    'b',
  ],
])('prefers %s', (_name, nodes, placed, one, best) => {
  for (const order of [nodes, nodes.toReversed()]) expect(decide(one, cluster(order, placed))).toBe(best)
})

test.each([
  [1, 1],
  [99, 99],
  [100, 100],
  [200, 100],
  [1000, 420],
  [5000, 500],
  [6000, 300],
  [20_000, 1000],
])('of %i nodes %i feasible ones are enough', (nodes, enough) => {
  expect(feasibleNodesToFind(nodes)).toBe(enough)
})

test('equal pods are spread over equal nodes, the same way each time', () => {
  const place = (): string[] => {
    const cache = cluster(Array.from({ length: 5 }, (_, i) => node(`n${i}`)))
    const filterCache = new FilterCache()
    return Array.from({ length: 20 }, () => {
      const info = podInfo(pod(asking('100m'), 'web'))
      const decision = decideNode(info, cache, { profile, filterCache, random: () => 0.999 })
      cache.assume(info, decision.node?.name ?? '')
      return decision.node?.name ?? ''
    })
  }
  const first = place()
  expect(place()).toEqual(first)
  for (const name of new Set(first)) expect(first.filter((one) => one === name).length).toBe(4)
  expect(new Set(first).size).toBe(5)
})

test('what filters said of a node is forgotten when the node changes, or is another one', () => {
  const cache = cluster([node('n1', { unschedulable: true })])
  const filterCache = new FilterCache()
  expect(decide(pod(), cache, filterCache)).toContain('were unschedulable')
  cache.setNode(node('n1'))
  expect(decide(pod(), cache, filterCache)).toBe('n1')
  cache.removeNode('n1')
  cache.setNode(node('n2', { unschedulable: true }))
  expect(decide(pod(), cache, filterCache)).toContain('were unschedulable')
})

test('the cache counts what is assumed, and takes back what failed', () => {
  const cache = cluster([node('n1', { cpu: '1' })])
  const first = podInfo(pod(asking('1')))
  cache.assume(first, 'n1')
  expect(decide(pod(asking('1')), cache)).toContain('Insufficient cpu')
  cache.forget(first.uid)
  expect([decide(pod(asking('1')), cache), cache.assumedCount]).toEqual(['n1', 0])
  cache.assume(first, 'n1')
  cache.addPod({ ...first.pod, spec: { ...first.pod.spec!, nodeName: 'n1' } })
  cache.forget(first.uid)
  expect(decide(pod(asking('1')), cache)).toContain('Insufficient cpu')
  // its node goes and comes back: the pod is still on it
  cache.removeNode('n1')
  cache.setNode(node('n1', { cpu: '1' }))
  expect(decide(pod(asking('1')), cache)).toContain('Insufficient cpu')
  // resized in place
  cache.addPod({ ...first.pod, spec: { ...first.pod.spec!, ...asking('100m'), nodeName: 'n1' } } as Pod)
  expect(decide(pod(asking('900m')), cache)).toBe('n1')
  cache.removePod(first.uid)
  expect(decide(pod(asking('1')), cache)).toBe('n1')
})
