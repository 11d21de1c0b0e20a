import { describe, expect, test } from 'vitest'
import type { Service, ServiceSpec } from '../../../api/generated/types.ts'
import { planFamilies } from './plan-families.ts'

const SELECTOR = { app: 'web' }
const service = (spec: ServiceSpec): Service => ({ metadata: { name: 'web' }, spec: { type: 'ClusterIP', selector: SELECTOR, ...spec } })
const V4 = ['IPv4'] as const
const DUAL = ['IPv4', 'IPv6'] as const
const DUAL6 = ['IPv6', 'IPv4'] as const

/** `Policy families[ addresses]`, or what is wrong. */
function told(spec: ServiceSpec, configured: readonly ('IPv4' | 'IPv6')[], old?: ServiceSpec): string {
  const { plan, errors } = planFamilies(service(spec), old && service(old), configured)
  if (errors.length > 0) return errors.map(({ field, message }) => `${field}: ${message}`).join('\n')
  if (!plan) return 'nothing'
  return [plan.ipFamilyPolicy, plan.ipFamilies?.join(), plan.clusterIPs?.join()].filter(Boolean).join(' ')
}
const headless = { clusterIP: 'None', clusterIPs: ['None'] }

describe('a new service', () => {
  test.each<[string, ServiceSpec, readonly ('IPv4' | 'IPv6')[], string]>([
    ['gets the default family', {}, V4, 'SingleStack IPv4'],
    ['gets one family of two', {}, DUAL, 'SingleStack IPv4'],
    ['gets the other default', {}, DUAL6, 'SingleStack IPv6'],
    ['of an external name gets none', { type: 'ExternalName' }, DUAL, 'nothing'],
    ['prefers two where there is one', { ipFamilyPolicy: 'PreferDualStack' }, V4, 'PreferDualStack IPv4'],
    ['prefers two', { ipFamilyPolicy: 'PreferDualStack' }, DUAL, 'PreferDualStack IPv4,IPv6'],
    ['says which first', { ipFamilyPolicy: 'PreferDualStack', ipFamilies: ['IPv6'] }, DUAL, 'PreferDualStack IPv6,IPv4'],
    ['says which', { ipFamilies: ['IPv6'] }, DUAL, 'SingleStack IPv6'],
    ['lists both', { ipFamilies: ['IPv6', 'IPv4'] }, DUAL, 'RequireDualStack IPv6,IPv4'],
    ['shows its family by its address', { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] }, DUAL, 'SingleStack IPv6 fd00::1'],
    ['shows both', { clusterIP: 'fd00::1', clusterIPs: ['fd00::1', '10.96.0.1'] }, DUAL, 'RequireDualStack IPv6,IPv4 fd00::1,10.96.0.1'],
    [
      'gives one address and asks for two',
      { ipFamilyPolicy: 'RequireDualStack', clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] },
      DUAL,
      'RequireDualStack IPv6,IPv4 fd00::1',
    ],
    ['headless', headless, DUAL, 'SingleStack IPv4 None'],
    ['headless of two', { ...headless, ipFamilyPolicy: 'PreferDualStack' }, DUAL, 'PreferDualStack IPv4,IPv6 None'],
    ['headless without selector, on any cluster', { ...headless, selector: undefined }, V4, 'RequireDualStack IPv4,IPv6 None'],
    [
      'headless without selector that wants one',
      { ...headless, selector: undefined, ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv6'] },
      V4,
      'SingleStack IPv6 None',
    ],
    [
      'cannot have what is not there',
      { ipFamilies: ['IPv6'] },
      V4,
      'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
    ],
    [
      'cannot have two of one',
      { ipFamilyPolicy: 'RequireDualStack' },
      V4,
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
    ],
    [
      'cannot have an address that is not there',
      { clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] },
      V4,
      'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
    ],
    [
      'cannot be single and double',
      { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4', 'IPv6'] },
      DUAL,
      'spec.ipFamilyPolicy: Invalid value: "SingleStack": must be RequireDualStack or PreferDualStack when multiple IP families are specified',
    ],
    [
      'cannot say one family and give another',
      { ipFamilies: ['IPv4'], clusterIP: 'fd00::1', clusterIPs: ['fd00::1'] },
      DUAL,
      'spec.clusterIPs[0]: Invalid value: "fd00::1": expected an IPv4 value as indicated by `ipFamilies[0]`',
    ],
  ])('%s', (_what, spec, configured, expected) => {
    expect(told(spec, configured)).toBe(expected)
  })
})

const single = { ipFamilyPolicy: 'SingleStack', ipFamilies: ['IPv4'], clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] }
const double = { ...single, ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv4', 'IPv6'], clusterIPs: ['10.96.0.9', 'fd00::9'] }
const prefers = { ...single, ipFamilyPolicy: 'PreferDualStack' }

describe('an update', () => {
  test.each<[string, ServiceSpec, ServiceSpec, readonly ('IPv4' | 'IPv6')[], string]>([
    ['of nothing', single, single, DUAL, 'SingleStack IPv4 10.96.0.9'],
    ['that leaves families out', { clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] }, single, DUAL, 'SingleStack IPv4 10.96.0.9'],
    ['asks for a second family', { ...single, ipFamilyPolicy: 'RequireDualStack' }, single, DUAL, 'RequireDualStack IPv4,IPv6 10.96.0.9'],
    ['gives one back', { ...double, ipFamilyPolicy: 'SingleStack' }, double, DUAL, 'SingleStack IPv4 10.96.0.9'],
    ['gives one back with all its fields', single, double, DUAL, 'SingleStack IPv4 10.96.0.9'],
    ['does not grow with the cluster', { ...prefers, externalName: '' }, prefers, DUAL, 'PreferDualStack IPv4 10.96.0.9'],
    ['grows by hand', { ...prefers, ipFamilyPolicy: 'RequireDualStack' }, prefers, DUAL, 'RequireDualStack IPv4,IPv6 10.96.0.9'],
    [
      'does not shrink with the cluster',
      { ...double, ipFamilyPolicy: 'PreferDualStack' },
      { ...double, ipFamilyPolicy: 'PreferDualStack' },
      V4,
      'PreferDualStack IPv4,IPv6 10.96.0.9,fd00::9',
    ],
    ['from an external name', {}, { type: 'ExternalName' }, DUAL, 'SingleStack IPv4'],
    [
      'takes the second away without saying so',
      { ...double, ipFamilies: ['IPv4'], clusterIPs: ['10.96.0.9'] },
      double,
      DUAL,
      'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be set to \'SingleStack\' when releasing the secondary clusterIP\n' +
        'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": must be set to \'SingleStack\' when releasing the secondary ipFamily',
    ],
    [
      'changes the first family',
      { ipFamilyPolicy: 'RequireDualStack', ipFamilies: ['IPv6', 'IPv4'], clusterIP: '10.96.0.9', clusterIPs: ['10.96.0.9'] },
      single,
      DUAL,
      'spec.clusterIPs[0]: Invalid value: "10.96.0.9": expected an IPv6 value as indicated by `ipFamilies[0]`\n' +
        'spec.ipFamilies[0]: Invalid value: ["IPv6","IPv4"]: may not change once set',
    ],
  ])('%s', (_what, next, old, configured, expected) => {
    expect(told(next, configured, old)).toBe(expected)
  })
})
