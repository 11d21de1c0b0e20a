import { expect, test } from 'vitest'
import { FakeClock } from '../../base/fake-clock.ts'
import { silentLogger } from '../../base/log.ts'
import { dnsCompanion } from './dns-companion.ts'
import { createNodeDns } from './node-dns.ts'

const options = {
  self: ['/usr/bin/node', '/opt/biplane.js'],
  dataDir: '/data',
  name: 'n1',
  server: 'https://192.0.2.1:6443',
  caCertificate: 'x',
  listen: [
    { host: '169.254.20.10', port: 53 },
    { host: 'fd00::53', port: 53 },
  ],
  domain: 'cluster.local',
  reverseRanges: () => ['10.96.0.0/16'],
  env: {},
  clock: new FakeClock(),
  random: () => 0,
  log: silentLogger,
}

test('the command line of the DNS process says all that it needs to start by itself', () => {
  const { argv, recordFile } = dnsCompanion({ ...options, reverseRanges: options.reverseRanges(), caFile: '/data/ca.crt' })
  expect(argv.join(' ')).toBe(
    '/usr/bin/node /opt/biplane.js dns --data-dir=/data --name=n1 --server=https://192.0.2.1:6443 --ca-file=/data/ca.crt --domain=cluster.local --listen=169.254.20.10:53 --listen=[fd00::53]:53 --reverse-range=10.96.0.0/16',
  )
  expect(recordFile).toBe('/data/nodes/n1/state/dns.process.json')
})

test("pods ask the node's server, and the service kube-dns leads there too", () => {
  const dns = createNodeDns({ ...options, resolvConf: '/nonexistent' })
  const pod = { metadata: { name: 'p', namespace: 'shop' }, spec: { containers: [] } }
  expect(dns.resolvConfOf(pod)).toBe(
    'search shop.svc.cluster.local svc.cluster.local cluster.local\nnameserver 169.254.20.10\nnameserver fd00::53\noptions ndots:5\n',
  )
  const slices = dns.withLocalSlices({ list: () => [], onChange: () => () => {} }).list()
  expect(slices.map(({ endpoints }) => endpoints?.[0]?.addresses[0])).toEqual(['169.254.20.10', 'fd00::53'])
})
