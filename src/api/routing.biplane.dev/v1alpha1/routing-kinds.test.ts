import { describe, expect, test } from 'vitest'
import type { KindDefinition } from '../../kind.ts'
import { tableColumns } from '../../print/columns.ts'
import { refusals } from '../../validation/create-as-server.ts'
import { bgpPeers } from './bgp-peer.ts'
import { routePolicies } from './route-policy.ts'
import { routers } from './router.ts'
import { staticRoutes } from './static-route.ts'

const peer = { address: '192.0.2.1', asn: 65_001 }
const rule = { name: 'a', action: 'Accept' }
const matching = (match: object): object => ({ rules: [{ ...rule, match }] })
const setting = (set: object): object => ({ rules: [{ ...rule, set }] })

// kind, spec, what is wrong with it
const cases: [KindDefinition<any>, object, string[]][] = [
  [routers, { asn: 64_512 }, []],
  [routers, { asn: 4_200_000_000, routerID: '10.0.0.1', listen: { addresses: ['0.0.0.0', '::', 'fe80::1%eth0'], port: 1179 } }, []],
  [routers, {}, ['spec.asn: Required value']],
  [routers, { asn: 0 }, ['spec.asn: Invalid value: 0: must be between 1 and 4294967295, inclusive']],
  [routers, { asn: 23_456 }, ['spec.asn: Invalid value: 23456: is a reserved AS number']],
  [
    routers,
    { asn: 1, routerID: '0.0.0.0' },
    ['spec.routerID: Invalid value: "0.0.0.0": must be in the form of an IPv4 address, and not 0.0.0.0'],
  ],
  [routers, { asn: 1, maximumPaths: 65 }, ['spec.maximumPaths: Invalid value: 65: must be between 1 and 64, inclusive']],
  [
    routers,
    { asn: 1, kernel: { table: 255 } },
    ['spec.kernel.table: Invalid value: 255: is the local table of the kernel, which is its own'],
  ],
  [
    routers,
    { asn: 1, gracefulRestart: { restartTimeSeconds: 4096 } },
    ['spec.gracefulRestart.restartTimeSeconds: Invalid value: 4096: must be between 1 and 4095, inclusive'],
  ],
  [bgpPeers, peer, []],
  [bgpPeers, { prefixes: ['10.0.0.0/8'], asnRange: { first: 64_512, last: 65_534 }, dynamicLimit: 10 }, []],
  [bgpPeers, { address: 'fe80::1%eth0', peerType: 'External', families: ['ipv4', 'ipv6'] }, []],
  [
    bgpPeers,
    {},
    [
      'spec.address: Required value: an address, or prefixes from which neighbours may come',
      'spec.asn: Required value: the AS of the peer, asnRange or peerType',
    ],
  ],
  [bgpPeers, { ...peer, peerType: 'Internal' }, ['spec.peerType: Forbidden: may not be set together with asn']],
  [bgpPeers, { ...peer, prefixes: ['10.0.0.0/8'] }, ['spec.prefixes: Forbidden: may not be set together with address']],
  [bgpPeers, { ...peer, address: '10.0.0.256' }, ['spec.address: Invalid value: "10.0.0.256": must be an IP address']],
  [bgpPeers, { ...peer, address: '224.0.0.5' }, ['spec.address: Invalid value: "224.0.0.5": must be a unicast address']],
  [
    bgpPeers,
    { ...peer, address: 'fe80::1' },
    ['spec.address: Invalid value: "fe80::1": a link-local address needs its interface, such as fe80::1%eth0'],
  ],
  [
    bgpPeers,
    { ...peer, localAddress: '2001:db8::1' },
    ['spec.localAddress: Invalid value: "2001:db8::1": must be of the same family as address'],
  ],
  [
    bgpPeers,
    { ...peer, timers: { holdSeconds: 2 } },
    ['spec.timers.holdSeconds: Invalid value: 2: must be between 3 and 65535, inclusive'],
  ],
  [bgpPeers, { ...peer, timers: { holdSeconds: 0 } }, []],
  [
    bgpPeers,
    { ...peer, ttlSecurityHops: 1, ebgpMultihopTTL: 3 },
    ['spec.ebgpMultihopTTL: Forbidden: may not be set together with ttlSecurityHops, which says it better'],
  ],
  [
    bgpPeers,
    { ...peer, maximumPrefixes: [{ family: 'ipv4', limit: 10, action: 'Warn', restartSeconds: 5 }] },
    ['spec.maximumPrefixes[0].restartSeconds: Forbidden: may only be set when action is Restart'],
  ],
  [bgpPeers, { ...peer, families: ['ipv5'] }, ['spec.families[0]: Unsupported value: "ipv5": supported values: "ipv4", "ipv6"']],
  [bgpPeers, { ...peer, shutdownMessage: 'ä'.repeat(128) }, ['spec.shutdownMessage: Too long: may not be more than 255 bytes']],
  [routePolicies, {}, []],
  [
    routePolicies,
    matching({ prefixes: [{ prefix: '10.0.0.0/8', le: 24 }], asPath: ['^65001( 65002)?$'], communities: { any: ['65001:*'] } }),
    [],
  ],
  [routePolicies, { rules: [rule, rule] }, ['spec.rules[1].name: Duplicate value: "a"']],
  [routePolicies, { rules: [{ name: 'a' }] }, ['spec.rules[0].action: Required value']],
  [
    routePolicies,
    matching({ prefixes: [{ prefix: '10.0.0.1/8' }] }),
    ['spec.rules[0].match.prefixes[0].prefix: Invalid value: "10.0.0.1/8": must not have bits set beyond the prefix length'],
  ],
  [
    routePolicies,
    matching({ prefixes: [{ prefix: '10.0.0.0/8', ge: 7 }] }),
    ['spec.rules[0].match.prefixes[0].ge: Invalid value: 7: must be between 8 and 32, inclusive'],
  ],
  [routePolicies, matching({ asPath: ['(1*)*'] }), ['spec.rules[0].match.asPath[0]: Invalid value: "(1*)*": a group may not be repeated']],
  [
    routePolicies,
    matching({ communities: { all: ['no-such'] } }),
    [
      'spec.rules[0].match.communities.all[0]: Invalid value: "no-such": must be like 65001:100, 65001:* or one of no-export, no-advertise, graceful-shutdown, blackhole',
    ],
  ],
  [
    routePolicies,
    setting({ communities: { add: ['65001:*'] } }),
    [
      'spec.rules[0].set.communities.add[0]: Invalid value: "65001:*": must be like 65001:100 or one of no-export, no-advertise, graceful-shutdown, blackhole',
    ],
  ],
  [routePolicies, setting({ largeCommunities: { remove: ['65001:*:*'] } }), []],
  [
    routePolicies,
    { rules: [{ name: 'a', action: 'Reject', set: { med: 1 } }] },
    ['spec.rules[0].set: Forbidden: a route that is rejected is not changed'],
  ],
  [staticRoutes, { prefix: '192.0.2.0/24', nextHops: [{ address: '10.0.0.1', weight: 2 }, { device: 'eth1' }] }, []],
  [staticRoutes, { prefix: '192.0.2.0/24', type: 'Blackhole' }, []],
  [staticRoutes, { prefix: '192.0.2.0/24' }, ['spec.nextHops: Required value: at least one, or another type']],
  [
    staticRoutes,
    { prefix: '192.0.2.0/24', type: 'Blackhole', nextHops: [{ device: 'eth0' }] },
    ['spec.nextHops: Forbidden: may only be set for type Unicast'],
  ],
  [
    staticRoutes,
    { prefix: '192.0.2.0', type: 'Blackhole' },
    ['spec.prefix: Invalid value: "192.0.2.0": must be a prefix such as 10.0.0.0/8 or 2001:db8::/32'],
  ],
]

describe('kinds of routing.biplane.dev', () => {
  test.each(cases.map(([kind, spec, errors]) => ({ kind, spec, errors, title: `${kind.kind} ${JSON.stringify(spec)}`.slice(0, 120) })))(
    '$title',
    ({ kind, spec, errors }) => {
      expect(refusals(kind, { metadata: { name: 'x' }, spec })).toEqual(errors)
    },
  )

  test('columns tell the state of sessions', () => {
    const cells = (status: object): unknown[] => {
      const object = { apiVersion: 'routing.biplane.dev/v1alpha1', kind: 'BGPPeer', metadata: { name: 'tor' }, spec: peer, status }
      return tableColumns(bgpPeers)
        .slice(1, 6)
        .map(({ value }) => value(object as never, 0))
    }
    expect(cells({})).toEqual(['192.0.2.1', '65001', '<none>', 0, 0])
    expect(cells({ sessions: { n1: { state: 'Established', prefixesReceived: 3, prefixesSent: 1 } } })).toEqual([
      '192.0.2.1',
      '65001',
      'Established',
      3,
      1,
    ])
    expect(cells({ sessions: { n1: { state: 'Established' }, n2: { state: 'Active' } } })[2]).toBe('Established 1/2')
  })
})
