import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface, type Interface } from 'node:readline'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { ENVOY_TYPE } from '../src/control-plane/mesh/envoy/index.ts'
import { generateGrpc, type GrpcInput } from '../src/control-plane/mesh/grpc/index.ts'
import { grpcBootstrap } from '../src/policy/traffic/bootstrap/index.ts'
import { inboundName, type Rbac } from '../src/policy/traffic/model/index.ts'
import { GRPCIO } from './envoy-support/find-grpcio.ts'
import { meshCa, type Identity, type MeshCa } from './envoy-support/mesh-ca.ts'
import { cluster, endpoint, forward, http, outbound, route, routesOf, settings } from './envoy-support/samples.ts'
import { startXdsServer, type Resources, type XdsServer } from './envoy-support/xds-server.ts'
import { freePorts } from './support/free-port.ts'

const id = (account: string): string => `spiffe://mesh.test/ns/a/sa/${account}`
const allow = (account: string): Rbac => ({
  deny: [],
  shadowDeny: [],
  allow: [{ name: 'allow', principals: [{ spiffeId: { exact: id(account) } }], requests: [] }],
  otherwise: 'deny',
})

const toResources = (input: GrpcInput): Resources =>
  new Map(
    Object.entries(generateGrpc(input).resources).map(([type, list]) => [
      ENVOY_TYPE[type as keyof typeof ENVOY_TYPE].slice('type.googleapis.com/'.length),
      list,
    ]),
  )

type Language = 'Node' | 'C-core'

class Peer {
  readonly #child: ChildProcess
  readonly #lines: Interface
  readonly #answers: AsyncIterableIterator<string>
  #errors = ''

  constructor(language: Language, args: readonly string[], environment: Record<string, string>) {
    const [program, script] = language === 'Node' ? [process.execPath, 'grpc-peer.mjs'] : ['python3', 'grpc-peer.py']
    this.#child = spawn(program, [join(import.meta.dirname, 'envoy-support', script), ...args], {
      env: { ...process.env, ...(language === 'Node' ? {} : GRPCIO), GRPC_XDS_EXPERIMENTAL_RBAC: 'true', ...environment },
      stdio: ['pipe', 'pipe', 'pipe'],
    })
    this.#child.stderr?.on('data', (chunk: Buffer) => (this.#errors = (this.#errors + chunk.toString()).slice(-4000)))
    this.#lines = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream })
    this.#answers = this.#lines[Symbol.asyncIterator]() as AsyncIterableIterator<string>
  }

  async answer(): Promise<Record<string, unknown>> {
    const { value, done } = (await this.#answers.next()) as IteratorResult<string, undefined>
    if (done || value === undefined) throw new Error(`the peer has ended: ${this.#errors}`)
    return JSON.parse(value) as Record<string, unknown>
  }

  async calls(calls: number): Promise<Readonly<Record<string, number>>> {
    this.#child.stdin?.write(`${JSON.stringify({ calls })}\n`)
    return (await this.answer())['replies'] as Record<string, number>
  }

  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return
    const gone = new Promise((resolve) => this.#child.once('exit', resolve))
    this.#child.kill('SIGKILL')
    await gone
  }
}

const LANGUAGES: readonly Language[] = ['Node', 'C-core']

describe.each(LANGUAGES)('proxyless gRPC of %s does what is made for it', (language) => {
  const absent = language === 'C-core' && !GRPCIO
  // python3 with grpcio: pip install --target node_modules/.cache/biplane/python grpcio
  const run = test.skipIf(absent)

  const ca: MeshCa = meshCa('mesh.test')
  const folder = mkdtempSync(join(tmpdir(), 'grpc-xds-'))
  const peers: Peer[] = []
  let ads: XdsServer
  let ports: readonly number[] = []
  let base: GrpcInput

  function environment(name: string, identity: Identity): Record<string, string> {
    const file = (suffix: string, text: string): string => {
      const path = join(folder, `${name}.${suffix}`)
      writeFileSync(path, text)
      return path
    }
    const bootstrap = grpcBootstrap({
      id: name,
      server: ads.target,
      certificates: {
        certificateFile: file('pem', identity.certificate),
        keyFile: file('key', identity.privateKey),
        caFile: file('ca', ca.ca),
        refreshMs: 1000,
      },
    })
    return { NAME: name, GRPC_XDS_BOOTSTRAP_CONFIG: JSON.stringify(bootstrap) }
  }

  async function start(args: readonly string[], name: string, identity: Identity): Promise<Peer> {
    const peer = new Peer(language, args, environment(name, identity))
    peers.push(peer)
    expect(await peer.answer()).toEqual({ ready: true })
    return peer
  }

  beforeAll(async () => {
    if (absent) return
    ads = await startXdsServer({ port: 0 })
    ports = await freePorts(2)
    base = {
      settings: settings('grpc.test', ca.trust),
      place: { labels: {} },
      domain: 'cluster.local',
      listeners: [
        outbound(9000, { http: http('echo') }, { service: { namespace: 'a', name: 'echo', port: 9000 }, protocol: 'grpc' }),
        ...ports.map((port) => ({
          name: inboundName(port),
          direction: 'inbound' as const,
          address: { address: '127.0.0.1', port },
          protocol: 'grpc' as const,
          chains: [
            {
              name: 'mesh',
              match: { transport: ['mesh' as const] },
              tls: { mode: 'mesh' as const },
              http: http('inbound', { filters: [{ type: 'rbac' as const, name: 'rbac', rbac: allow('web') }] }),
            },
          ],
        })),
      ],
      routes: [routesOf('echo', [route('/demo.Echo', forward({ one: 80, two: 20 }))])],
      clusters: ['one', 'two'].map((name) => cluster(name, { protocol: 'http2', tls: { mode: 'mesh', identities: [] } })),
      endpoints: ['one', 'two'].map((name, index) => ({ name, endpoints: [endpoint(ports[index] ?? 0, { identity: id('echo') })] })),
    }
    ads.set(toResources(base))
    await start(['server', String(ports[0])], 'one', ca.identity(id('echo')))
    await start(['server', String(ports[1])], 'two', ca.identity(id('echo')))
  })
  afterAll(async () => {
    await Promise.all(peers.map((peer) => peer.stop()))
    await ads?.close()
    rmSync(folder, { recursive: true, force: true })
  })

  run('a split is one, over mutual TLS, by any of the names', async () => {
    const web = await start(['client', 'echo.a.svc.cluster.local:9000'], 'web', ca.identity(id('web')))
    const { 'one x': one = 0, 'two x': two = 0, ...others } = await web.calls(300)
    expect(others).toEqual({})
    expect(one + two).toBe(300)
    // 60 expected; five standard deviations of 6.9
    expect(two).toBeGreaterThan(25)
    expect(two).toBeLessThan(95)
    expect(ads.answers.filter(({ refused }) => refused !== undefined)).toEqual([])
    const short = await start(['client', 'echo.a:9000'], 'web-2', ca.identity(id('web')))
    expect(Object.keys(await short.calls(3)).filter((reply) => reply.startsWith('ERROR'))).toEqual([])
  })

  run('another identity is denied', async () => {
    const stranger = await start(['client', 'echo.a.svc.cluster.local:9000'], 'stranger', ca.identity(id('stranger')))
    const [reply = ''] = Object.keys(await stranger.calls(1))
    // PERMISSION_DENIED
    expect(reply).toMatch(/^ERROR 7 /)
  })

  run('a server with another identity than expected gets no call', async () => {
    ads.set(
      toResources({
        ...base,
        endpoints: base.endpoints.map((one) => ({ ...one, endpoints: one.endpoints.map((end) => ({ ...end, identity: id('imposter') })) })),
      }),
    )
    const web = await start(['client', 'echo.a.svc.cluster.local:9000'], 'web-3', ca.identity(id('web')))
    const [reply = ''] = Object.keys(await web.calls(1))
    // UNAVAILABLE
    expect(reply).toMatch(/^ERROR 14 /)
    ads.set(toResources(base))
  })
})
