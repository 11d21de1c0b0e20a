import { describe, expect, test } from 'vitest'
import type { Pod, PodSpec } from '../../../api/generated/types.ts'
import { formatResolvConf, nodeResolvConf, parseResolvConf, planResolvConf } from './resolv-conf.ts'

const cluster = { nameservers: ['169.254.20.10'], domain: 'cluster.local' }
const host = { nameservers: ['192.0.2.1', '192.0.2.2'], searches: ['corp.example'], options: ['edns0', 'timeout:1'] }
const pod = (spec: Partial<PodSpec>): Pod => ({ metadata: { name: 'p', namespace: 'shop' }, spec: { containers: [], ...spec } })
const text = (spec: Partial<PodSpec>): string => formatResolvConf(planResolvConf(pod(spec), cluster, host).conf)

const CLUSTER = 'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example\nnameserver 169.254.20.10\noptions ndots:5\n'
const HOST = 'search corp.example\nnameserver 192.0.2.1\nnameserver 192.0.2.2\noptions edns0 timeout:1\n'

describe('the resolver configuration of a pod', () => {
  test.each<[string, Partial<PodSpec>, string]>([
    ['default', {}, CLUSTER],
    ['ClusterFirst', { dnsPolicy: 'ClusterFirst' }, CLUSTER],
    ['ClusterFirst on the network of the host', { dnsPolicy: 'ClusterFirst', hostNetwork: true }, HOST],
    ['ClusterFirstWithHostNet', { dnsPolicy: 'ClusterFirstWithHostNet', hostNetwork: true }, CLUSTER],
    ['Default', { dnsPolicy: 'Default' }, HOST],
    [
      'None',
      {
        dnsPolicy: 'None',
        dnsConfig: { nameservers: ['1.1.1.1'], searches: ['x.y'], options: [{ name: 'ndots', value: '2' }, { name: 'edns0' }] },
      },
      'search x.y\nnameserver 1.1.1.1\noptions ndots:2 edns0\n',
    ],
    [
      'ClusterFirst and more: behind, once, and options replace those of the same name',
      {
        dnsConfig: {
          nameservers: ['169.254.20.10', '1.1.1.1'],
          searches: ['svc.cluster.local', 'x.y'],
          options: [{ name: 'ndots', value: '1' }, { name: 'debug' }],
        },
      },
      'search shop.svc.cluster.local svc.cluster.local cluster.local corp.example x.y\nnameserver 169.254.20.10\nnameserver 1.1.1.1\noptions ndots:1 debug\n',
    ],
  ])('%s', (_what, spec, expected) => expect(text(spec)).toBe(expected))

  test('what resolvers would not read is left out, and said', () => {
    const nameservers = ['1.1.1.1', '1.1.1.2', '1.1.1.3']
    const searches = Array.from({ length: 40 }, (_, i) => `d${i}.example`)
    const { conf, cut } = planResolvConf(pod({ dnsConfig: { nameservers, searches } }), cluster, host)
    expect(conf.nameservers).toEqual(['169.254.20.10', '1.1.1.1', '1.1.1.2'])
    expect(conf.searches).toHaveLength(32)
    expect(cut).toEqual(['nameserver 1.1.1.3', ...searches.slice(28).map((each) => `search ${each}`)])
    const long = planResolvConf(
      pod({ dnsConfig: { searches: Array.from({ length: 20 }, (_, i) => `${'x'.repeat(120)}${i}.example`) } }),
      cluster,
      host,
    )
    expect(long.conf.searches.join(' ').length).toBeLessThanOrEqual(2048)
    expect(long.cut.length).toBeGreaterThan(0)
  })

  test('without cluster DNS, that of the node', () => {
    expect(planResolvConf(pod({}), { nameservers: [], domain: 'cluster.local' }, host).conf).toEqual(host)
  })
})

test('a resolv.conf is read as resolvers do', () => {
  const found = parseResolvConf(
    '# x\ndomain old.example\n  nameserver 192.0.2.1 # a\nnameserver fe80::1%eth0\nsearch a.example b.example.\nsortlist x\noptions ndots:2 rotate\noptions edns0\n',
  )
  expect(found).toEqual({
    nameservers: ['192.0.2.1', 'fe80::1%eth0'],
    searches: ['a.example', 'b.example'],
    options: ['ndots:2', 'rotate', 'edns0'],
  })
  expect(parseResolvConf('search .\n').searches).toEqual(['.'])
})

test('behind a stub on loopback, the real servers', () => {
  const files: Record<string, string> = {
    '/etc/resolv.conf': 'nameserver 127.0.0.53\n',
    '/run/systemd/resolve/resolv.conf': 'nameserver 192.0.2.1\n',
  }
  expect(nodeResolvConf((path) => files[path])).toBe('nameserver 192.0.2.1\n')
  expect(nodeResolvConf((path) => (path === '/etc/resolv.conf' ? files[path] : undefined))).toBe('nameserver 127.0.0.53\n')
  expect(nodeResolvConf(() => 'nameserver 192.0.2.7\n', '/x')).toBe('nameserver 192.0.2.7\n')
})
