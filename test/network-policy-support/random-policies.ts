// Random labels and policies over a small vocabulary, so that selectors hit and miss about as often.
import fc from 'fast-check'
import type { LabelSelector, NetworkPolicy, Pod } from '../../src/api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../src/api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { NAMESPACES, namespace, ninePods, podAddresses, portName, PROTOCOLS } from './cluster.ts'
import type { Cluster } from './reference.ts'

const KEYS = ['k', 'l'] as const
const VALUES = ['1', '2'] as const
const optional = <T>(value: fc.Arbitrary<T>): fc.Arbitrary<T | undefined> => fc.option(value, { nil: undefined })

export const labels: fc.Arbitrary<Record<string, string>> = fc
  .record({ k: optional(fc.constantFrom(...VALUES)), l: optional(fc.constantFrom(...VALUES)) })
  .map((record) => Object.fromEntries(Object.entries(record).filter((entry): entry is [string, '1' | '2'] => entry[1] !== undefined)))

const expression = fc.oneof(
  fc.record({
    key: fc.constantFrom(...KEYS),
    operator: fc.constantFrom('In', 'NotIn'),
    values: fc.uniqueArray(fc.constantFrom(...VALUES), { minLength: 1 }),
  }),
  fc.record({ key: fc.constantFrom(...KEYS), operator: fc.constantFrom('Exists', 'DoesNotExist') }),
)

export const selector: fc.Arbitrary<LabelSelector> = fc.oneof(
  { weight: 1, arbitrary: fc.constant({}) },
  { weight: 3, arbitrary: labels.map((matchLabels) => ({ matchLabels })) },
  { weight: 2, arbitrary: fc.array(expression, { minLength: 1, maxLength: 2 }).map((matchExpressions) => ({ matchExpressions })) },
)

const networks = [
  '10.244.1.0/24',
  '10.244.1.16/28',
  '10.244.1.0/27',
  '10.244.1.4/32',
  '0.0.0.0/0',
  'fd00:10:244:1::/64',
  'fd00:10:244:1::10/124',
  '::/0',
]
const block = fc.oneof(
  fc.constantFrom(...networks).map((cidr) => ({ cidr })),
  fc.constantFrom(
    { cidr: '10.244.1.0/24', except: ['10.244.1.16/28'] },
    { cidr: '0.0.0.0/0', except: ['10.244.1.0/27', '10.244.1.4/32'] },
    { cidr: '::/0', except: ['fd00:10:244:1::10/124'] },
  ),
)

const peer = fc.oneof(
  { weight: 1, arbitrary: block.map((ipBlock) => ({ ipBlock })) },
  { weight: 2, arbitrary: selector.map((podSelector) => ({ podSelector })) },
  { weight: 2, arbitrary: selector.map((namespaceSelector) => ({ namespaceSelector })) },
  { weight: 2, arbitrary: fc.record({ podSelector: selector, namespaceSelector: selector }) },
)

const protocol = fc.constantFrom(...PROTOCOLS)
const number = fc.constantFrom(79, 80, 81, 82)
const named = fc.constantFrom(80, 81, 82).chain((port) => protocol.map((one) => portName(port, one)))
const policyPort = fc.oneof(
  protocol.map((one) => ({ protocol: one })),
  fc.record({ protocol, port: fc.oneof(number, named) }),
  fc.record({ protocol, port: number, more: fc.constantFrom(0, 1, 100) }).map(({ more, ...one }) => ({ ...one, endPort: one.port + more })),
)
const parts = fc.record({ peers: optional(fc.array(peer, { maxLength: 3 })), ports: optional(fc.array(policyPort, { maxLength: 3 })) })
const clean = (object: object): object => Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined))

export const networkPolicy: fc.Arbitrary<NetworkPolicy> = fc
  .record({
    namespace: fc.constantFrom(...NAMESPACES),
    name: fc.constantFrom('p', 'q', 'r', 's'),
    podSelector: selector,
    ingress: optional(fc.array(parts, { maxLength: 2 })),
    egress: optional(fc.array(parts, { maxLength: 2 })),
    policyTypes: fc.constantFrom(undefined, ['Ingress'], ['Egress'], ['Ingress', 'Egress']),
    reject: fc.boolean(),
  })
  .map(({ namespace: ns, name, ingress, egress, reject, ...spec }) => ({
    metadata: { name, namespace: ns, ...(reject ? { annotations: { 'biplane.dev/deny-action': 'Reject' } } : {}) },
    spec: clean({
      ...spec,
      ingress: ingress?.map(({ peers, ports }) => clean({ from: peers, ports })),
      egress: egress?.map(({ peers, ports }) => clean({ to: peers, ports })),
    }),
  }))

const pods = fc.oneof(
  selector.map((namespaces) => ({ namespaces })),
  fc.record({ namespaceSelector: selector, podSelector: selector }).map((both) => ({ pods: both })),
  selector.map((podSelector) => ({ pods: { podSelector } })),
)
const destinationPort = fc.oneof(
  number.map((one) => ({ number: one })),
  fc.constantFrom({ range: { start: 80, end: 81 } }, { range: { start: 1, end: 80 } }),
)
const numbered = fc.oneof(
  destinationPort.map((port) => ({ tcp: { destinationPort: port } })),
  destinationPort.map((port) => ({ udp: { destinationPort: port } })),
  destinationPort.map((port) => ({ sctp: { destinationPort: port } })),
)
const action = fc.constantFrom('Accept' as const, 'Deny' as const, 'Pass' as const)
const ruleName = fc.constantFrom('first', 'a rule "with" quotes', undefined)
const anyProtocols = fc.array(
  fc.oneof(
    numbered,
    named.map((destinationNamedPort) => ({ destinationNamedPort })),
  ),
  { minLength: 1, maxLength: 3 },
)
const outside = fc.oneof(
  fc.uniqueArray(fc.constantFrom(...networks), { minLength: 1, maxLength: 3 }).map((list) => ({ networks: list })),
  selector.map((nodes) => ({ nodes })),
)
const ingressRule = fc.record({
  name: ruleName,
  action,
  from: fc.array(pods, { minLength: 1, maxLength: 2 }),
  protocols: optional(anyProtocols),
})
const egressRule = fc.oneof(
  fc.record({ name: ruleName, action, to: fc.array(pods, { minLength: 1, maxLength: 2 }), protocols: optional(anyProtocols) }),
  fc.record({
    name: ruleName,
    action,
    to: fc.array(fc.oneof(pods, outside), { minLength: 1, maxLength: 2 }),
    protocols: optional(fc.array(numbered, { minLength: 1, maxLength: 3 })),
  }),
)

export const clusterNetworkPolicy: fc.Arbitrary<ClusterNetworkPolicy> = fc
  .record({
    name: fc.constantFrom('p', 'q', 'r', 's'),
    tier: fc.constantFrom('Admin' as const, 'Baseline' as const),
    priority: fc.integer({ min: 0, max: 3 }),
    subject: pods,
    ingress: optional(fc.array(ingressRule, { maxLength: 3 })),
    egress: optional(fc.array(egressRule, { maxLength: 3 })),
    reject: fc.boolean(),
  })
  .map(({ name, reject, ...spec }) => ({
    metadata: { name, ...(reject ? { annotations: { 'biplane.dev/deny-action': 'Reject' } } : {}) },
    spec: {
      ...(clean(spec) as ClusterNetworkPolicy['spec']),
      ...(spec.ingress ? { ingress: spec.ingress.map((rule) => clean(rule) as (typeof spec.ingress & {})[number]) } : {}),
      ...(spec.egress ? { egress: spec.egress.map((rule) => clean(rule) as (typeof spec.egress & {})[number]) } : {}),
    },
  }))

/** Mostly there; else not there, over, or of the host's network: then it is no pod to any policy. */
const fate = fc.oneof(
  { weight: 8, arbitrary: fc.constant('there' as const) },
  { weight: 1, arbitrary: fc.constantFrom('gone' as const, 'completed' as const, 'host' as const, 'terminating' as const) },
)

function fated(pod: Pod, what: 'there' | 'gone' | 'completed' | 'host' | 'terminating'): readonly Pod[] {
  if (what === 'gone') return []
  if (what === 'completed') return [{ ...pod, status: { ...pod.status, phase: 'Succeeded' } }]
  if (what === 'host') return [{ ...pod, spec: { ...pod.spec, hostNetwork: true } as Pod['spec'] }]
  return [what === 'terminating' ? { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } } : pod]
}

/** The nine pods with random labels and fates, a node that shares the address of the last, and random policies. */
export const cluster: fc.Arbitrary<Cluster> = fc
  .record({
    namespaceLabels: fc.array(labels, { minLength: 3, maxLength: 3 }),
    podLabels: fc.array(labels, { minLength: 9, maxLength: 9 }),
    fates: fc.array(fate, { minLength: 9, maxLength: 9 }),
    nodeLabels: labels,
    networkPolicies: fc.uniqueArray(networkPolicy, { maxLength: 4, selector: ({ metadata }) => `${metadata.namespace}/${metadata.name}` }),
    clusterNetworkPolicies: fc.uniqueArray(clusterNetworkPolicy, { maxLength: 3, selector: ({ metadata }) => metadata.name }),
  })
  .map(({ namespaceLabels, podLabels, fates, nodeLabels, ...policies }) => {
    const plain = ninePods()
    const addresses = podAddresses(8).map((address) => ({ type: 'InternalIP', address }))
    return {
      ...plain,
      ...policies,
      nodes: [...plain.nodes, { metadata: { name: 'other', labels: nodeLabels }, status: { addresses } }],
      namespaces: plain.namespaces.map(({ metadata }, i) => namespace(metadata.name, namespaceLabels[i])),
      pods: plain.pods.flatMap((one, i) =>
        fated({ ...one, metadata: { ...one.metadata, labels: podLabels[i] ?? {} } }, fates[i] ?? 'there'),
      ),
    }
  })
