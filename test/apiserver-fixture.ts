import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect as tlsConnect, type ConnectionOptions, type TLSSocket } from 'node:tls'
import { BUILT_IN_KINDS } from '../src/api/index.ts'
import { systemClock } from '../src/base/clock.ts'
import type { LogFields, Logger } from '../src/base/log.ts'
import { createMetrics, type Metrics } from '../src/base/metrics.ts'
import type { Handler } from '../src/control-plane/apiserver/contract.ts'
import { createApiServer, type ApiServer, type ApiServerOptions } from '../src/control-plane/apiserver/index.ts'

export interface KeyPair {
  readonly key: string
  readonly cert: string
}

export interface TestPki {
  readonly ca: string
  readonly server: KeyPair
  client(commonName: string, organizations: readonly string[], options?: { readonly days?: number; readonly foreign?: boolean }): KeyPair
  remove(): void
}

/** A throw-away CA made with openssl. */
export function createTestPki(): TestPki {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-pki-'))
  const file = (name: string): string => join(dir, name)
  // arguments hold no spaces
  const openssl = (line: string): void => void execFileSync('openssl', line.split(' '), { stdio: 'pipe' })
  const newKey = '-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes'
  const authority = (name: string): void =>
    openssl(`req -x509 ${newKey} -days 2 -subj /CN=${name} -keyout ${file(`${name}.key`)} -out ${file(`${name}.crt`)}`)
  authority('ca')
  authority('foreign')
  let serial = 0
  const issue = (subject: string, extensions: string, options: { days?: number; foreign?: boolean } = {}): KeyPair => {
    const id = String(++serial)
    const signer = options.foreign ? 'foreign' : 'ca'
    writeFileSync(file(`${id}.ext`), extensions)
    const [key, request, extension, certificate] = ['key', 'csr', 'ext', 'crt'].map((ending) => file(`${id}.${ending}`))
    openssl(`req ${newKey} -subj ${subject} -keyout ${key} -out ${request}`)
    const signed = `-CA ${file(`${signer}.crt`)} -CAkey ${file(`${signer}.key`)} -set_serial ${id} -days ${options.days ?? 1}`
    openssl(`x509 -req -in ${request} ${signed} -extfile ${extension} -out ${certificate}`)
    return { key: readFileSync(file(`${id}.key`), 'utf8'), cert: readFileSync(file(`${id}.crt`), 'utf8') }
  }
  return {
    ca: readFileSync(file('ca.crt'), 'utf8'),
    server: issue('/CN=apiserver', 'subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth'),
    client: (commonName, organizations, options) =>
      issue(`/${[...organizations.map((name) => `O=${name}`), `CN=${commonName}`].join('/')}`, 'extendedKeyUsage=clientAuth', options),
    remove: () => rmSync(dir, { recursive: true, force: true }),
  }
}

export const ADMIN_TOKEN = 'admin-token'
export const NODE_TOKEN = 'node-token'
const USER_TOKEN = 'user-token'

export interface Fixture {
  readonly server: ApiServer
  readonly port: number
  readonly pki: TestPki
  readonly metrics: Metrics
  /** What was logged as warning or error. */
  readonly lines: { readonly message: string; readonly fields: LogFields | undefined }[]
  /** A raw TLS connection that speaks HTTP/1.1. */
  open(options?: ConnectionOptions): Promise<TLSSocket>
  close(): Promise<void>
}

/** An API server on a free loopback port whose resources are answered by `resources`. */
export async function startFixture(resources: Handler, options: Partial<ApiServerOptions> = {}): Promise<Fixture> {
  const pki = createTestPki()
  const metrics = createMetrics()
  const lines: { message: string; fields: LogFields | undefined }[] = []
  const server = createApiServer({
    resources,
    kinds: () => BUILT_IN_KINDS,
    certificate: { ...pki.server, clientCa: pki.ca },
    clock: systemClock,
    log: recordingLogger(lines),
    metrics,
    authentication: {
      tokens: [
        { token: ADMIN_TOKEN, user: { name: 'admin', groups: ['system:masters'] } },
        { token: NODE_TOKEN, user: { name: 'system:node:n1', groups: ['system:nodes'] } },
        { token: USER_TOKEN, user: { name: 'jane', groups: [] } },
      ],
    },
    ...options,
  })
  const { port } = await server.start('127.0.0.1', 0)
  return {
    server,
    port,
    pki,
    metrics,
    lines,
    open: (tls) => openTls({ port, ca: pki.ca, ALPNProtocols: ['http/1.1'], ...tls }),
    async close() {
      await server.stop({ graceMs: 500 })
      pki.remove()
    },
  }
}

export function openTls(options: ConnectionOptions): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = tlsConnect({ host: '127.0.0.1', ...options }, () => {
      socket.off('error', reject)
      socket.on('error', () => {})
      resolve(socket)
    })
    socket.once('error', reject)
  })
}

/** Everything the server sends until it closes the connection, or for `quietMs` says nothing. */
export function readAll(socket: TLSSocket, quietMs: number = 2000): Promise<string> {
  return new Promise((resolve) => {
    let text = ''
    const done = (): void => {
      clearTimeout(timer)
      resolve(text)
    }
    const timer = setTimeout(done, quietMs)
    socket.on('data', (chunk: Buffer) => {
      text += chunk.toString('latin1')
      timer.refresh()
    })
    socket.once('close', done)
  })
}

function recordingLogger(lines: { message: string; fields: LogFields | undefined }[]): Logger {
  const record = (message: string, fields?: LogFields): void => void lines.push({ message, fields })
  const log: Logger = { debug: () => {}, info: () => {}, warn: record, error: record, child: () => log }
  return log
}
