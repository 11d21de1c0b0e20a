import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Resolver } from 'node:dns/promises'
import { createSocket, type Socket } from 'node:dgram'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import dnsPacket from 'dns-packet'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { configMaps } from '../src/api/core/v1/config-map.ts'
import { services } from '../src/api/core/v1/service.ts'
import { endpointSlices } from '../src/api/discovery/v1/endpoint-slice.ts'
import { superviseCompanion } from '../src/cli/compose/companion.ts'
import { dnsCompanion } from '../src/cli/compose/dns-companion.ts'
import { dataLayout } from '../src/cli/compose/layout.ts'
import { accessOf, createClient, createHttpsTransport, loadKubeconfig } from '../src/client/index.ts'
import type { Client } from '../src/client/client.ts'
import { freePort } from './support/free-port.ts'
import { floodsGoOn, startFlood, type FloodResult } from './dns-support/flood.ts'
import { poll } from './support/poll.ts'
import { REPOSITORY } from './support/program.ts'

const linux = process.platform === 'linux'
const BIN = join(REPOSITORY, 'dist/biplane.js')
const NAMESPACE = { namespace: 'default' }

describe.skipIf(!linux)(`cluster DNS beside its cluster${linux ? '' : ' (skipped: needs Linux)'}`, () => {
  let dir: string
  let port: number
  let controlPlane: ChildProcess
  let node: ChildProcess
  let client: Client
  let resolver: Resolver
  let upstream: Socket
  let stopDns: (leave?: 'leave') => Promise<void> = () => Promise.resolve()
  const record = (): { running?: { pid: number }; successor?: unknown } =>
    JSON.parse(readFileSync(join(dataLayout(dir).node('n1').state, 'dns.process.json'), 'utf8')) as never

  beforeAll(async () => {
    execFileSync(process.execPath, [join(REPOSITORY, 'scripts/build.mjs'), '--if-stale'])
    dir = mkdtempSync(join(tmpdir(), 'bpl-dnss-'))
    chmodSync(dir, 0o755)
    port = await freePort()
    const start = (...args: readonly string[]): ChildProcess =>
      spawn(process.execPath, [BIN, ...args, '--data-dir', dir], { stdio: 'ignore' })
    controlPlane = start('control-plane', '--listen', '127.0.0.1:0')
    const layout = dataLayout(dir)
    await poll('the control plane serves', () => (existsSync(layout.adminKubeconfig) && existsSync(layout.endpoint) ? true : undefined))
    const readFile = (path: string): string | undefined => (existsSync(path) ? readFileSync(path, 'utf8') : undefined)
    const access = accessOf(loadKubeconfig([layout.adminKubeconfig], readFile), { readFile, clock: systemClock })
    client = createClient(createHttpsTransport({ ...access, clock: systemClock, random: Math.random }))
    const token = /--token (\S+)/.exec(String(execFileSync(process.execPath, [BIN, 'token', 'create', '--data-dir', dir])))?.[1] ?? ''
    node = start('node', '--name', 'n1', '--token', token)
    await poll('the node has a certificate', () => (existsSync(join(layout.node('n1').state, 'identity.json')) ? true : undefined))
    resolver = new Resolver({ timeout: 3_000, tries: 1 })
    resolver.setServers([`127.0.0.1:${port}`])
    upstream = await startUpstream()
    stopDns = supervise([])
    await poll('DNS answers', () => resolver.resolve4('kubernetes.default.svc.cluster.local'))
  })
  afterAll(async () => {
    await stopDns()
    upstream?.close()
    await client?.transport.close()
    for (const child of [controlPlane, node]) {
      if (child?.exitCode !== null || child.signalCode !== null) continue
      child.kill('SIGKILL')
      await once(child, 'exit')
    }
    rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 50 })
  })

  /** What the agent of a node does. @returns what ends it, and DNS too unless that is to be left */
  function supervise(flags: readonly string[]): (leave?: 'leave') => Promise<void> {
    const controller = new AbortController()
    let leaves = false
    const { server, caCertificate } = JSON.parse(readFileSync(dataLayout(dir).endpoint, 'utf8')) as {
      server: string
      caCertificate: string
    }
    expect(caCertificate).toContain('CERTIFICATE')
    const options = dnsCompanion({
      self: [process.execPath, BIN],
      dataDir: dir,
      name: 'n1',
      server,
      caFile: join(dataLayout(dir).pki, 'ca.crt'),
      listen: [{ host: '127.0.0.1', port }],
      domain: 'cluster.local',
      reverseRanges: [],
      flags: ['--upstream=127.0.0.1:9', ...flags],
      env: { PATH: process.env['PATH'] },
      clock: systemClock,
      random: Math.random,
      log: silentLogger,
      stopAtEnd: () => !leaves,
    })
    const running = superviseCompanion(options, controller.signal)
    return (leave) => {
      leaves = leave === 'leave'
      controller.abort()
      return running
    }
  }

  /** Answers every question of a stub domain with one address. */
  async function startUpstream(): Promise<Socket> {
    const socket = createSocket('udp4')
    socket.on('message', (bytes, remote) => {
      const { id, questions = [] } = dnsPacket.decode(bytes)
      const answers = questions.map(({ name }) => ({ type: 'A' as const, name, ttl: 1, data: '192.0.2.9' }))
      socket.send(dnsPacket.encode({ id, type: 'response', questions, answers }), remote.port, remote.address)
    })
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', () => resolve()))
    return socket
  }

  test('services and endpoints are answered as they change', async () => {
    const port = { name: 'http', port: 80, protocol: 'TCP' }
    await client.of(services).create({ metadata: { name: 'web' }, spec: { ports: [port] } } as never, NAMESPACE)
    const ip = (await client.of(services).get('web', NAMESPACE)).spec?.clusterIP
    expect(await poll('the service has a name', () => resolver.resolve4('web.default.svc.cluster.local'))).toEqual([ip])
    expect(await resolver.reverse(ip ?? '')).toEqual(['web.default.svc.cluster.local'])
    await client.of(services).create({ metadata: { name: 'db' }, spec: { clusterIP: 'None', ports: [port] } } as never, NAMESPACE)
    const slice = {
      metadata: { name: 'db-1', labels: { 'kubernetes.io/service-name': 'db' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: ['127.64.9.1'], hostname: 'db-0', conditions: { ready: true } }],
      ports: [port],
    }
    await client.of(endpointSlices).create(slice as never, NAMESPACE)
    expect(await poll('the endpoint has a name', () => resolver.resolve4('db-0.db.default.svc.cluster.local'))).toEqual(['127.64.9.1'])
    await client.of(endpointSlices).delete('db-1', NAMESPACE)
    await poll('the endpoint is gone', async () =>
      (await codeOf(resolver.resolve4('db.default.svc.cluster.local'))) === 'ENOTFOUND' ? true : undefined,
    )
  })

  test('forwarding follows the ConfigMap kube-system/biplane-dns', async () => {
    const data = { stubDomains: JSON.stringify({ 'corp.test': [`127.0.0.1:${upstream.address().port}`] }) }
    await client.of(configMaps).create({ metadata: { name: 'biplane-dns' }, data } as never, { namespace: 'kube-system' })
    expect(await poll('the stub domain answers', () => resolver.resolve4('x.corp.test'))).toEqual(['192.0.2.9'])
  })

  test('kill -9 of control plane and agent, and a DNS process that hands over to another: no question is lost', async () => {
    await poll('what is known is on disk', () => {
      const text = readFileSync(join(dataLayout(dir).node('n1').state, 'dns/services.json'), 'utf8')
      return text.includes('"web"') && text.includes('"db"') ? true : undefined
    })
    const expected = (await resolver.resolve4('web.default.svc.cluster.local'))[0] ?? ''
    const at = { server: '127.0.0.1', port, name: 'web.default.svc.cluster.local', expected }
    const start = (argv: readonly string[]): ChildProcess =>
      spawn(argv[0] as string, argv.slice(1), { stdio: ['ignore', 'pipe', 'inherit'] })
    const floods = [startFlood({ ...at, transport: 'udp' }, start), startFlood({ ...at, transport: 'tcp', concurrency: 5 }, start)]
    let results: readonly FloodResult[] = []
    try {
      await floodsGoOn(floods)
      for (const child of [node, controlPlane]) {
        child.kill('SIGKILL')
        await once(child, 'exit')
      }
      expect(await resolver.resolve4('x.corp.test')).toEqual(['192.0.2.9'])
      // an agent of a newer version wants other flags: a second process takes over, with no control plane to ask
      const before = record().running?.pid
      await stopDns('leave')
      stopDns = supervise(['--ttl=7'])
      await poll('another process is on record', () =>
        record().running?.pid !== before && record().successor === undefined ? true : undefined,
      )
      const answers = await poll('the new process answers', async () => {
        const found = await resolver.resolve4('web.default.svc.cluster.local', { ttl: true })
        return found[0]?.ttl === 7 ? found : undefined
      })
      expect(answers).toEqual([{ address: expected, ttl: 7 }])
      expect(await resolver.resolve4('x.corp.test')).toEqual(['192.0.2.9'])
      await floodsGoOn(floods)
    } finally {
      results = await Promise.all(floods.map((flood) => flood.stop()))
    }
    process.stdout.write(`asked without control plane: udp ${results[0]?.asked}, tcp ${results[1]?.asked}\n`)
    for (const { asked, failures } of results) {
      expect(asked).toBeGreaterThan(100)
      expect(failures).toEqual({})
    }
  })

  test('kill -9 of the DNS process: another one answers, without control plane', async () => {
    const before = record().running?.pid ?? 0
    process.kill(before, 'SIGKILL')
    await poll('another process is on record', () => (record().running && record().running?.pid !== before ? true : undefined))
    expect(await poll('it answers', () => resolver.resolve4('web.default.svc.cluster.local'))).toHaveLength(1)
    expect(await codeOf(resolver.resolve4('gone.default.svc.cluster.local'))).toBe('ENOTFOUND')
  })
})

const codeOf = (work: Promise<unknown>): Promise<string | undefined> =>
  work.then(
    () => undefined,
    (error: NodeJS.ErrnoException) => error.code,
  )
