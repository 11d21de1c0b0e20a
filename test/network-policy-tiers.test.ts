import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { ClusterNetworkPolicy } from '../src/api/policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { labProblem } from '../src/testing/network-lab/index.ts'
import { ninePods } from './network-policy-support/cluster.ts'
import { all, labelNamespace, policy, put, putCluster, type Edit } from './network-policy-support/edit-cluster.ts'
import { labPods, startEnforcedLab, type EnforcedLab } from './network-policy-support/enforced-lab.ts'

const missing = labProblem()
type Spec = ClusterNetworkPolicy['spec']

const cnp = (name: string, spec: Partial<Spec>): ClusterNetworkPolicy => ({
  metadata: { name },
  spec: { tier: 'Admin', priority: 10, subject: { namespaces: {} }, ...spec },
})
const ns = (name: string): { readonly namespaces: { readonly matchLabels: Record<string, string> } } => ({
  namespaces: { matchLabels: { ns: name } },
})
const pods = (namespaceName: string, pod: string): NonNullable<Spec['ingress']>[number]['from'][number] => ({
  pods: { namespaceSelector: { matchLabels: { ns: namespaceName } }, podSelector: { matchLabels: { pod } } },
})
const everyone = { namespaces: {} }
const denyAll = policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'] }, { name: 'deny' })
const allowAll = policy({ podSelector: {}, policyTypes: ['Ingress', 'Egress'], ingress: [{}], egress: [{}] }, { name: 'allow' })

const cases: Readonly<Record<string, readonly Edit[]>> = {
  'Admin denies what a NetworkPolicy allows': [
    all(put(allowAll), putCluster(cnp('a', { subject: ns('x'), ingress: [{ action: 'Deny', from: [ns('y')] }] }))),
  ],
  'Admin accepts what a NetworkPolicy denies': [
    all(put(denyAll), putCluster(cnp('a', { subject: ns('x'), ingress: [{ action: 'Accept', from: [ns('y')] }] }))),
  ],
  'Pass leaves it to the NetworkPolicy, and skips what follows in the tier': [
    all(
      put(denyAll),
      putCluster(
        cnp('a', { priority: 1, subject: ns('x'), ingress: [{ action: 'Pass', from: [pods('y', 'a')] }] }),
        cnp('b', { priority: 2, subject: ns('x'), ingress: [{ action: 'Accept', from: [everyone] }] }),
      ),
    ),
  ],
  'Pass without a NetworkPolicy leads to Baseline': [
    putCluster(
      cnp('a', {
        subject: ns('x'),
        ingress: [
          { action: 'Pass', from: [ns('y')] },
          { action: 'Accept', from: [ns('z')] },
        ],
      }),
      cnp('b', { tier: 'Baseline', subject: ns('x'), ingress: [{ action: 'Deny', from: [everyone] }] }),
    ),
  ],
  'Baseline is for those whom no NetworkPolicy selects': [
    putCluster(cnp('b', { tier: 'Baseline', egress: [{ action: 'Deny', to: [ns('y')] }] })),
    put(allowAll),
    put(policy({ podSelector: { matchLabels: { pod: 'a' } }, policyTypes: ['Egress'], egress: [{}] }, { name: 'allow' })),
  ],
  'a direction that no NetworkPolicy judges is left to Baseline': [
    all(
      put(policy({ podSelector: {}, policyTypes: ['Ingress'], ingress: [{}] }, { name: 'allow' })),
      putCluster(
        cnp('b', {
          tier: 'Baseline',
          subject: ns('x'),
          egress: [{ action: 'Deny', to: [ns('z')] }],
          ingress: [{ action: 'Deny', from: [everyone] }],
        }),
      ),
    ),
  ],
  'lower numbers go first, and a change of priority turns it round': [1, 3].map((priority) =>
    putCluster(
      cnp('a', { priority, egress: [{ action: 'Deny', to: [ns('z')] }] }),
      cnp('b', { priority: 2, egress: [{ action: 'Accept', to: [ns('z')] }] }),
    ),
  ),
  'equal numbers go by name': [
    putCluster(cnp('b', { egress: [{ action: 'Accept', to: [ns('z')] }] }), cnp('a', { egress: [{ action: 'Deny', to: [ns('z')] }] })),
  ],
  'rules of a policy go in order': [
    putCluster(
      cnp('a', {
        egress: [
          { action: 'Accept', to: [pods('z', 'a')] },
          { action: 'Pass', to: [pods('z', 'b')] },
          { action: 'Deny', to: [ns('z')] },
        ],
      }),
    ),
  ],
  'protocols, ports, ranges and named ports': [
    putCluster(
      cnp('a', {
        subject: ns('x'),
        ingress: [
          {
            action: 'Accept',
            from: [everyone],
            protocols: [
              { tcp: { destinationPort: { number: 80 } } },
              { udp: { destinationPort: { range: { start: 81, end: 90 } } } },
              { destinationNamedPort: 'serve-80-sctp' },
            ],
          },
          { action: 'Deny', from: [everyone] },
        ],
      }),
    ),
  ],
  'a port of egress denied, all else left': [
    putCluster(cnp('a', { egress: [{ action: 'Deny', to: [everyone], protocols: [{ sctp: { destinationPort: { number: 81 } } }] }] })),
  ],
  'networks and nodes': [
    putCluster(
      cnp('a', {
        egress: [
          { action: 'Accept', to: [{ nodes: {} }] },
          { action: 'Accept', to: [{ networks: ['10.244.1.0/28', 'fd00:10:244:1::/124'] }] },
          { action: 'Deny', to: [{ networks: ['0.0.0.0/0', '::/0'] }] },
        ],
      }),
    ),
  ],
  'a namespace that becomes and ceases to be a subject': [
    putCluster(cnp('a', { subject: { namespaces: { matchLabels: { guarded: 'yes' } } }, ingress: [{ action: 'Deny', from: [everyone] }] })),
    labelNamespace('y', { ns: 'y', guarded: 'yes' }),
    labelNamespace('y', { ns: 'y' }),
  ],
  'all tiers at once, then none': [
    all(
      put(
        policy(
          { podSelector: { matchLabels: { pod: 'b' } }, policyTypes: ['Ingress'], ingress: [{ from: [{ podSelector: {} }] }] },
          { name: 'own' },
        ),
      ),
      putCluster(
        cnp('a', {
          priority: 5,
          ingress: [
            { action: 'Pass', from: [ns('x')] },
            { action: 'Deny', from: [pods('y', 'c')] },
          ],
        }),
        cnp('b', {
          tier: 'Baseline',
          ingress: [
            { action: 'Accept', from: [pods('z', 'a')] },
            { action: 'Deny', from: [ns('z')] },
          ],
        }),
      ),
    ),
    putCluster(),
  ],
}

describe.skipIf(missing !== '')(`tiers of ClusterNetworkPolicy in the kernel${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let enforced: EnforcedLab

  beforeAll(async () => {
    enforced = await startEnforcedLab(labPods(ninePods().pods))
  })
  afterAll(() => enforced?.remove())

  // what the enforcer does itself is not what it puts right
  afterAll(() => expect(enforced.metrics.render()).toMatch(/^biplane_policy_foreign_changes_total 0$/m))

  test.each(Object.entries(cases))('%s', async (_name, steps) => {
    let cluster = ninePods()
    for (const step of steps) {
      cluster = step(cluster)
      await enforced.apply(cluster)
      expect(await enforced.compare(cluster)).toEqual([])
    }
  })
})
