import { Agent, type ServerResponse } from 'node:http'
import type { ServerHttp2Stream } from 'node:http2'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { MESH_PORT, outboundName, type Protocol, type SocketAddress } from '../src/policy/traffic/model/index.ts'
import { Load } from './proxy-support/load.ts'
import { ask, askHttp2, until } from './proxy-support/peers.ts'
import { Pair } from './proxy-support/pair.ts'
import { endpoints, inbound, inboundTarget } from './proxy-support/resources.ts'
import { Sidecar, spiffeId } from './proxy-support/sidecar.ts'

let pair: Pair
beforeEach(async () => {
  pair = await new Pair(7).start()
})
afterEach(() => pair.close())

/** An application that anybody may call in plain text. */
function permissive(protocol: Protocol, app: SocketAddress): void {
  pair.serve(protocol, app, { mode: 'permissive' })
  pair.server.inboundTo = app
}

describe('a proxy that is told to stop', () => {
  it('answers what it has begun on HTTP/1.1, says that it closes, and takes nothing new', async () => {
    let held: ServerResponse | undefined
    const app = await pair.closers.http(pair.server.address, (request, response) => {
      if (request.url === '/held') held = response
      else response.end('at once')
    })
    permissive('http', app)
    const [busy, idle] = [await pair.closers.connect(pair.plain), await pair.closers.connect(pair.plain)]
    await idle.say('GET / HTTP/1.1\r\nhost: a\r\n\r\n').hears('at once')
    busy.say('GET /held HTTP/1.1\r\nhost: a\r\n\r\n')
    await until(() => held !== undefined)
    await pair.server.runtime.stopListening()
    // who says nothing has a second for a next request
    await idle.closed(3_000)
    await expect(pair.closers.connect(pair.plain)).rejects.toThrow(/ECONNREFUSED/)
    expect(busy.ended).toBeUndefined()
    held?.end('in the end')
    await busy.hears('in the end')
    expect(busy.text).toMatch(/\r\nconnection: close\r\n/i)
    await busy.closed(1_000)
    await until(() => pair.server.runtime.connections === 0)
  })

  it('reads a request to its end that is still being sent', async () => {
    const app = await pair.closers.http(pair.server.address, (request, response) => void request.pipe(response))
    permissive('http', app)
    const client = await pair.closers.connect(pair.plain)
    await client.say('POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 10\r\n\r\n12345').hears('12345')
    await pair.server.runtime.stopListening()
    await client.say('67890').hears('67890')
    await client.closed(1_000)
  })

  it('says GOAWAY on HTTP/2, and lets streams end', async () => {
    let held: ServerHttp2Stream | undefined
    const app = await pair.closers.http2(pair.server.address, (stream) => {
      stream.respond({ ':status': 200 })
      stream.write('begun ')
      held = stream
    })
    permissive('http2', app)
    const session = await pair.closers.session(pair.plain)
    const answer = askHttp2(session)
    await until(() => held !== undefined)
    const going = new Promise<number>((resolve) => session.on('goaway', resolve))
    const closed = new Promise((resolve) => session.on('close', resolve))
    await pair.server.runtime.stopListening()
    expect(await going).toBe(0)
    held?.end('ended')
    expect(await answer).toMatchObject({ status: 200, body: 'begun ended' })
    await closed
    await until(() => pair.server.runtime.connections === 0)
  })

  it('lets connections of bytes go on until they end by themselves', async () => {
    permissive('tcp', await pair.closers.tcp(pair.server.address, (socket) => void socket.pipe(socket)))
    const client = await (await pair.closers.connect(pair.plain)).say('before ').hears('before ')
    await pair.server.runtime.stopListening()
    await client.say('after').hears('before after')
    expect(pair.server.runtime.connections).toBe(1)
    client.socket.end()
    await client.closed(1_000)
    await until(() => pair.server.runtime.connections === 0)
  })

  it('ends what is left at once when it is closed', async () => {
    permissive('tcp', await pair.closers.tcp(pair.server.address, (socket) => void socket.pipe(socket)))
    const client = await (await pair.closers.connect(pair.plain)).say('x').hears('x')
    await pair.server.runtime.stopListening()
    await pair.server.runtime.close()
    await client.closed(1_000)
  })
})

describe('a connection whose listener is gone', () => {
  it('is still one of the proxy, and ends with it', async () => {
    const app = await pair.closers.tcp(pair.server.address, (socket) => void socket.pipe(socket))
    const vip = pair.service('tcp', app)
    const client = await (await pair.closers.connect(pair.dialed)).say('x').hears('x')
    pair.client.forget('listeners', outboundName(vip.address, vip.port))
    expect(pair.client.runtime.connections).toBe(1)
    await pair.client.runtime.close()
    await client.closed(1_000)
    await until(() => pair.client.runtime.connections === 0)
  })
})

describe('a pod that is going', () => {
  it('sends callers to other connections, and loses no request', async () => {
    const app = await pair.closers.http(
      pair.server.address,
      (request, response) => void request.resume().on('end', () => response.end('served')),
    )
    const vip = pair.service('http', app)
    const load = new Load(pair.dialed, 4, (i) => ({ body: 'x'.repeat((i * 997) % 50_000) }))
    await load.more(20)
    for (let i = 0; i < 5; i++) {
      pair.server.runtime.drainInbound()
      await load.more(10)
    }
    expect(await load.stop()).toEqual([])
    expect(pair.client.metric('envoy_cluster_upstream_cx_total', vip.address)).toBeGreaterThan(5)
  })

  it('goes on with calls that go out', async () => {
    const app = await pair.closers.http(pair.server.address, (_, response) => response.end('served'))
    pair.service('http', app)
    const agent = pair.closers.add(new Agent({ keepAlive: true, maxSockets: 1 }), (one) => one.destroy())
    await ask(pair.dialed, { agent })
    pair.client.tell({ settings: { draining: true } })
    const answer = await ask(pair.dialed, { agent })
    expect([answer.status, answer.headers.connection]).toEqual([200, undefined])
    expect(pair.client.metric('envoy_http_downstream_cx_total', 'outbound')).toBe(1)
  })

  it('is replaced by another one under load, and nobody notices', async () => {
    const other = await new Sidecar({ address: '127.91.7.3', account: 'db', mesh: pair.mesh }).start()
    pair.closers.add(other, (one) => one.close())
    const listener = (name: string) => (request: { resume(): { on(event: 'end', done: () => void): void } }, response: ServerResponse) =>
      request.resume().on('end', () => response.end(name))
    const [old, young] = [
      await pair.closers.http(pair.server.address, listener('old')),
      await pair.closers.http(other.address, listener('young')),
    ]
    const vip = pair.service('http', old)
    other.tell({ listeners: [inbound(young, 'http')], ...inboundTarget(young, 'http') })
    const load = new Load(pair.dialed, 4)
    await load.more(20)
    const of = (address: SocketAddress, state: 'ready' | 'draining' = 'ready') => ({
      address,
      state,
      identity: spiffeId('db'),
      meshPort: MESH_PORT,
    })
    pair.client.tell({ endpoints: [endpoints(vip.address, of(old), of(young))] })
    await load.more(20)
    pair.client.tell({ endpoints: [endpoints(vip.address, of(old, 'draining'), of(young))] })
    pair.server.runtime.drainInbound()
    await load.more(20)
    await pair.server.runtime.stopListening()
    await until(() => pair.server.runtime.connections === 0)
    await pair.server.runtime.close()
    pair.client.tell({ endpoints: [endpoints(vip.address, of(young))] })
    await load.more(20)
    expect(await load.stop()).toEqual([])
    expect(load.answers.slice(-10).map(({ body }) => body)).toEqual(Array.from({ length: 10 }, () => 'young'))
  })
})
