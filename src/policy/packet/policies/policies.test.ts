import { describe, expect, test } from 'vitest'
import type { NetworkPolicy, NetworkPolicySpec, Pod } from '../../../api/generated/types.ts'
import type { ClusterNetworkPolicy } from '../../../api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { compilePolicies, evaluatePacket, PolicyCompiler, type PacketVerdict, type PolicyInput } from './index.ts'

const pod = (name: string, ip: string, more: Partial<Pod> = {}): Pod => ({
  metadata: { name, namespace: 'x', uid: `uid-${name}`, labels: { app: name }, ...more.metadata },
  spec: { nodeName: 'n1', containers: [{ name: 'c', ports: [{ name: 'web', containerPort: 8080 }] }], ...more.spec },
  status: { phase: 'Running', podIPs: [{ ip }], ...more.status },
})
const netpol = (spec: NetworkPolicySpec, name = 'p', annotations?: Record<string, string>): NetworkPolicy => ({
  metadata: { name, namespace: 'x', ...(annotations ? { annotations } : {}) },
  spec: { podSelector: {}, ...spec },
})
const cnp = (name: string, spec: Partial<ClusterNetworkPolicy['spec']>, annotations?: Record<string, string>): ClusterNetworkPolicy => ({
  metadata: { name, ...(annotations ? { annotations } : {}) },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...spec },
})
const input = (more: Partial<PolicyInput> = {}): PolicyInput => ({
  networkPolicies: [],
  clusterNetworkPolicies: [],
  pods: [pod('a', '10.0.0.1'), pod('b', '10.0.0.2'), pod('c', '10.0.0.3', { spec: { nodeName: 'n2', containers: [] } })],
  namespaces: [{ metadata: { name: 'x', labels: { team: 'red' } } }],
  nodes: [{ metadata: { name: 'n1', labels: {} }, status: { addresses: [{ type: 'InternalIP', address: '192.0.2.1' }] } }],
  node: 'n1',
  ...more,
})
const judge = (given: PolicyInput, source = '10.0.0.1', destination = '10.0.0.2', port = 8080, protocol = 'TCP'): PacketVerdict =>
  evaluatePacket(compilePolicies(given), { source, destination, port, protocol })
const deny = netpol({ policyTypes: ['Ingress'] }, 'deny')

describe('what a policy selects', () => {
  test.each<[string, Partial<PolicyInput>, string, string]>([
    ['nothing without policies', {}, 'accept', 'Default'],
    ['every pod of its namespace', { networkPolicies: [deny] }, 'deny', 'NetworkPolicy'],
    [
      'no pod of the host network',
      {
        networkPolicies: [deny],
        pods: [pod('a', '10.0.0.1'), pod('b', '10.0.0.2', { spec: { hostNetwork: true, nodeName: 'n1', containers: [] } })],
      },
      'accept',
      'Default',
    ],
    [
      'no completed pod',
      { networkPolicies: [deny], pods: [pod('b', '10.0.0.2', { status: { phase: 'Succeeded', podIPs: [{ ip: '10.0.0.2' }] } })] },
      'accept',
      'Default',
    ],
    [
      'a terminating pod until it is gone',
      {
        networkPolicies: [deny],
        pods: [pod('b', '10.0.0.2', { metadata: { name: 'b', namespace: 'x', uid: 'u', deletionTimestamp: '2026-01-01T00:00:00Z' } })],
      },
      'deny',
      'NetworkPolicy',
    ],
    ['no pod of another node', { networkPolicies: [deny], node: 'n2' }, 'accept', 'Default'],
    [
      'the pods of all nodes where none is named',
      { networkPolicies: [netpol({ podSelector: { matchLabels: { app: 'c' } }, policyTypes: ['Egress'] })], node: undefined as never },
      'accept',
      'Default',
    ],
  ])('%s', (_name, more, verdict, tier) => {
    const { node, ...rest } = input(more)
    expect(judge(node === undefined ? rest : { ...rest, node })).toMatchObject({ verdict, tier })
  })

  test('policyTypes default to Ingress, and Egress where there are rules for it', () => {
    const { policies } = compilePolicies(
      input({ networkPolicies: [netpol({}, 'p'), netpol({ egress: [{}] }, 'q'), netpol({ egress: [], policyTypes: [] }, 'r')] }),
    )
    const judged = ['p', 'q', 'r'].map((name) => {
      const one = policies.get(`NetworkPolicy/x/${name}`)
      return [one?.ingress !== undefined, one?.egress !== undefined]
    })
    expect(judged).toEqual([
      [true, false],
      [true, true],
      [true, false],
    ])
  })

  test('equal selectors are one set, however they are written', () => {
    const from = (selector: object): NetworkPolicySpec => ({ ingress: [{ from: [{ podSelector: selector }] }] })
    const { addresses } = compilePolicies(
      input({
        networkPolicies: [
          netpol(from({ matchLabels: { app: 'a', k: 'v' } }), 'p'),
          netpol(from({ matchLabels: { k: 'v', app: 'a' }, matchExpressions: [] }), 'q'),
        ],
      }),
    )
    // the subject, which is all pods, and the peer
    expect(addresses.size).toBe(2)
  })
})

describe('the explanation of a verdict', () => {
  test('names policy and rule', () => {
    const rules = netpol(
      { ingress: [{ ports: [{ port: 1 }] }, { from: [{ podSelector: { matchLabels: { app: 'a' } } }], ports: [{ port: 'web' }] }] },
      'web',
    )
    expect(judge(input({ networkPolicies: [rules, deny] }))).toMatchObject({
      verdict: 'accept',
      direction: 'ingress',
      tier: 'NetworkPolicy',
      policy: { namespace: 'x', name: 'web' },
      rule: { index: 1 },
      reason: 'ingress rule 1 of NetworkPolicy/x/web accepts it',
      egress: { verdict: 'accept', tier: 'Default' },
    })
    expect(judge(input({ networkPolicies: [rules, deny] }), '10.0.0.1', '10.0.0.2', 9)).toMatchObject({
      verdict: 'deny',
      denyAction: 'Drop',
      policies: ['NetworkPolicy/x/deny', 'NetworkPolicy/x/web'],
      reason: 'no ingress rule of NetworkPolicy/x/deny, NetworkPolicy/x/web accepts it',
    })
  })

  test('names the tier, and what was passed on the way', () => {
    const passing = cnp('first', { ingress: [{ name: 'leave it', action: 'Pass', from: [{ namespaces: {} }] }] })
    const baseline = cnp(
      'last',
      { tier: 'Baseline', ingress: [{ name: 'no', action: 'Deny', from: [{ namespaces: {} }] }] },
      { 'biplane.dev/deny-action': 'Reject' },
    )
    expect(judge(input({ clusterNetworkPolicies: [passing, baseline] }))).toMatchObject({
      verdict: 'deny',
      denyAction: 'Reject',
      tier: 'Baseline',
      policy: { name: 'last' },
      rule: { index: 0, name: 'no' },
      passed: ['ClusterNetworkPolicy/first#0'],
      reason: 'ingress rule 0 (no) of ClusterNetworkPolicy/last denies it',
    })
  })

  test.each([
    ['a pod and itself', '10.0.0.2', '10.0.0.2', 'a pod always reaches itself'],
    ['a node and its own pods', '192.0.2.1', '10.0.0.2', 'traffic between a node and its own pods is not judged'],
  ])('leaves alone %s', (_name, source, destination, reason) => {
    expect(judge(input({ networkPolicies: [deny] }), source, destination)).toMatchObject({ verdict: 'accept', reason })
  })

  test('reads addresses in any form and refuses what is none', () => {
    const given = input({ networkPolicies: [deny], pods: [pod('b', 'fd00:0:0::2')] })
    expect(judge(given, 'FD00::1', 'fd00:0::0:2')).toMatchObject({ verdict: 'deny' })
    expect(() => judge(given, 'here', '10.0.0.2')).toThrow(new RangeError('source "here" is no IP address'))
  })

  test('ICMP needs a rule without ports', () => {
    const by = (ports: NetworkPolicySpec['ingress']): PolicyInput => input({ networkPolicies: [netpol({ ingress: ports })] })
    expect(judge(by([{}]), '10.0.0.1', '10.0.0.2', 0, 'ICMP').verdict).toBe('accept')
    expect(judge(by([{ ports: [{}] }]), '10.0.0.1', '10.0.0.2', 0, 'ICMP').verdict).toBe('deny')
  })
})

describe('how is denied', () => {
  const rejecting = { 'biplane.dev/deny-action': 'Reject' }
  test.each<[string, Partial<PolicyInput>, string]>([
    ['silently', { networkPolicies: [deny] }, 'Drop'],
    ['as the node says', { networkPolicies: [deny], options: { denyAction: 'Reject' } }, 'Reject'],
    ['as the namespace says', { networkPolicies: [deny], namespaces: [{ metadata: { name: 'x', annotations: rejecting } }] }, 'Reject'],
    ['as the policy says', { networkPolicies: [netpol({}, 'p', rejecting)] }, 'Reject'],
    ['silently where policies disagree', { networkPolicies: [netpol({}, 'p', rejecting), deny] }, 'Drop'],
    [
      'as ever where an annotation says something unknown',
      { networkPolicies: [netpol({}, 'p', { 'biplane.dev/deny-action': 'Explode' })] },
      'Drop',
    ],
  ])('%s', (_name, more, denyAction) => {
    expect(judge(input(more))).toMatchObject({ verdict: 'deny', denyAction })
  })
})

describe('what cannot be understood', () => {
  test('allows nothing in a NetworkPolicy, and denies all in a Deny or Pass rule', () => {
    const strange = { later: {} } as never
    const accepts = compilePolicies(input({ networkPolicies: [netpol({ ingress: [{ from: [strange] }] })] }))
    expect(accepts.problems).toEqual([{ policy: 'NetworkPolicy/x/p', message: 'a peer of no known kind' }])
    expect(evaluatePacket(accepts, { source: '10.0.0.1', destination: '10.0.0.2', protocol: 'TCP' }).verdict).toBe('deny')
    for (const action of ['Accept', 'Deny', 'Pass'] as const) {
      const given = input({
        clusterNetworkPolicies: [
          cnp('p', { ingress: [{ action, from: [strange], protocols: [{ tcp: { destinationPort: { number: 1 } } }] }] }),
        ],
      })
      expect(judge(given).verdict).toBe(action === 'Accept' ? 'accept' : 'deny')
    }
  })

  test('is no way in: a port or protocol that is not understood is not every port', () => {
    const strange = netpol({ ingress: [{ ports: [{ protocol: 'QUIC', port: 1 }] }] })
    expect(judge(input({ networkPolicies: [strange] })).verdict).toBe('deny')
    const protocols = [{ quic: {} } as never]
    for (const action of ['Accept', 'Deny', 'Pass'] as const) {
      const first = cnp('first', { ingress: [{ action, from: [{ namespaces: {} }], protocols }] })
      const last = cnp('last', { priority: 2, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] })
      expect(judge(input({ clusterNetworkPolicies: [first, last] }))).toMatchObject({
        verdict: 'deny',
        policy: { name: action === 'Accept' ? 'last' : 'first' },
      })
    }
  })

  test('is never thrown', () => {
    const bad = netpol({ podSelector: { matchExpressions: [{ key: 'k', operator: 'Like' }] } })
    expect(
      compilePolicies(input({ networkPolicies: [bad, netpol({ ingress: [{ from: [{ ipBlock: { cidr: 'x' } }] }] }, 'q')] })).problems,
    ).toHaveLength(2)
  })
})

describe('PolicyCompiler', () => {
  test('leaves alone, as the same objects, what a change does not touch', () => {
    const compiler = new PolicyCompiler()
    const byLabel = netpol({ ingress: [{ from: [{ podSelector: { matchLabels: { app: 'a' } } }] }] })
    const given = input({ networkPolicies: [byLabel, deny] })
    const before = compiler.update(given)
    const pods = [...given.pods]
    const after = compiler.update({
      ...given,
      pods: [...pods, pod('d', '10.0.0.4', { metadata: { name: 'd', namespace: 'x', uid: 'd', labels: { app: 'd' } } })],
    })
    const byKey = (policy: typeof before, part: string): ReadonlySet<string> | undefined =>
      [...policy.addresses].find(([key]) => key.includes(part))?.[1]
    expect(byKey(after, 'app')).toBe(byKey(before, 'app'))
    expect(after.pods.get('10.0.0.2')).toBe(before.pods.get('10.0.0.2'))
    expect(after.pods.get('10.0.0.4')?.ingress).toBe(before.pods.get('10.0.0.2')?.ingress)
    // a status that says nothing new
    const touched = compiler.update({ ...given, pods: pods.map((one) => ({ ...one, status: { ...one.status, message: 'new' } as never })) })
    expect(compiler.update({ ...given, pods }).pods).toBe(touched.pods)
  })

  test('the revision is the greatest it has seen', () => {
    const compiler = new PolicyCompiler()
    const at = (resourceVersion: string): NetworkPolicy => ({ ...deny, metadata: { ...deny.metadata, resourceVersion } })
    expect(compiler.update(input({ networkPolicies: [at('12')] })).revision).toBe('12')
    expect(compiler.update(input({ networkPolicies: [at('9')] })).revision).toBe('12')
  })

  test('believes the node about the addresses of its pods', () => {
    const compiler = new PolicyCompiler()
    const late = pod('late', '', { status: { phase: 'Pending', podIPs: [] } })
    const given = input({ networkPolicies: [deny], pods: [] })
    const claims = new Map([['uid-late', { pod: late, ips: ['10.0.0.9'] }]])
    expect([...compiler.update({ ...given, claims }).pods.keys()]).toEqual(['10.0.0.9'])
    // another pod, which the API still shows with that address, loses it
    const old = pod('old', '10.0.0.9')
    expect(compiler.update({ ...given, pods: [late, old], claims }).pods.get('10.0.0.9')?.name).toBe('late')
    expect(compiler.update({ ...given, pods: [late, old] }).pods.get('10.0.0.9')?.name).toBe('old')
    expect(compiler.update({ ...given, pods: [late, old], released: new Set(['uid-old']) }).pods.size).toBe(0)
    expect(compiler.update({ ...given, pods: [late, old] }).pods.size).toBe(1)
  })

  test('judges a pod of this node to its end, whatever its phase says', () => {
    const over = pod('b', '10.0.0.2', { status: { phase: 'Failed', podIPs: [{ ip: '10.0.0.2' }] } })
    const given = input({ networkPolicies: [deny], pods: [over] })
    const compiler = new PolicyCompiler()
    const claims = new Map([['uid-b', { pod: over, ips: ['10.0.0.2'] }]])
    expect([...compiler.update({ ...given, claims }).pods.keys()]).toEqual(['10.0.0.2'])
    expect(compiler.update({ ...given, claims: new Map(), released: new Set(['uid-b']) }).pods.size).toBe(0)
    expect(compiler.update(given).pods.size).toBe(0)
  })
})
