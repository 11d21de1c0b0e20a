import { describe, expect, test } from 'vitest'
import type { Service } from '../../../api/generated/types.ts'
import type { AddressPool, AddressPoolSpec } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { AddressBook } from './address-book.ts'
import { ADDRESSES_ANNOTATION, isBalanced, POOL_ANNOTATION, readRequest, SHARING_ANNOTATION, sharerOf } from './balancer-request.ts'
import { planAddresses } from './plan-addresses.ts'
import { poolStatus } from './pool-status.ts'
import { poolAddresses, poolSize, viewPool, viewPools } from './pool-view.ts'

type Spec = Partial<NonNullable<Service['spec']>>
const pool = (name: string, addresses: string[], spec: Partial<AddressPoolSpec> = {}): AddressPool => ({
  metadata: { name, generation: 1 },
  spec: { addresses, ...spec },
})
const service = (spec: Spec = {}, annotations: Record<string, string> = {}, labels: Record<string, string> = {}): Service => ({
  metadata: { name: 'web', namespace: 'shop', annotations, labels },
  spec: { type: 'LoadBalancer', selector: { app: 'web' }, ports: [{ port: 80 }], ipFamilies: ['IPv4'], ...spec },
})
const dual = { ipFamilies: ['IPv4', 'IPv6'], ipFamilyPolicy: 'PreferDualStack' }

/** `addresses` or `addresses | problem`. `others` hold addresses already. */
function told(of: Service, pools: AddressPool[], others: Readonly<Record<string, Service>> = {}, held: string[] = []): string {
  const book = new AddressBook()
  for (const [address, other] of Object.entries(others))
    book.observe(`other/${address}`, { uid: '1', sharer: sharerOf(other), shown: [address] })
  book.observe('shop/web', { uid: '2', sharer: sharerOf(of), shown: held })
  const request = readRequest(of)
  if (typeof request === 'string') return request
  const labels = { service: of.metadata.labels ?? {}, namespace: { team: 'a' } }
  const { addresses, problem } = planAddresses(request, labels, viewPools(pools), {
    held: book.heldBy('shop/web'),
    mayKeep: (address) => book.mayKeep('shop/web', address),
    mayTake: (address) => book.mayTake('shop/web', address),
    isFree: (address) => book.isFree(address),
    sharedUnder: (key) => book.sharedUnder(key),
  })
  return [addresses.join(','), problem].filter((part) => part !== undefined && part !== '').join(' | ')
}

const small = pool('small', ['192.0.2.0/30'])
const v6 = pool('v6', ['2001:db8::10-2001:db8::1f'])
const plain = service()
const mine = (ports: Spec['ports'], spec: Spec = {}): Service => service({ ports, ...spec }, { [SHARING_ANNOTATION]: 'k' })

describe('a service gets', () => {
  test.each<[string, string, string]>([
    ['the lowest free address', told(plain, [small]), '192.0.2.0'],
    ['the next where one is taken', told(plain, [small], { '192.0.2.0': plain }), '192.0.2.1'],
    ['none of a full pool', told(plain, [pool('p', ['192.0.2.1'])], { '192.0.2.1': plain }), 'no free IPv4 address is left'],
    ['none where there is no pool of its family', told(plain, [v6]), 'no AddressPool with IPv4 addresses is for this service'],
    ['no buggy one', told(plain, [pool('p', ['192.0.2.255-192.0.3.9'], { avoidBuggyIPs: true })]), '192.0.3.1'],
    ['the one of the larger priority', told(plain, [small, pool('z', ['203.0.113.0/30'], { priority: 1 })]), '203.0.113.0'],
    [
      'one of the next pool when the first is full',
      told(plain, [pool('a', ['192.0.2.1']), pool('b', ['203.0.113.1'])], { '192.0.2.1': plain }),
      '203.0.113.1',
    ],
    ['what it has, whatever is free', told(plain, [small], {}, ['192.0.2.3']), '192.0.2.3'],
    ['another when it has one of no pool', told(plain, [small], {}, ['198.51.100.1']), '192.0.2.0'],
    [
      'none of a pool that is not for everybody',
      told(plain, [pool('p', ['192.0.2.1'], { autoAssign: false })]),
      'no AddressPool with IPv4 addresses is for this service',
    ],
    [
      'one of such a pool by its name',
      told(service({}, { [POOL_ANNOTATION]: 'p' }), [pool('p', ['192.0.2.1'], { autoAssign: false })]),
      '192.0.2.1',
    ],
    ['one of the pool that it names', told(service({}, { [POOL_ANNOTATION]: 'z' }), [small, pool('z', ['203.0.113.0/30'])]), '203.0.113.0'],
    ['none of a pool that is not there', told(service({}, { [POOL_ANNOTATION]: 'no' }), [small]), 'there is no AddressPool no'],
    [
      'none of a pool for others',
      told(service({}, { [POOL_ANNOTATION]: 'p' }), [pool('p', ['192.0.2.1'], { serviceSelector: { matchLabels: { tier: 'x' } } })]),
      'AddressPool p is not for this service: its selectors leave it out',
    ],
    [
      'one of a pool for it',
      told(service({}, {}, { tier: 'x' }), [
        pool('p', ['192.0.2.1'], { serviceSelector: { matchLabels: { tier: 'x' } }, namespaceSelector: { matchLabels: { team: 'a' } } }),
      ]),
      '192.0.2.1',
    ],
    ['both families', told(service(dual), [small, v6]), '192.0.2.0,2001:db8::10'],
    ['one of two that it prefers', told(service(dual), [small]), '192.0.2.0'],
    [
      'nothing when it must have two',
      told(service({ ...dual, ipFamilyPolicy: 'RequireDualStack' }), [small]),
      'no AddressPool with IPv6 addresses is for this service',
    ],
    [
      'to keep one of two when the other goes',
      told(service({ ...dual, ipFamilyPolicy: 'RequireDualStack' }), [small], {}, ['192.0.2.2', '2001:db8::10']),
      '192.0.2.2 | no AddressPool with IPv6 addresses is for this service',
    ],
    ['the one it names', told(service({ loadBalancerIP: '192.0.2.2' }), [small]), '192.0.2.2'],
    [
      'the ones it names',
      told(service(dual, { [ADDRESSES_ANNOTATION]: '2001:db8::1f, 192.0.2.3' }), [small, v6]),
      '192.0.2.3,2001:db8::1f',
    ],
    [
      'the one it names and one more',
      told(service(dual, { [ADDRESSES_ANNOTATION]: '2001:DB8:0::1f' }), [small, v6]),
      '192.0.2.0,2001:db8::1f',
    ],
    ['the one it names instead of what it has', told(service({ loadBalancerIP: '192.0.2.2' }), [small], {}, ['192.0.2.1']), '192.0.2.2'],
    [
      'none that another has',
      told(service({ loadBalancerIP: '192.0.2.2' }), [small], { '192.0.2.2': plain }),
      '192.0.2.2 is in use by another service',
    ],
    [
      'none of no pool',
      told(service({ loadBalancerIP: '192.0.3.2' }), [small]),
      '192.0.3.2 is in no AddressPool that this service may use',
    ],
    ['an answer to nonsense', told(service({ loadBalancerIP: 'x' }), [small]), '"x" is not an IP address'],
    [
      'an answer to the wrong family',
      told(service({ loadBalancerIP: '2001:db8::10' }), [v6]),
      '2001:db8::10 is IPv6, and the service has IPv4 only',
    ],
    [
      'an answer to two of one family',
      told(service({}, { [ADDRESSES_ANNOTATION]: '192.0.2.1,192.0.2.2' }), [small]),
      'more than one IPv4 address is asked for',
    ],
    [
      'an answer to two wishes',
      told(service({ loadBalancerIP: '192.0.2.1' }, { [ADDRESSES_ANNOTATION]: '192.0.2.1' }), [small]),
      `spec.loadBalancerIP and the annotation ${ADDRESSES_ANNOTATION} are both set: keep one`,
    ],
  ])('%s', (_what, got, expected) => {
    expect(got).toBe(expected)
  })
})

describe('an address is shared', () => {
  const other = mine([{ port: 80 }])
  test.each<[string, string, string]>([
    ['with the same key and other ports', told(mine([{ port: 443 }]), [small], { '192.0.2.2': other }), '192.0.2.2'],
    ['with the same port of another protocol', told(mine([{ port: 80, protocol: 'UDP' }]), [small], { '192.0.2.2': other }), '192.0.2.2'],
    ['not with the same port', told(mine([{ port: 80 }]), [small], { '192.0.2.2': other }), '192.0.2.0'],
    [
      'not with another key',
      told(service({ ports: [{ port: 1 }] }, { [SHARING_ANNOTATION]: 'x' }), [small], { '192.0.2.2': other }),
      '192.0.2.0',
    ],
    [
      'not without a key',
      told(service({ ports: [{ port: 1 }], loadBalancerIP: '192.0.2.2' }), [small], { '192.0.2.2': other }),
      '192.0.2.2 is in use by another service',
    ],
    [
      'not when one leads traffic otherwise',
      told(mine([{ port: 1 }], { externalTrafficPolicy: 'Local' }), [small], { '192.0.2.2': other }),
      '192.0.2.0',
    ],
    [
      'with local traffic to the same pods',
      told(mine([{ port: 1 }], { externalTrafficPolicy: 'Local' }), [small], {
        '192.0.2.2': mine([{ port: 80 }], { externalTrafficPolicy: 'Local' }),
      }),
      '192.0.2.2',
    ],
    [
      'not with local traffic to others',
      told(mine([{ port: 1 }], { externalTrafficPolicy: 'Local', selector: { app: 'x' } }), [small], {
        '192.0.2.2': mine([{ port: 80 }], { externalTrafficPolicy: 'Local' }),
      }),
      '192.0.2.0',
    ],
  ])('%s', (_what, got, expected) => {
    expect(got).toBe(expected)
  })
})

test('of two that cannot live together any more the one that changed goes', () => {
  const book = new AddressBook()
  const shown = ['192.0.2.1']
  book.observe('a', { uid: '1', sharer: sharerOf(mine([{ port: 80 }])), shown })
  book.observe('b', { uid: '2', sharer: sharerOf(mine([{ port: 81 }])), shown })
  expect([book.mayKeep('a', '192.0.2.1'), book.mayKeep('b', '192.0.2.1')]).toEqual([true, true])
  book.observe('a', { uid: '1', sharer: sharerOf(mine([{ port: 81 }])), shown })
  expect([book.mayKeep('a', '192.0.2.1'), book.mayKeep('b', '192.0.2.1')]).toEqual([false, true])
  // another service of the same name starts anew
  book.observe('b', { uid: '3', sharer: sharerOf(mine([{ port: 81 }])), shown: [] })
  expect(book.heldBy('b')).toEqual([])
  expect(book.mayKeep('a', '192.0.2.1')).toBe(true)
})

test('which services are ours', () => {
  expect(isBalanced(service())).toBe(true)
  expect(isBalanced(service({ loadBalancerClass: 'routing.biplane.dev/bgp' }))).toBe(true)
  expect(isBalanced(service({ loadBalancerClass: 'example.com/other' }))).toBe(false)
  expect(isBalanced(service({ type: 'NodePort' }))).toBe(false)
})

test.each([
  [['192.0.2.0/24'], false],
  [['192.0.2.0/24'], true],
  [['192.0.2.1-192.0.2.254'], true],
  [['192.0.2.255', '192.0.3.0', '192.0.4.7'], true],
  [['192.0.2.200-192.0.5.3', '198.51.100.0/30'], true],
])('%j has as many addresses as can be had (without buggy ones: %s)', (addresses, avoidBuggyIPs) => {
  const view = viewPool(pool('p', addresses, { avoidBuggyIPs }))
  expect(poolSize(view, 4)).toBe(BigInt([...poolAddresses(view, 4)].length))
})

test('the status counts, and names pools that have the same addresses', () => {
  const big = pool('big', ['192.0.2.0/24', '2001:db8::/32'])
  const status = poolStatus(big, [big, small, v6], { assigned: ['192.0.2.7', '2001:db8::1', '198.51.100.1'], now: 'now' })
  expect(status).toMatchObject({ assignedIPv4: 1, availableIPv4: 255, assignedIPv6: 1, availableIPv6: Number.MAX_SAFE_INTEGER })
  expect(status.conditions).toEqual([
    {
      type: 'Conflicting',
      status: 'True',
      reason: 'Overlaps',
      message: 'other pools have the same addresses: small (192.0.2.0-192.0.2.3), v6 (2001:db8::10-2001:db8::1f)',
      observedGeneration: 1,
      lastTransitionTime: 'now',
    },
  ])
  expect(poolStatus(small, [small, v6], { assigned: [], now: 'now' }).conditions?.[0]).toMatchObject({
    status: 'False',
    reason: 'Distinct',
  })
})
