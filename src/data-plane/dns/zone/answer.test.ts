import { describe, expect, test } from 'vitest'
import { formatIp } from '../../../base/ip.ts'
import { CLASS_IN, rcodeName, TYPE, typeName } from '../wire/codes.ts'
import { nameAt } from '../wire/encode.ts'
import type { DnsRecord } from '../wire/message.ts'
import { nameText, wireName } from '../wire/name.ts'
import { answer } from './answer.ts'
import { service, slice, ZONE } from './fixture.ts'
import { compileZone, type ZoneOptions } from './zone.ts'

const ports = [
  { name: 'http', port: 80, protocol: 'TCP' },
  { port: 9, protocol: 'TCP' },
  { name: 'dns', port: 53, protocol: 'UDP' },
]
const services = [
  service('web', { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00::7'], ports }),
  service('v4', { clusterIP: '10.96.0.8', clusterIPs: ['10.96.0.8'] }),
  service('db', { clusterIP: 'None', ports: [{ name: 'sql', port: 1 }] }),
  service('early', { clusterIP: 'None', publishNotReadyAddresses: true }),
  service('none', { clusterIP: 'None' }),
  service('pending', { clusterIP: '' }),
  service('out', { type: 'ExternalName', externalName: 'www.example.com' }),
  service('in', { type: 'ExternalName', externalName: 'web.shop.svc.cluster.local.' }),
  service('lost', { type: 'ExternalName', externalName: 'nope.shop.svc.cluster.local' }),
  service('ring', { type: 'ExternalName', externalName: 'ring.shop.svc.cluster.local' }),
  service('bad', { type: 'ExternalName', externalName: 'a..b' }),
]
const unready = { ready: false, serving: false, terminating: false }
const slices = [
  slice('db', [
    { addresses: ['10.244.1.2'], hostname: 'db-0' },
    { addresses: ['10.244.1.3'], conditions: { ready: true } },
    { addresses: ['10.244.1.4'], hostname: 'db-2', conditions: unready },
  ]),
  // the same endpoint in two slices for a moment
  slice('db', [{ addresses: ['10.244.1.2'], hostname: 'db-0' }], { id: 'y' }),
  slice('db', [{ addresses: ['fd00:1::2'], hostname: 'db-0' }], { family: 'IPv6' }),
  slice('early', [{ addresses: ['10.244.1.9'], conditions: unready }]),
  slice('none', [{ addresses: ['10.244.1.8'], conditions: unready }]),
  slice('web', [{ addresses: ['10.244.1.2'] }]),
]
const zone = compileZone(services, slices, ZONE)

const show = (each: DnsRecord): string => {
  const name = nameText(each.name)
  if (each.type === TYPE.A || each.type === TYPE.AAAA) return `${name} ${typeName(each.type)} ${formatIp(each.data)}`
  const view = Buffer.from(each.data)
  if (each.type === TYPE.SRV) {
    return `${name} SRV ${view.readUInt16BE(0)} ${view.readUInt16BE(2)} ${view.readUInt16BE(4)} ${nameText(nameAt(each.data, 6))}`
  }
  if (each.type === TYPE.TXT) return `${name} TXT ${view.toString('latin1', 1)}`
  return `${name} ${typeName(each.type)} ${nameText(nameAt(each.data, 0))}`
}
const ask = (name: string, type: keyof typeof TYPE, options?: ZoneOptions, rotate = 0): string[] => {
  const found = answer(
    { name: wireName(name), type: TYPE[type], class: CLASS_IN },
    options ? compileZone(services, slices, options) : zone,
    rotate,
  )
  if (!found) return ['not ours']
  const chase = found.chase === undefined ? [] : [`then ${nameText(found.chase)}`]
  const soa = found.authorities.map((each) => `${typeName(each.type)} of ${nameText(each.name)} ttl ${each.ttl}`)
  return [rcodeName(found.rcode), ...found.answers.map(show), ...chase, ...soa, ...found.additionals.map((each) => `+ ${show(each)}`)]
}
const SOA = 'SOA of cluster.local. ttl 5'
const NODATA = ['NOERROR', SOA]
const NXDOMAIN = ['NXDOMAIN', SOA]
const at = (name: string): string => `${name}.shop.svc.cluster.local`

describe('what the zone answers', () => {
  test.each<[string, string, keyof typeof TYPE, readonly string[]]>([
    ['service, IPv4', at('web'), 'A', ['NOERROR', `${at('web')}. A 10.96.0.7`]],
    ['service, IPv6', at('web'), 'AAAA', ['NOERROR', `${at('web')}. AAAA fd00::7`]],
    ['the case of the question', 'WeB.shop.SVC.cluster.local', 'A', ['NOERROR', 'WeB.shop.SVC.cluster.local. A 10.96.0.7']],
    ['service without IPv6', at('v4'), 'AAAA', NODATA],
    ['service without text', at('web'), 'TXT', NODATA],
    ['any: one kind of them', at('web'), 'ANY', ['NOERROR', `${at('web')}. A 10.96.0.7`]],
    ['no such service', at('nope'), 'A', NXDOMAIN],
    ['service without an address yet', at('pending'), 'A', NXDOMAIN],
    ['namespace', 'shop.svc.cluster.local', 'A', NODATA],
    ['no such namespace', 'other.svc.cluster.local', 'A', NXDOMAIN],
    ['svc', 'svc.cluster.local', 'A', NODATA],
    ['name below a service', `x.${at('web')}`, 'A', NXDOMAIN],
    ['a wildcard is a name like others', '*.shop.svc.cluster.local', 'A', NXDOMAIN],
    [
      'named port',
      `_http._tcp.${at('web')}`,
      'SRV',
      ['NOERROR', `_http._tcp.${at('web')}. SRV 0 100 80 ${at('web')}.`, `+ ${at('web')}. A 10.96.0.7`, `+ ${at('web')}. AAAA fd00::7`],
    ],
    ['named port over UDP', `_dns._udp.${at('v4')}`, 'SRV', NXDOMAIN],
    ['port of another protocol', `_http._udp.${at('web')}`, 'SRV', NXDOMAIN],
    ['protocol of ports', `_tcp.${at('web')}`, 'SRV', NODATA],
    ['ports have no addresses', `_http._tcp.${at('web')}`, 'A', NODATA],
    ['headless: ready endpoints', at('db'), 'A', ['NOERROR', `${at('db')}. A 10.244.1.2`, `${at('db')}. A 10.244.1.3`]],
    ['headless: IPv6', at('db'), 'AAAA', ['NOERROR', `${at('db')}. AAAA fd00:1::2`]],
    ['headless: hostname', `db-0.${at('db')}`, 'A', ['NOERROR', `db-0.${at('db')}. A 10.244.1.2`]],
    ['headless: hostname, IPv6', `db-0.${at('db')}`, 'AAAA', ['NOERROR', `db-0.${at('db')}. AAAA fd00:1::2`]],
    ['headless: without hostname', `10-244-1-3.${at('db')}`, 'A', ['NOERROR', `10-244-1-3.${at('db')}. A 10.244.1.3`]],
    ['headless: not ready', `db-2.${at('db')}`, 'A', NXDOMAIN],
    [
      'headless: named port of each endpoint',
      `_sql._tcp.${at('db')}`,
      'SRV',
      [
        'NOERROR',
        `_sql._tcp.${at('db')}. SRV 0 50 5432 db-0.${at('db')}.`,
        `_sql._tcp.${at('db')}. SRV 0 50 5432 10-244-1-3.${at('db')}.`,
        `+ db-0.${at('db')}. A 10.244.1.2`,
        `+ db-0.${at('db')}. AAAA fd00:1::2`,
        `+ 10-244-1-3.${at('db')}. A 10.244.1.3`,
      ],
    ],
    ['headless: none ready', at('none'), 'A', NXDOMAIN],
    ['headless: published before they are ready', at('early'), 'A', ['NOERROR', `${at('early')}. A 10.244.1.9`]],
    ['alias, its own record', at('out'), 'CNAME', ['NOERROR', `${at('out')}. CNAME www.example.com.`]],
    ['alias to the outside', at('out'), 'A', ['NOERROR', `${at('out')}. CNAME www.example.com.`, 'then www.example.com.']],
    ['alias within', at('in'), 'A', ['NOERROR', `${at('in')}. CNAME ${at('web')}.`, `${at('web')}. A 10.96.0.7`]],
    ['alias within, no data', at('in'), 'TXT', ['NOERROR', `${at('in')}. CNAME ${at('web')}.`, SOA]],
    ['alias to nothing', at('lost'), 'A', ['NXDOMAIN', `${at('lost')}. CNAME ${at('nope')}.`, SOA]],
    ['alias to itself', at('ring'), 'A', ['SERVFAIL']],
    ['alias to what is no name', at('bad'), 'A', NXDOMAIN],
    ['PTR of a service', '7.0.96.10.in-addr.arpa', 'PTR', ['NOERROR', `7.0.96.10.in-addr.arpa. PTR ${at('web')}.`]],
    ['PTR of an endpoint', '2.1.244.10.in-addr.arpa', 'PTR', ['NOERROR', `2.1.244.10.in-addr.arpa. PTR db-0.${at('db')}.`]],
    [
      'PTR over IPv6',
      '7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa',
      'PTR',
      ['NOERROR', `7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.d.f.ip6.arpa. PTR ${at('web')}.`],
    ],
    ['PTR of nobody in our ranges', '99.0.96.10.in-addr.arpa', 'PTR', ['NXDOMAIN', 'SOA of 96.10.in-addr.arpa. ttl 5']],
    ['other data of an address of ours', '7.0.96.10.in-addr.arpa', 'A', ['NOERROR', 'SOA of 96.10.in-addr.arpa. ttl 5']],
    ['PTR of an address of others', '8.8.8.8.in-addr.arpa', 'PTR', ['not ours']],
    ['what is no address', 'x.0.96.10.in-addr.arpa', 'PTR', ['not ours']],
    ['version', 'dns-version.cluster.local', 'TXT', ['NOERROR', 'dns-version.cluster.local. TXT 1.1.0']],
    ['apex', 'cluster.local', 'SOA', ['NOERROR', 'cluster.local. SOA ns.dns.cluster.local.']],
    [
      'apex, servers',
      'cluster.local',
      'NS',
      ['NOERROR', 'cluster.local. NS ns.dns.cluster.local.', '+ ns.dns.cluster.local. A 169.254.20.10'],
    ],
    ['pod', '10-1-2-3.shop.pod.cluster.local', 'A', ['NOERROR', '10-1-2-3.shop.pod.cluster.local. A 10.1.2.3']],
    ['pod, IPv6', 'fd00--3.shop.pod.cluster.local', 'AAAA', ['NOERROR', 'fd00--3.shop.pod.cluster.local. AAAA fd00::3']],
    ['pod, other family', '10-1-2-3.shop.pod.cluster.local', 'AAAA', NODATA],
    ['pod that is no address', '10-1-2-300.shop.pod.cluster.local', 'A', NXDOMAIN],
    ['namespace of pods', 'shop.pod.cluster.local', 'A', NODATA],
    ['name below a pod', 'a.10-1-2-3.shop.pod.cluster.local', 'A', NXDOMAIN],
    ['names of others', 'www.example.com', 'A', ['not ours']],
    ['a name that only ends alike', 'xcluster.local', 'A', ['not ours']],
  ])('%s', (_what, name, type, expected) => expect(ask(name, type)).toEqual(expected))

  test('pods can be switched off', () =>
    expect(ask('10-1-2-3.shop.pod.cluster.local', 'A', { ...ZONE, pods: 'disabled' })).toEqual(NXDOMAIN))

  test('each endpoint comes first in turn', () => {
    const firsts = [0, 1, 2].map((rotate) => ask(at('db'), 'A', undefined, rotate)[1])
    expect(firsts).toEqual([`${at('db')}. A 10.244.1.2`, `${at('db')}. A 10.244.1.3`, `${at('db')}. A 10.244.1.2`])
  })
})
