import { describe, expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../../registry.ts'
import { refusals as refusalsOf } from '../../validation/create-as-server.ts'
import { clusterNetworkPolicies } from './cluster-network-policy.ts'

const policy = (spec: object): object => ({
  metadata: { name: 'p' },
  spec: { tier: 'Admin', priority: 1, subject: { namespaces: {} }, ...spec },
})
const refusals = (spec: object): string[] => refusalsOf(clusterNetworkPolicies, policy(spec))
const rules = (count: number): object[] => Array.from({ length: count }, () => ({ action: 'Deny', from: [{ namespaces: {} }] }))
const egress = (rule: object): object => ({ egress: [{ action: 'Accept', to: [{ networks: ['10.0.0.0/8'] }], ...rule }] })

describe('ClusterNetworkPolicy', () => {
  test('is served', () => {
    expect(BUILT_IN_KINDS).toContain(clusterNetworkPolicies)
  })

  test.each<[string, object, string[]]>([
    ['nothing but a subject', {}, []],
    ['25 rules', { ingress: rules(25) }, []],
    ['26 rules', { ingress: rules(26) }, ['spec.ingress: Too many: 26: must have at most 25 items']],
    ['a priority above 1000', { priority: 1001 }, ['spec.priority: Invalid value: 1001: must be between 0 and 1000, inclusive']],
    ['another tier', { tier: 'Middle' }, ['spec.tier: Unsupported value: "Middle": supported values: "Admin", "Baseline"']],
    ['no subject', { subject: {} }, ['spec.subject: Required value: must set exactly one of namespaces, pods']],
    [
      'two subjects',
      { subject: { namespaces: {}, pods: { podSelector: {} } } },
      ['spec.subject: Forbidden: may set only one of namespaces, pods, not namespaces and pods'],
    ],
    ['no peers', { ingress: [{ action: 'Deny', from: [] }] }, ['spec.ingress[0].from: Required value: must have at least 1 item']],
    ['every field', egress({ name: 'n', protocols: [{ tcp: { destinationPort: { range: { start: 1, end: 9 } } } }] }), []],
    [
      'domain names',
      egress({ to: [{ domainNames: ['a.b'] }] }),
      ['spec.egress[0].to[0].domainNames: Forbidden: is not enforced here, packets carry addresses and no names: use networks instead'],
    ],
    ['a name of 101 characters', egress({ name: 'x'.repeat(101) }), ['spec.egress[0].name: Too long: may not be more than 100 bytes']],
    [
      'named ports of networks',
      egress({ protocols: [{ destinationNamedPort: 'web' }] }),
      [expect.stringMatching(/^spec.egress\[0\]: Invalid value: .*peers have no named ports$/) as never],
    ],
    [
      'a backward range',
      egress({ protocols: [{ udp: { destinationPort: { range: { start: 9, end: 9 } } } }] }),
      [expect.stringContaining('start must be less than end') as never],
    ],
    ['no port', egress({ protocols: [{ sctp: {} }] }), ['spec.egress[0].protocols[0].sctp.destinationPort: Required value']],
    [
      'no network',
      egress({ to: [{ networks: ['10.0.0.1/8'] }] }),
      ['spec.egress[0].to[0].networks[0]: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
    ],
  ])('validates %s', (_name, spec, want) => {
    expect(refusals(spec)).toEqual(want)
  })
})
