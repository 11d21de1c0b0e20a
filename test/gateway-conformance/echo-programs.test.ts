import { spawn, type ChildProcess } from 'node:child_process'
import { createSocket } from 'node:dgram'
import { get, type IncomingHttpHeaders } from 'node:http'
import { connect } from 'node:http2'
import { createConnection } from 'node:net'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { credentials, makeGenericClientConstructor, Metadata, status, type ServiceError } from '@grpc/grpc-js'
import protobuf from 'protobufjs'
import { afterEach, describe, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'

/** The programs that stand for the images of Gateway API's conformance suite, in the suite's own terms. */

const PROGRAMS = fileURLToPath(new URL('programs/', import.meta.url))
const HOST = '127.0.0.1'

const children: ChildProcess[] = []
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** Starts a program; resolves once it listens on `ports` ports. */
async function start(
  program: string,
  options: { readonly env?: Readonly<Record<string, string>>; readonly args?: readonly string[]; readonly ports: number },
): Promise<void> {
  const child = spawn(process.execPath, [`${PROGRAMS}${program}`, ...(options.args ?? [])], {
    env: { HOST, POD_NAME: 'pod-1', NAMESPACE: 'ns-1', ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  children.push(child)
  await new Promise<void>((resolve, reject) => {
    let said = ''
    const hear = (chunk: Buffer): void => {
      said += chunk.toString()
      if (said.split('listening on port').length > options.ports) resolve()
    }
    child.stdout?.on('data', hear)
    child.stderr?.on('data', hear)
    child.once('exit', (code) => reject(new Error(`${program} ended with ${code}: ${said}`)))
  })
}

async function run(args: readonly string[]): Promise<string> {
  const child = spawn(process.execPath, [`${PROGRAMS}client.mjs`, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  children.push(child)
  return await text(child.stdout)
}

function fetchText(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<{ status: number; headers: IncomingHttpHeaders; body: string }> {
  return new Promise((resolve, reject) => {
    get(url, { headers, agent: false }, (response) => {
      text(response).then((body) => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }), reject)
    }).on('error', reject)
  })
}

describe('echo-basic over HTTP', () => {
  async function startHttp(): Promise<{ readonly plain: string; readonly h2c: string; readonly httpPort: string }> {
    const [http, h2c] = [String(await freePort()), String(await freePort())]
    await start('basic.mjs', { env: { HTTP_PORT: http, H2C_PORT: h2c }, ports: 2 })
    return { plain: `http://${HOST}:${http}`, h2c: `http://${HOST}:${h2c}`, httpPort: http }
  }

  test('says what was asked, and sets the headers that it is told to', async () => {
    const { plain, httpPort } = await startHttp()
    const { headers, body } = await fetchText(`${plain}/a//b?x=1`, {
      host: 'example.com',
      'x-twice': 'a',
      'x-echo-set-header': 'X-One:a, x-two: b,X-One:c',
    })
    expect(JSON.parse(body)).toEqual({
      path: '/a//b?x=1',
      host: 'example.com',
      method: 'GET',
      proto: 'HTTP/1.1',
      headers: { 'X-Twice': ['a'], 'X-Echo-Set-Header': ['X-One:a, x-two: b,X-One:c'], Connection: ['close'] },
      httpPort,
      namespace: 'ns-1',
      ingress: '',
      service: '',
      pod: 'pod-1',
    })
    expect(headers).toMatchObject({ 'x-one': 'a,c', 'x-two': 'b', 'content-type': 'application/json' })
  })

  test('answers with the status that is asked for, and is healthy', async () => {
    const { plain } = await startHttp()
    expect((await fetchText(`${plain}/status/503`)).status).toBe(503)
    expect((await fetchText(`${plain}/status/x`)).status).toBe(400)
    expect(await fetchText(`${plain}/health`)).toMatchObject({ status: 200, body: 'OK' })
  })

  test('fails as often as asked before it succeeds', async () => {
    const { plain } = await startHttp()
    const byCode = `${plain}/retry/a?uuid=1&succeedAfter=2&responseCode=502`
    const statuses = [await fetchText(byCode), await fetchText(byCode), await fetchText(byCode)].map((answer) => answer.status)
    expect(statuses).toEqual([502, 502, 200])
    const byReset = `${plain}/retry/a?uuid=2&succeedAfter=1`
    await expect(fetchText(byReset)).rejects.toMatchObject({ code: 'ECONNRESET' })
    expect((await fetchText(byReset)).status).toBe(200)
    expect((await fetchText(`${plain}/retry/a?uuid=3`)).status).toBe(400)
  })

  test('waits as long as asked', async () => {
    const { plain } = await startHttp()
    const before = performance.now()
    expect((await fetchText(`${plain}/?delay=150ms`)).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThan(149)
    expect((await fetchText(`${plain}/?delay=soon`)).status).toBe(500)
  })

  test('speaks HTTP/2 without TLS on a port of its own', async () => {
    const { h2c } = await startHttp()
    const session = connect(h2c)
    const stream = session.request({ ':path': '/x' })
    expect(JSON.parse(await text(stream))).toMatchObject({ path: '/x', proto: 'HTTP/2.0', pod: 'pod-1' })
    session.close()
  })

  test('sends messages of a WebSocket back', async () => {
    const { httpPort } = await startHttp()
    const socket = createConnection(Number(httpPort), HOST)
    const key = 'dGhlIHNhbXBsZSBub25jZQ=='
    const head = [
      'GET /ws HTTP/1.1',
      'host: a',
      'upgrade: websocket',
      'connection: Upgrade',
      `sec-websocket-key: ${key}`,
      'sec-websocket-version: 13',
    ]
    // "hi" under a mask of zeros, then a close
    socket.write(`${head.join('\r\n')}\r\n\r\n`)
    socket.write(Buffer.from([0x81, 0x82, 0, 0, 0, 0, 104, 105, 0x88, 0x80, 0, 0, 0, 0]))
    const [answer = '', frames] = (await text(socket.setEncoding('latin1'))).split('\r\n\r\n')
    expect(answer).toContain('Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=')
    expect(frames).toBe('\x81\x02hi\x88\x00')
  })
})

test('echo-basic over gRPC: what was asked, and a method that is not there', async () => {
  const port = String(await freePort())
  await start('basic.mjs', { env: { GRPC_ECHO_SERVER: '1', HTTP_PORT: port }, ports: 1 })
  const { root } = protobuf.parse(`syntax = "proto3";
    message Header { string key = 1; string value = 2; }
    message Context { string namespace = 1; string ingress = 2; string service_name = 3; string pod = 4; }
    message Assertions { string fully_qualified_method = 1; repeated Header headers = 2; string authority = 3; Context context = 4; }
    message EchoResponse { Assertions assertions = 1; }`)
  const type = root.lookupType('EchoResponse')
  const Client = makeGenericClientConstructor({}, 'GrpcEcho')
  const client = new Client(`${HOST}:${port}`, credentials.createInsecure())
  const metadata = new Metadata()
  metadata.set('x-color', 'blue')
  const ask = (method: string): Promise<object> =>
    new Promise((resolve, reject) => {
      const identity = (bytes: Buffer): Buffer => bytes
      client.makeUnaryRequest(
        `/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/${method}`,
        identity,
        identity,
        Buffer.alloc(0),
        metadata,
        {},
        (error: ServiceError | null, bytes?: Buffer) =>
          error ? reject(error) : resolve(type.toObject(type.decode(bytes ?? Buffer.alloc(0)), { defaults: true })),
      )
    })
  expect(await ask('EchoTwo')).toMatchObject({
    assertions: {
      fullyQualifiedMethod: '/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho/EchoTwo',
      headers: expect.arrayContaining([{ key: 'x-color', value: 'blue' }]),
      authority: `${HOST}:${port}`,
      context: { namespace: 'ns-1', pod: 'pod-1' },
    },
  })
  await expect(ask('EchoThree')).rejects.toMatchObject({ code: status.UNIMPLEMENTED })
  client.close()
})

test('echo-basic over TCP: a welcome, then an answer to each line', async () => {
  const port = String(await freePort())
  await start('basic.mjs', { env: { TCP_ECHO_SERVER: '1', TCP_PORT: port }, ports: 1 })
  const socket = createConnection(Number(port), HOST)
  socket.end('TEST\nother\nIS_TLS\nPING\n')
  const [welcome, facts = '', ...others] = (await text(socket)).trim().split('\n')
  expect(welcome).toBe('Gateway API Test TCP Server')
  expect(JSON.parse(facts)).toEqual({
    namespace: 'ns-1',
    ingress: '',
    service: '',
    pod: 'pod-1',
    tcpport: port,
    tlsport: '8443',
    isTLS: false,
  })
  expect(others).toEqual(['false', 'PONG'])
})

test('echo-basic over UDP: every datagram back', async () => {
  const port = String(await freePort())
  await start('basic.mjs', { env: { UDP_ECHO_SERVER: '1', UDP_PORT: port }, ports: 1 })
  const socket = createSocket('udp4')
  const answer = new Promise<Buffer>((resolve) => socket.once('message', resolve))
  socket.send('hello', Number(port), HOST)
  expect(JSON.parse(String(await answer))).toEqual({ request: 'hello', namespace: 'ns-1', ingress: '', service: '', pod: 'pod-1' })
  socket.close()
})

test('echo-advanced and its client: what was asked in lines, over HTTP and gRPC, hundreds in short', async () => {
  const [http, grpc, tcp, tls] = [String(await freePort()), String(await freePort()), String(await freePort()), String(await freePort())]
  const args = [
    `--tcp=${tcp}`,
    `--port=${http}`,
    `--grpc=${grpc}`,
    `--port=${tls}`,
    `--tls=${tls}`,
    '--crt=/nowhere.crt',
    '--key=/nowhere.key',
  ]
  await start('advanced.mjs', { args, ports: 3 })
  const answer = await run([`http://${HOST}:${http}/path?headers=X-A:b`, '--method=POST', '-H', 'X-Foo:bar'])
  const lines = answer.split('\n')
  expect(lines).toEqual(
    expect.arrayContaining([
      '[0] StatusCode=200',
      '[0] ResponseHeader=X-A:b',
      '[0 body] URL=/path',
      '[0 body] Method=POST',
      '[0 body] RequestHeader=X-Foo:bar',
      '[0 body] Hostname=pod-1',
    ]),
  )
  const overGrpc = await run([`grpc://${HOST}:${grpc}`, '-H', 'X-Foo:bar'])
  expect(overGrpc).toContain('StatusCode=200')
  expect(overGrpc).toContain('Proto=GRPC')
  expect(overGrpc).toContain('RequestHeader=X-Foo:bar')
  const many = await run([`http://${HOST}:${http}/`, '--count=50'])
  expect(many.trim().split('\n\n')).toEqual(Array(50).fill('StatusCode=200\nHostname=pod-1'))
})

test('echo-advanced without arguments listens where its image does', async () => {
  const host = '127.0.0.77'
  await start('advanced.mjs', { env: { HOST: host }, ports: 3 })
  expect(await run([`http://${host}:8080/`])).toContain('ServicePort=8080')
  expect(await run([`grpc://${host}:7070`])).toContain('ServicePort=7070')
  const socket = createConnection(9090, host)
  socket.write('hello')
  expect(await text(socket)).toContain('ServicePort=9090')
})
