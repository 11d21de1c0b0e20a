import type { ChildProcess } from 'node:child_process'
import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { cpSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../src/api/generated/types.ts'
import { planResolvConf, formatResolvConf } from '../src/data-plane/node/env/resolv-conf.ts'
import { DnsLab, dnsLabProblem, NODE_LOCAL, NODE_LOCAL_V6, NODE_V4, NODE_V6, STUB, UPSTREAM } from './dns-support/dns-lab.ts'
import { floodsGoOn, startFlood, type FloodTarget } from './dns-support/flood.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const missing = dnsLabProblem(['dig', 'unbound', 'dnsmasq', 'getent', 'openssl'])
const meta = (name: string): Service['metadata'] => ({ name, namespace: 'shop' })
const services: readonly Service[] = [
  {
    metadata: meta('web'),
    spec: { clusterIP: '10.96.0.7', clusterIPs: ['10.96.0.7', 'fd00:96::7'], ports: [{ name: 'http', port: 80, protocol: 'TCP' }] },
  },
  { metadata: meta('db'), spec: { clusterIP: 'None', ports: [{ name: 'sql', port: 5432 }] } },
  { metadata: meta('out'), spec: { type: 'ExternalName', externalName: 'www.example.test' } },
]
const slices: readonly EndpointSlice[] = [
  {
    metadata: { ...meta('db-1'), labels: { 'kubernetes.io/service-name': 'db' } },
    addressType: 'IPv4',
    endpoints: Array.from({ length: 120 }, (_, i) => ({
      addresses: [`10.244.1.${i + 1}`],
      hostname: `db-${i}`,
      conditions: { ready: true },
    })),
    ports: [{ name: 'sql', port: 5432, protocol: 'TCP' }],
  },
]
const WEB = 'web.shop.svc.cluster.local'
const DB = 'db.shop.svc.cluster.local'

describe.skipIf(missing !== '')(`cluster DNS${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  let lab: DnsLab
  let server: ChildProcess

  beforeAll(async () => {
    lab = await DnsLab.build(services, slices)
    await startUnbound(lab)
    lab.stub.spawn([
      'dnsmasq',
      '--keep-in-foreground',
      '--no-resolv',
      '--no-hosts',
      '--no-daemon',
      '--user=root',
      '--pid-file=',
      `--listen-address=${STUB}`,
      '--bind-interfaces',
      '--host-record=ldap.corp.test,192.0.2.90',
    ])
    lab.flags = [`--upstream=${UPSTREAM}`, `--stub=corp.test=${STUB}`, '--reverse-range=10.96.0.0/16']
    server = await lab.start()
    await poll('unbound answers', async () => ((await lab.dig(`@${UPSTREAM}`, 'www.example.test')).length > 0 ? true : undefined))
  })
  afterAll(async () => lab?.remove())

  describe('of the cluster, asked by dig', () => {
    test.each([
      ['A', [WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ['AAAA', [WEB, 'AAAA'], [`${WEB}. 5 IN AAAA fd00:96::7`]],
      ['over TCP', ['+tcp', WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ['over IPv6', [`@${NODE_V6}`, WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ['over IPv6, at an address of the node alone', [`@${NODE_LOCAL_V6}`, WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ['over TCP and IPv6', ['+tcp', `@${NODE_V6}`, WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ["at the node's address", [`@${NODE_V4}`, WEB], [`${WEB}. 5 IN A 10.96.0.7`]],
      ['SRV', [`_http._tcp.${WEB}`, 'SRV'], [`_http._tcp.${WEB}. 5 IN SRV 0 100 80 ${WEB}.`]],
      ['PTR', ['-x', '10.96.0.7'], [`7.0.96.10.in-addr.arpa. 5 IN PTR ${WEB}.`]],
      ['a pod below its service', [`db-7.${DB}`], [`db-7.${DB}. 5 IN A 10.244.1.8`]],
      ['version', ['dns-version.cluster.local', 'TXT'], ['dns-version.cluster.local. 28800 IN TXT "1.1.0"']],
      ['no such name', [`x.${WEB}`], ['cluster.local. 5 IN SOA ns.dns.cluster.local. hostmaster.cluster.local. 4 7200 1800 86400 5']],
    ])('%s', async (_what, args, expected) => expect(await lab.dig(...args)).toEqual(expected))

    test('no such name and no data are told apart', async () => {
      expect(await lab.header(`x.${WEB}`)).toBe('status: NXDOMAIN, flags: qr aa rd ra')
      expect(await lab.header(WEB, 'TXT')).toBe('status: NOERROR, flags: qr aa rd ra')
    })

    test('what does not fit into a datagram is asked for again over TCP', async () => {
      expect(await lab.header('+ignore', '+noedns', DB)).toContain('qr aa tc rd ra')
      expect(await lab.dig(DB)).toHaveLength(120)
      expect(await lab.dig('+bufsize=4096', DB)).toHaveLength(120)
    })
  })

  describe('of others', () => {
    test.each([
      ['forwarded', ['www.example.test'], ['www.example.test. 300 IN A 192.0.2.80']],
      ['from the server of a stub domain', ['ldap.corp.test'], ['ldap.corp.test. 0 IN A 192.0.2.90']],
      [
        'behind an alias of the cluster',
        ['out.shop.svc.cluster.local'],
        ['out.shop.svc.cluster.local. 5 IN CNAME www.example.test.', 'www.example.test. 300 IN A 192.0.2.80'],
      ],
      ['of an unknown type', ['www.example.test', 'TYPE4711'], ['www.example.test. 300 IN TYPE4711 \\# 3 010203']],
    ])('%s', async (_what, args, expected) => {
      const found = await lab.dig(...args)
      // an answer that was asked for before is some seconds older
      expect(found.map((line) => line.replace(/ (2\d\d) IN/, ' 300 IN'))).toEqual(expected)
    })

    test('that do not exist are kept as long as their SOA says', async () => {
      const [soa = ''] = await lab.dig('nope.example.test')
      expect(soa).toMatch(/^example\.test\. \d+ IN SOA/)
      expect(await lab.header('nope.example.test')).toBe('status: NXDOMAIN, flags: qr rd ra')
    })

    test('whose answer is too long for a datagram come whole', async () => {
      const found = await lab.dig('big.example.test', 'TXT')
      expect(found).toHaveLength(40)
      expect(await lab.header('+ignore', 'big.example.test', 'TXT')).toContain(' tc ')
    })
  })

  describe('asked by the programs of pods', () => {
    beforeAll(() => {
      const pod = { metadata: meta('p'), spec: { containers: [] } }
      const { conf } = planResolvConf(
        pod,
        { nameservers: [NODE_LOCAL], domain: 'cluster.local' },
        { nameservers: [], searches: [], options: [] },
      )
      lab.resolvConf(formatResolvConf(conf))
    })
    const first = (text: string): string[] =>
      text
        .split('\n')
        .filter(Boolean)
        .map((line) => line.split(/\s+/)[0] as string)

    test.each(['web', 'web.shop', 'web.shop.svc', WEB])('glibc finds %s', async (name) => {
      expect(new Set(first(await lab.pod.must(['getent', 'ahosts', name])))).toEqual(new Set(['10.96.0.7', 'fd00:96::7']))
    })

    test('glibc finds names of others and aliases, and owners of addresses', async () => {
      expect(first(await lab.pod.must(['getent', 'ahostsv4', 'www.example.test']))).toContain('192.0.2.80')
      expect(first(await lab.pod.must(['getent', 'ahostsv4', 'out']))).toContain('192.0.2.80')
      expect(await lab.pod.must(['getent', 'hosts', '10.96.0.7'])).toMatch(new RegExp(`10\\.96\\.0\\.7\\s+${WEB}`))
      expect((await lab.pod.run(['getent', 'ahosts', 'nope'])).code).toBe(2)
    })

    test("Node's own resolver", async () => {
      const program = `const { resolve4, resolveSrv, lookup } = require('node:dns/promises')
        Promise.all([resolve4('${DB}'), resolveSrv('_http._tcp.${WEB}'), lookup('web', { all: true })]).then((all) => console.log(JSON.stringify(all)))`
      const [db, srv, web] = JSON.parse(await lab.pod.must([process.execPath, '-e', program])) as [
        string[],
        unknown[],
        { address: string }[],
      ]
      expect(db).toHaveLength(120)
      expect(srv).toEqual([{ name: WEB, port: 80, priority: 0, weight: 100 }])
      expect(new Set(web.map(({ address }) => address))).toEqual(new Set(['10.96.0.7', 'fd00:96::7']))
    })

    const musl = spawnSync('musl-gcc', ['--version']).status === 0
    test.skipIf(!musl)(`musl, which asks for both families at once${musl ? '' : ' (skipped: needs musl-gcc)'}`, async () => {
      const program = join(lab.dir, 'lookup')
      writeFileSync(`${program}.c`, MUSL_PROGRAM)
      expect(spawnSync('musl-gcc', ['-static', '-o', program, `${program}.c`]).status).toBe(0)
      for (const name of ['web', WEB])
        expect(new Set(first(await lab.pod.must([program, name])))).toEqual(new Set(['10.96.0.7', 'fd00:96::7']))
      expect(first(await lab.pod.must([program, 'www.example.test']))).toEqual(['192.0.2.80'])
      expect((await lab.pod.run([program, 'nope'])).code).toBe(1)
    })
  })

  test('a server of another node is kept from the same addresses', async () => {
    const argv = [
      'dns',
      `--data-dir=${lab.dir}`,
      '--name=n2',
      '--server=https://127.0.0.1:1',
      `--ca-file=${lab.dir}/ca.pem`,
      `--listen=${NODE_LOCAL}:53`,
    ]
    cpSync(join(lab.dir, 'nodes/n1'), join(lab.dir, 'nodes/n2'), { recursive: true, filter: (path) => !path.includes('.sock') })
    const { code, stderr } = await lab.node.run([process.execPath, join(REPOSITORY, 'dist/biplane.js'), ...argv])
    expect(code).not.toBe(0)
    expect(stderr).toContain(`${NODE_LOCAL} port 53 belongs to the DNS server of node "n1"`)
    expect(await lab.dig(WEB)).toHaveLength(1)
  })

  describe('while processes come and go', () => {
    test('a hand-over loses no question, over UDP and TCP, of the cluster and of others', async () => {
      const targets: readonly FloodTarget[] = [
        { server: NODE_LOCAL, transport: 'udp', name: WEB, expected: '10.96.0.7' },
        { server: NODE_V6, transport: 'udp', concurrency: 5, name: WEB, expected: '10.96.0.7' },
        { server: NODE_LOCAL, transport: 'udp', concurrency: 5, name: 'www.example.test', expected: '192.0.2.80' },
        { server: NODE_LOCAL, transport: 'tcp', concurrency: 10, name: WEB, expected: '10.96.0.7' },
      ]
      const floods = targets.map((target) => startFlood(target, (argv) => lab.pod.spawn(argv, { stdio: ['ignore', 'pipe', 'inherit'] })))
      for (let round = 0; round < 5; round++) {
        await floodsGoOn(floods)
        const next = await lab.start()
        const ended = once(server, 'exit')
        server.kill('SIGTERM')
        await ended
        server = next
      }
      const results = await Promise.all(floods.map((flood) => flood.stop()))
      process.stdout.write(`asked during 5 hand-overs: ${results.map(({ asked }, i) => `${targets[i]?.transport} ${asked}`).join(', ')}\n`)
      for (const { asked, failures } of results) {
        expect(asked).toBeGreaterThan(100)
        expect(failures).toEqual({})
      }
    })

    test('others are answered stale while their server keeps silent', async () => {
      expect((await lab.dig('short.example.test'))[0]).toContain('192.0.2.81')
      await lab.wire.blackhole(lab.upstream)
      try {
        const stale = await poll(
          'a stale answer',
          async () => (await lab.dig('short.example.test')).find((line) => line.includes(' 30 IN ')),
          { everyMs: 300 },
        )
        expect(stale).toBe('short.example.test. 30 IN A 192.0.2.81')
        expect(await lab.header('never-asked.example.test')).toContain('SERVFAIL')
        expect(await lab.dig(WEB)).toHaveLength(1)
      } finally {
        await lab.wire.heal(lab.upstream)
      }
      await poll(
        'a fresh answer',
        async () => (await lab.dig('short.example.test')).find((line) => line.includes(' 1 IN ') || line.includes(' 0 IN ')),
        { everyMs: 300 },
      )
    })

    test('with a second server, nobody notices that the first keeps silent', async () => {
      lab.flags = ['--upstream=198.18.5.99', `--upstream=${UPSTREAM}`]
      const next = await lab.start()
      server.kill('SIGTERM')
      await once(server, 'exit')
      server = next
      const names = Array.from({ length: 12 }, (_, i) => `w${i}.wild.example.test`)
      for (const name of names) expect(await lab.dig(name)).toHaveLength(1)
    })
  })
})

/** An authoritative server in all but name, with names that were made up for these tests. */
async function startUnbound(lab: DnsLab): Promise<void> {
  const config = join(lab.dir, 'unbound.conf')
  const txt = Array.from({ length: 40 }, (_, i) => `  local-data: 'big.example.test. 300 TXT "${'x'.repeat(90)}${i}"'`)
  writeFileSync(
    config,
    [
      'server:',
      `  interface: ${UPSTREAM}`,
      '  access-control: 0.0.0.0/0 allow',
      '  do-daemonize: no',
      '  username: ""',
      '  chroot: ""',
      '  pidfile: ""',
      '  use-syslog: no',
      '  num-threads: 1',
      '  local-zone: "." static',
      '  local-zone: "example.test." static',
      '  local-data: "example.test. 300 SOA ns.example.test. root.example.test. 1 3600 600 86400 60"',
      '  local-data: "www.example.test. 300 A 192.0.2.80"',
      '  local-data: "www.example.test. 300 TYPE4711 \\# 3 010203"',
      '  local-data: "short.example.test. 1 A 192.0.2.81"',
      '  local-zone: "wild.example.test." redirect',
      '  local-data: "wild.example.test. 300 A 192.0.2.82"',
      ...txt,
      'remote-control:',
      '  control-enable: no',
      '',
    ].join('\n'),
  )
  lab.upstream.spawn(['unbound', '-c', config], { stdio: ['ignore', 'ignore', 'inherit'] })
}

const MUSL_PROGRAM = `
#include <stdio.h>
#include <netdb.h>
#include <arpa/inet.h>
int main(int argc, char **argv) {
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
  char text[64];
  if (getaddrinfo(argv[1], 0, &hints, &found)) return 1;
  for (; found; found = found->ai_next) {
    void *at = found->ai_family == AF_INET6 ? (void *)&((struct sockaddr_in6 *)found->ai_addr)->sin6_addr : (void *)&((struct sockaddr_in *)found->ai_addr)->sin_addr;
    puts(inet_ntop(found->ai_family, at, text, sizeof text));
  }
}
`
