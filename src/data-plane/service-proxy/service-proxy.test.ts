import { createSocket, type Socket as UdpSocket } from 'node:dgram'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { once } from 'node:events'
import { afterEach, expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../../api/generated/types.ts'
import { systemClock } from '../../base/clock.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import { silentLogger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import { Balancer } from './balancer.ts'
import { ServiceProxy, type ChangingList } from './service-proxy.ts'

// sockets on loopback addresses of this file's own
const HOST = '127.0.0.1'

class Changing<T> implements ChangingList<T> {
  #items: readonly T[] = []
  readonly #listeners = new Set<() => void>()
  list(): readonly T[] {
    return this.#items
  }
  onChange(fn: () => void): () => void {
    this.#listeners.add(fn)
    return () => this.#listeners.delete(fn)
  }
  set(...items: readonly T[]): void {
    this.#items = items
    for (const listener of this.#listeners) listener()
  }
}

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

/** A backend that says its name, then echoes. */
async function backend(name: string, onConnection?: (socket: Socket) => void): Promise<number> {
  const sockets = new Set<Socket>()
  const server: Server = createServer({ allowHalfOpen: true }, (socket) => {
    sockets.add(socket)
    socket.on('error', () => {})
    if (onConnection) return onConnection(socket)
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  server.listen(0, HOST)
  await once(server, 'listening')
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy()
    return new Promise((resolve) => server.close(resolve))
  })
  return (server.address() as AddressInfo).port
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, HOST)
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

class Fixture {
  readonly services = new Changing<Service>()
  readonly slices = new Changing<EndpointSlice>()
  readonly port: number
  readonly protocol: 'TCP' | 'UDP'
  readonly warnings: string[] = []
  readonly #more: object

  constructor(port: number, protocol: 'TCP' | 'UDP', more: object) {
    this.port = port
    this.protocol = protocol
    this.#more = more
    const stop = new AbortController()
    const proxy = new ServiceProxy({
      services: this.services,
      endpointSlices: this.slices,
      node: { name: 'n1', addresses: [] },
      clock: systemClock,
      log: silentLogger,
      metrics: createMetrics(),
      warn: (service, reason, message) => this.warnings.push(`${service.metadata.name} ${reason}: ${message}`),
    })
    const done = proxy.run(stop.signal)
    cleanups.push(async () => {
      stop.abort()
      await done
    })
  }

  serve(...backends: readonly number[]): void {
    const ports = [{ port: this.port, protocol: this.protocol }]
    this.services.set({ metadata: { name: 'web', namespace: 'd' }, spec: { clusterIP: HOST, clusterIPs: [HOST], ports, ...this.#more } })
    // one slice for each, for each has a port of its own
    this.slices.set(
      ...backends.map((port, i) => ({
        metadata: { name: `s${i}`, namespace: 'd', labels: { 'kubernetes.io/service-name': 'web' } },
        addressType: 'IPv4',
        endpoints: [{ addresses: [HOST] }],
        ports: [{ port, protocol: this.protocol }],
      })),
    )
  }

  async open(): Promise<Client> {
    for (let tries = 0; ; tries++) {
      const socket = connect({ port: this.port, host: HOST, allowHalfOpen: true })
      try {
        await once(socket, 'connect')
        const client = new Client(socket)
        cleanups.push(() => socket.destroy())
        return client
      } catch (error) {
        if (tries === 100) throw error
        await new Promise((resolve) => setTimeout(resolve, 10))
      }
    }
  }
}

class Client {
  readonly socket: Socket
  #text = ''
  error: NodeJS.ErrnoException | undefined
  ended = false
  readonly #closed: Promise<unknown>

  constructor(socket: Socket) {
    this.socket = socket
    socket.setEncoding('utf8')
    socket.on('data', (text: string) => (this.#text += text))
    socket.on('error', (error) => (this.error = error))
    socket.on('end', () => (this.ended = true))
    this.#closed = new Promise((resolve) => socket.on('close', resolve))
  }

  async line(): Promise<string> {
    while (!this.#text.includes('\n'))
      await Promise.race([once(this.socket, 'data'), this.#closed.then(() => Promise.reject(this.error ?? new Error('closed')))])
    const at = this.#text.indexOf('\n')
    const line = this.#text.slice(0, at)
    this.#text = this.#text.slice(at + 1)
    return line
  }

  async closed(): Promise<string> {
    await this.#closed
    return this.error?.code ?? 'end'
  }
}

async function fixture(protocol: 'TCP' | 'UDP' = 'TCP', more: object = {}): Promise<Fixture> {
  return new Fixture(await freePort(), protocol, more)
}

/** How a connection to the port ends that says nothing: the code of its error, or `end`. */
function outcome(port: number): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, HOST)
    let code = 'end'
    socket.on('error', (error: NodeJS.ErrnoException) => (code = error.code ?? error.message))
    socket.on('close', () => resolve(code))
    socket.on('data', () => socket.end())
    socket.resume()
  })
}

test('relays both ways, round robin', async () => {
  const web = await fixture()
  web.serve(await backend('a'), await backend('b'))
  const seen = new Set<string>()
  for (let i = 0; i < 4; i++) {
    const client = await web.open()
    seen.add(await client.line())
    client.socket.write('hello\n')
    expect(await client.line()).toBe('hello')
  }
  expect([...seen].sort()).toEqual(['a', 'b'])
})

test('a half that is closed leaves the other half open', async () => {
  const web = await fixture()
  const port = await backend('', (socket) => {
    let text = ''
    socket.on('data', (chunk) => (text += chunk.toString()))
    socket.on('end', () => socket.end(`got ${text}\n`))
  })
  web.serve(port)
  const client = await web.open()
  client.socket.end('all of it')
  expect(await client.line()).toBe('got all of it')
  expect(await client.closed()).toBe('end')
})

test('a backend that refuses is passed over', async () => {
  const web = await fixture()
  web.serve(await freePort(), await backend('b'))
  for (let i = 0; i < 4; i++) expect(await (await web.open()).line()).toBe('b')
})

test.each([
  ['no backend', async (web: Fixture) => web.serve()],
  ['no backend that accepts', async (web: Fixture) => web.serve(await freePort())],
])('%s: the connection is reset', async (_name, serve) => {
  const web = await fixture()
  await serve(web)
  await expect.poll(() => outcome(web.port)).toBe('ECONNRESET')
})

test('a reset travels through, either way', async () => {
  const web = await fixture()
  let other: Socket | undefined
  web.serve(await backend('', (socket) => void (other = socket)))
  const first = await web.open()
  await expect.poll(() => other).toBeDefined()
  other?.resetAndDestroy()
  expect(await first.closed()).toBe('ECONNRESET')
  other = undefined
  const second = await web.open()
  await expect.poll(() => other).toBeDefined()
  const gone = new Promise((resolve) => other?.on('close', resolve))
  second.socket.resetAndDestroy()
  await gone
})

test('a standing connection outlives its endpoint, and its service', async () => {
  const web = await fixture()
  const [a, b] = [await backend('a'), await backend('b')]
  web.serve(a)
  const old = await web.open()
  expect(await old.line()).toBe('a')
  web.serve(b)
  await expect.poll(async () => (await web.open()).line()).toBe('b')
  old.socket.write('still here\n')
  expect(await old.line()).toBe('still here')
  web.services.set()
  await expect.poll(() => outcome(web.port)).toBe('ECONNREFUSED')
  old.socket.write('and here\n')
  expect(await old.line()).toBe('and here')
})

test('a client that goes while its backend is dialled leaves no connection behind', async () => {
  const web = await fixture()
  const open = new Set<Socket>()
  web.serve(
    await backend('', (socket) => {
      open.add(socket)
      socket.resume().on('close', () => open.delete(socket))
    }),
  )
  await web.open()
  for (let i = 0; i < 20; i++) {
    const socket: Socket = connect(web.port, HOST)
    socket.on('error', () => {})
    socket.on('connect', () => socket.resetAndDestroy())
  }
  // the one that is open still, and those that never came so far
  await expect.poll(() => open.size, { timeout: 5_000 }).toBe(1)
})

test('a thousand connections at once', async () => {
  const web = await fixture()
  web.serve(await backend('a'), await backend('b'), await backend('c'))
  await web.open()
  const clients = await Promise.all(Array.from({ length: 1_000 }, () => web.open()))
  const names = await Promise.all(clients.map((client) => client.line()))
  expect(names.filter((name) => name === 'a').length).toBeGreaterThan(300)
  for (const [i, client] of clients.entries()) client.socket.write(`${i}\n`)
  expect(await Promise.all(clients.map((client) => client.line()))).toEqual(clients.map((_, i) => String(i)))
}, 30_000)

test('a port that is in use is told of once, and served once it is free', async () => {
  const port = await freePort()
  const squatter = createServer().listen(port, HOST)
  await once(squatter, 'listening')
  const web = new Fixture(port, 'TCP', {})
  web.serve(await backend('a'))
  await expect.poll(() => web.warnings.length).toBe(1)
  web.services.set(...web.services.list())
  expect(web.warnings).toEqual([expect.stringMatching(/^web PortNotOpened: node n1 cannot open TCP\/127\.0\.0\.1:\d+: .*EADDRINUSE/)])
  await new Promise((resolve) => squatter.close(resolve))
  web.services.set(...web.services.list())
  expect(await (await web.open()).line()).toBe('a')
})

test('client affinity keeps a client, until its backend or its time is gone', async () => {
  const clock = new FakeClock()
  const balancer = new Balancer(clock)
  const [a, b, c] = ['a', 'b', 'c'].map((host) => ({ host, port: 1 })) as [Backendish, Backendish, Backendish]
  balancer.update([a, b, c], 10_000)
  const taken = balancer.pick('me')[0] as Backendish
  balancer.connected('me', taken)
  balancer.pick('other')
  expect(balancer.pick('me')[0]).toBe(taken)
  expect(balancer.pick('me').length).toBe(3)
  balancer.update(
    [a, b, c].filter((one) => one !== taken),
    10_000,
  )
  expect(balancer.pick('me')[0]).not.toBe(taken)
  balancer.update([a, b, c], 10_000)
  await clock.advance(10_000)
  const order = [1, 2, 3].map(() => balancer.pick('me')[0]?.host)
  expect(new Set(order).size).toBe(3)
})
type Backendish = { readonly host: string; readonly port: number }

async function udpBackend(name: string): Promise<number> {
  const socket = createSocket('udp4')
  socket.on('message', (message, remote) => socket.send(`${name}:${message.toString()}`, remote.port, remote.address))
  socket.bind(0, HOST)
  await once(socket, 'listening')
  cleanups.push(() => socket.close())
  return socket.address().port
}

test('UDP: a client keeps its backend until that is gone', async () => {
  const dns = await fixture('UDP')
  const [a, b] = [await udpBackend('a'), await udpBackend('b')]
  dns.serve(a)
  const client: UdpSocket = createSocket('udp4')
  cleanups.push(() => client.close())
  client.on('error', () => {})
  const ask = async (text: string): Promise<string> => {
    for (let tries = 0; tries < 200; tries++) {
      const answer = once(client, 'message') as Promise<[Buffer]>
      client.send(text, dns.port, HOST)
      const got = await Promise.race([answer, new Promise<undefined>((resolve) => setTimeout(resolve, 50, undefined))])
      if (got) return got[0].toString()
    }
    throw new Error('no answer')
  }
  expect(await ask('1')).toBe('a:1')
  dns.serve(a, b)
  expect(await ask('2')).toBe('a:2')
  dns.serve(b)
  await expect.poll(() => ask('3')).toBe('b:3')
})
