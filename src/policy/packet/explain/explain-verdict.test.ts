import { expect, test } from 'vitest'
import type { EndpointSlice, Namespace, NetworkPolicy, Pod, Service } from '../../../api/generated/types.ts'
import { compilePolicies, type PacketPolicy } from '../policies/index.ts'
import { compileServices, type ServiceTable } from '../services/index.ts'
import { explainVerdict, type CountedRule } from './explain-verdict.ts'

const pod = (name: string, ip: string, nodeName: string): Pod => ({
  metadata: { name, namespace: 'shop', uid: name, resourceVersion: '5', labels: { app: name } },
  spec: { nodeName, containers: [{ name: 'c' }] },
  status: { phase: 'Running', podIP: ip, podIPs: [{ ip }] },
})
const pods = [pod('web', '10.244.1.2', 'n1'), pod('db', '10.244.1.3', 'n1'), pod('far', '10.244.2.4', 'n2')]
const namespace: Namespace = { metadata: { name: 'shop', resourceVersion: '1' } }
const onlyWeb: NetworkPolicy = {
  metadata: { name: 'only-web', namespace: 'shop', resourceVersion: '7' },
  spec: {
    podSelector: { matchLabels: { app: 'db' } },
    policyTypes: ['Ingress'],
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }], ports: [{ protocol: 'TCP', port: 5432 }] }],
  },
}
const service: Service = {
  metadata: { name: 'db', namespace: 'shop', resourceVersion: '9' },
  spec: {
    type: 'ClusterIP',
    clusterIP: '10.96.0.9',
    clusterIPs: ['10.96.0.9'],
    ipFamilies: ['IPv4'],
    ports: [{ port: 80, protocol: 'TCP' }],
  },
}
const slice: EndpointSlice = {
  metadata: { name: 'db-1', namespace: 'shop', resourceVersion: '10', labels: { 'kubernetes.io/service-name': 'db' } },
  addressType: 'IPv4',
  endpoints: ['10.244.1.3', '10.244.2.4'].map((address) => ({ addresses: [address], conditions: { ready: true } })),
  ports: [{ name: '', port: 5432, protocol: 'TCP' }],
}
const policies: PacketPolicy = compilePolicies({
  networkPolicies: [onlyWeb],
  clusterNetworkPolicies: [],
  pods,
  namespaces: [namespace],
  nodes: [],
  node: 'n1',
})
const services: ServiceTable = compileServices([service], [slice], { name: 'n1', addresses: ['192.168.0.1'], podRanges: ['10.244.1.0/24'] })
const counters: CountedRule[] = [
  {
    direction: 'ingress',
    tier: 'NetworkPolicy',
    policies: ['NetworkPolicy/shop/only-web'],
    rule: { index: 0 },
    verdict: 'accept',
    packets: 3,
    bytes: 180,
  },
  { direction: 'ingress', tier: 'NetworkPolicy', policies: ['NetworkPolicy/shop/only-web'], verdict: 'deny', packets: 8, bytes: 480 },
]
const all = { node: 'n1', policies, services, counters }
const ask = (from: string, to: string, port: number) => explainVerdict({ from, to, protocol: 'TCP', port }, all)

test('a service is translated, and each endpoint judged', () => {
  const answer = ask('10.244.1.2', '10.96.0.9', 80)
  expect(answer.service).toMatchObject({ action: 'forward', frontend: 'TCP/10.96.0.9:80', service: 'shop/db' })
  expect(answer.ways.map(({ address, port, egress, ingress }) => [`${address}:${port}`, egress?.verdict, ingress?.verdict])).toEqual([
    ['10.244.1.3:5432', 'accept', 'accept'],
    ['10.244.2.4:5432', 'accept', 'accept'],
  ])
  // what decided, with what the kernel has counted of it
  expect(answer.ways[0]?.ingress).toMatchObject({ tier: 'NetworkPolicy', policy: 'shop/only-web', rule: 0, packets: 3, bytes: 180 })
  expect(answer.ways[1]?.ingress).toMatchObject({ tier: 'Default' })
  expect(answer.ways[1]?.ingress).not.toHaveProperty('packets')
  expect(answer.revisions).toEqual({ services: String(services.revision), policies: policies.revision })
})

test('a service without endpoints refuses, and the kernel has counted how often', () => {
  const empty = compileServices([service], [], { name: 'n1', addresses: ['192.168.0.1'] })
  const question = { from: '10.244.1.2', to: '10.96.0.9', protocol: 'TCP', port: 80 } as const
  const refusals = [
    { frontend: 'TCP/10.96.0.9:80', packets: 4 },
    { frontend: 'TCP/10.96.0.10:80', packets: 7 },
  ]
  expect(explainVerdict(question, { node: 'n1', services: empty, refusals }).service).toMatchObject({ action: 'reject', refused: 4 })
  expect(explainVerdict(question, { node: 'n1', services: empty }).service).not.toHaveProperty('refused')
  // who is served is not turned away, whatever was counted before
  expect(explainVerdict(question, { node: 'n1', services, refusals }).service).not.toHaveProperty('refused')
})

test('an address of no service goes straight, and isolation names its policy', () => {
  const answer = ask('10.244.2.4', '10.244.1.3', 5432)
  expect(answer.service).toMatchObject({ action: 'pass' })
  expect(answer.ways).toMatchObject([
    { address: '10.244.1.3', port: 5432, ingress: { verdict: 'deny', policy: 'shop/only-web', denyAction: 'Drop', packets: 8 } },
  ])
  expect(ask('10.244.1.2', '10.244.1.3', 5433).ways[0]?.ingress?.verdict).toBe('deny')
})

test('without artefacts nothing is claimed', () => {
  const answer = explainVerdict({ from: '10.244.1.2', to: '10.96.0.9', protocol: 'TCP', port: 80 }, { node: 'n1' })
  expect(answer).toEqual({
    node: 'n1',
    question: { from: '10.244.1.2', to: '10.96.0.9', protocol: 'TCP', port: 80 },
    revisions: {},
    ways: [{ address: '10.96.0.9', port: 80, masquerade: false }],
    omitted: 0,
  })
})

test('more endpoints than are looked at are counted', () => {
  const endpoints = Array.from({ length: 100 }, (_, i) => ({ addresses: [`10.244.3.${i}`], conditions: { ready: true } }))
  const table = compileServices([service], [{ ...slice, endpoints }], { name: 'n1', addresses: [] })
  const answer = explainVerdict({ from: '10.244.1.2', to: '10.96.0.9', protocol: 'TCP', port: 80 }, { node: 'n1', services: table })
  expect([answer.ways.length, answer.omitted]).toEqual([64, 36])
})

test.each([
  ['nonsense', '10.0.0.1', '"nonsense" is no IP address'],
  ['10.0.0.1', 'fd00::1', '10.0.0.1 and fd00::1 are of different families'],
])('from %s to %s: refused', (from, to, message) => {
  expect(() => ask(from, to, 1)).toThrow(message)
  expect(() => ask(from, to, 1)).toThrow(expect.objectContaining({ code: 'BAD_ADDRESS' }))
})
