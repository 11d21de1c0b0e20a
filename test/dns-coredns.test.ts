import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { services } from '../src/api/core/v1/service.ts'
import { endpointSlices } from '../src/api/discovery/v1/endpoint-slice.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { accessOf, createClient, createHttpsTransport, loadKubeconfig } from '../src/client/index.ts'
import { KUBE_DNS, kubeDnsAddresses, planKubeDnsService } from '../src/data-plane/dns/index.ts'
import { freePort } from './support/free-port.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const BINARY = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'biplane/coredns-1.15.0/coredns')
const missing =
  process.platform !== 'linux' ? 'needs Linux' : existsSync(BINARY) ? hasDig() : 'needs CoreDNS: node scripts/build-coredns.mjs'
const BIN = join(REPOSITORY, 'dist/biplane.js')
const IN = { namespace: 'default' }
const at = (name: string): string => `${name}.default.svc.cluster.local`

function hasDig(): string {
  try {
    execFileSync('dig', ['-v'], { stdio: 'ignore' })
    return ''
  } catch {
    return 'needs dig'
  }
}

describe.skipIf(missing !== '')(`cluster DNS and CoreDNS say the same${missing === '' ? '' : ` (skipped: ${missing})`}`, () => {
  const children: ChildProcess[] = []
  let dir: string
  let own: number
  let peer: number
  let ip: string

  beforeAll(async () => {
    execFileSync(process.execPath, [join(REPOSITORY, 'scripts/build.mjs'), '--if-stale'])
    dir = mkdtempSync(join(tmpdir(), 'bpl-cdns-'))
    const start = (argv: readonly string[]): void => void children.push(spawn(argv[0] as string, argv.slice(1), { stdio: 'ignore' }))
    start([process.execPath, BIN, 'control-plane', '--data-dir', dir, '--listen', '127.0.0.1:0', '--service-cidr', '10.96.0.0/16'])
    const layout = dataLayout(dir)
    await poll('the control plane serves', () => (existsSync(layout.adminKubeconfig) && existsSync(layout.endpoint) ? true : undefined))
    const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
    const access = accessOf(loadKubeconfig([layout.adminKubeconfig], readFile), { readFile, clock: systemClock })
    const client = createClient(createHttpsTransport({ ...access, clock: systemClock, random: Math.random }))
    const ports = [
      { name: 'http', port: 80, protocol: 'TCP' },
      { name: 'dns', port: 53, protocol: 'UDP' },
    ]
    const make = (name: string, spec: object): Promise<unknown> => client.of(services).create({ metadata: { name }, spec } as never, IN)
    await make('web', { ports })
    // what the bootstrap makes: the API must take it
    await client.of(services).create(planKubeDnsService(kubeDnsAddresses(['10.96.0.0/16'])), { namespace: KUBE_DNS.namespace })
    await make('db', { clusterIP: 'None', ports })
    await make('out', { type: 'ExternalName', externalName: 'www.example.test' })
    await make('in', { type: 'ExternalName', externalName: at('web') })
    const endpoints = [
      { addresses: ['10.244.1.2'], hostname: 'db-0', conditions: { ready: true } },
      { addresses: ['10.244.1.3'], conditions: { ready: true } },
      { addresses: ['10.244.1.4'], hostname: 'db-2', conditions: { ready: false } },
    ]
    const slice = { metadata: { name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } }, addressType: 'IPv4', endpoints, ports }
    await client.of(endpointSlices).create(slice as never, IN)
    ip = (await client.of(services).get('web', IN)).spec?.clusterIP ?? ''
    await client.transport.close()
    own = await freePort()
    peer = await freePort()
    mkdirSync(layout.node('n1').state, { recursive: true })
    writeFileSync(
      join(layout.node('n1').state, 'identity.json'),
      JSON.stringify({ certificate: String(access.cert), privateKey: String(access.key) }),
    )
    start([
      process.execPath,
      BIN,
      'dns',
      '--data-dir',
      dir,
      '--name',
      'n1',
      '--listen',
      `127.0.0.1:${own}`,
      '--upstream',
      '127.0.0.1:9',
      '--reverse-range',
      '10.96.0.0/16',
      '--reverse-range',
      '10.244.0.0/16',
    ])
    const file = join(dir, 'Corefile')
    writeFileSync(
      file,
      `.:${peer} {\n bind 127.0.0.1\n kubernetes cluster.local in-addr.arpa {\n kubeconfig ${layout.adminKubeconfig}\n pods insecure\n ttl 5\n }\n}\n`,
    )
    start([BINARY, '-conf', file, '-quiet'])
    for (const port of [own, peer])
      await poll('the server knows the endpoints', () => (ask(port, [at('db'), 'A']).length > 2 ? true : undefined))
  })
  afterAll(async () => {
    for (const child of children) {
      if (child.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  })

  /** Status, authority and records of an answer: without what each may choose for itself (weights, the SOA's own numbers, the order). */
  function ask(port: number, args: readonly string[]): readonly string[] {
    const text = execFileSync('dig', ['@127.0.0.1', '-p', String(port), '+time=5', '+tries=1', '+norecurse', ...args], { encoding: 'utf8' })
    const status = /status: (\w+)/.exec(text)?.[1] ?? ''
    const isAuthoritative = /flags:[^;]* aa/.test(text) ? 'aa' : ''
    const records = text.split('\n').filter((line) => line !== '' && !line.startsWith(';'))
    return [
      status,
      isAuthoritative,
      ...records
        .map((line) =>
          line
            .replaceAll(/\s+/g, ' ')
            .replace(/( SRV \d+ )\d+ /, '$1')
            .replace(/ SOA .*/, ' SOA'),
        )
        .sort(),
    ]
  }

  test.each<readonly string[]>([
    [at('web'), 'A'],
    ['kube-dns.kube-system.svc.cluster.local', 'A'],
    ['_dns-tcp._tcp.kube-dns.kube-system.svc.cluster.local', 'SRV'],
    ['10.0.96.10.in-addr.arpa', 'PTR'],
    [at('web'), 'AAAA'],
    [at('web'), 'TXT'],
    [at('WeB'), 'A'],
    [`_http._tcp.${at('web')}`, 'SRV'],
    [`_dns._udp.${at('web')}`, 'SRV'],
    [`_http._udp.${at('web')}`, 'SRV'],
    [at('db'), 'A'],
    [at('db'), 'AAAA'],
    [`db-0.${at('db')}`, 'A'],
    [`10-244-1-3.${at('db')}`, 'A'],
    [`db-2.${at('db')}`, 'A'],
    [`_http._tcp.${at('db')}`, 'SRV'],
    [at('out'), 'CNAME'],
    [at('in'), 'A'],
    [at('nope'), 'A'],
    [`x.y.${at('web')}`, 'A'],
    ['default.svc.cluster.local', 'A'],
    ['nope.svc.cluster.local', 'A'],
    ['svc.cluster.local', 'A'],
    ['10-1-2-3.default.pod.cluster.local', 'A'],
    ['10-1-2-3.default.pod.cluster.local', 'AAAA'],
    ['dns-version.cluster.local', 'TXT'],
    ['2.1.244.10.in-addr.arpa', 'PTR'],
    ['3.1.244.10.in-addr.arpa', 'PTR'],
  ])('%s %s', (...args) => expect(ask(own, args)).toEqual(ask(peer, args)))

  test('the owner of a service address', () => expect(ask(own, ['-x', ip])).toEqual(ask(peer, ['-x', ip])))
})
