import { createSocket, type RemoteInfo, type Socket } from 'node:dgram'
import { createServer, type Server } from 'node:net'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock, type Clock } from '../../../base/clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics, type Metrics } from '../../../base/metrics.ts'
import { ClientBudget } from '../server/client-budget.ts'
import { createDnsMeters } from '../server/dns-metrics.ts'
import { DnsServer } from '../server/dns-server.ts'
import { QueryHandler } from '../server/query-handler.ts'
import { CLASS_IN, FLAG, RCODE, TYPE } from '../wire/codes.ts'
import { decodeQuery } from '../wire/decode.ts'
import { encodeMessage, record } from '../wire/encode.ts'
import type { Query, Question } from '../wire/message.ts'
import { wireName } from '../wire/name.ts'
import { ZONE } from '../zone/fixture.ts'
import { ZoneKeeper } from '../zone/zone-keeper.ts'
import { Forwarder } from './forwarder.ts'
import type { Upstream } from './plan-forwarding.ts'

const question = (text: string): Question => ({ name: wireName(text), type: TYPE.A, class: CLASS_IN })
const WISHES = { dnssecOk: false, checkingDisabled: false }
const GOOD = Uint8Array.of(192, 0, 2, 1)
const BAD = Uint8Array.of(6, 6, 6, 6)

function reply(
  query: Query,
  data: Uint8Array,
  changes: {
    readonly id?: number
    readonly question?: Question
    readonly flags?: number
    readonly rcode?: number
    readonly ttl?: number
  } = {},
): Buffer {
  const asked = changes.question ?? query.question
  const rcode = changes.rcode ?? RCODE.NOERROR
  const answers = rcode === RCODE.NOERROR ? [record(asked.name, TYPE.A, changes.ttl ?? 60, data)] : []
  const bytes = encodeMessage({ id: changes.id ?? query.id, flags: FLAG.QR, rcode, question: asked, answers })
  if (changes.flags) bytes.writeUInt16BE(bytes.readUInt16BE(2) | changes.flags, 2)
  return bytes
}

/** Whether it has got the port. */
function listens(server: Server, port: number): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const failed = (error: NodeJS.ErrnoException): void => (error.code === 'EADDRINUSE' ? resolve(false) : reject(error))
    server.once('error', failed).listen(port, '127.0.0.1', () => {
      server.off('error', failed)
      resolve(true)
    })
  })
}

describe('asking others', () => {
  const open: (Socket | Server)[] = []
  let metrics: Metrics
  let forwarder: Forwarder
  let shiftMs = 0
  const clock: Clock = { ...systemClock, monotonic: () => systemClock.monotonic() + shiftMs }

  beforeEach(() => {
    shiftMs = 0
    metrics = createMetrics()
    forwarder = new Forwarder({
      clock,
      random: Math.random,
      randomId: () => Math.floor(Math.random() * 65_536),
      log: silentLogger,
      metrics,
      plan: { stubs: [], upstreams: [] },
      timeoutMs: 500,
    })
  })
  afterEach(() => {
    for (const each of open) each.close()
    open.length = 0
  })

  type Behave = (query: Query, from: RemoteInfo, send: (bytes: Uint8Array) => void) => void
  async function upstream(behave: Behave): Promise<Upstream & { readonly socket: Socket }> {
    const socket = createSocket('udp4')
    open.push(socket)
    socket.on('message', (bytes, from) => behave(decodeQuery(bytes), from, (each) => socket.send(each, from.port, from.address)))
    await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', () => resolve()))
    return { host: '127.0.0.1', port: socket.address().port, socket }
  }
  const use = (...upstreams: readonly Upstream[]): void =>
    forwarder.setPlan({ stubs: [], upstreams: upstreams.map(({ host, port }) => ({ host, port })) })
  const ask = async (name: string): Promise<readonly [rcode: number, data: Uint8Array | undefined]> => {
    const found = await forwarder.resolve(question(name), WISHES)
    return [found.rcode, found.answers[0] && new Uint8Array(found.answers[0].data)]
  }

  test('forged answers are ignored: of another id, question or port, and bytes that are none', async () => {
    const stranger = await upstream(() => {})
    use(
      await upstream((query, from, send) => {
        stranger.socket.send(reply(query, BAD), from.port, from.address)
        send(reply(query, BAD, { id: query.id ^ 1 }))
        send(reply(query, BAD, { question: question('other.example') }))
        send(Buffer.from('nonsense, and more than a header'))
        const query2 = reply(query, BAD)
        query2.writeUInt16BE(0x0100, 2)
        send(query2)
        // loopback keeps the order but across sockets: the stranger's is on its way
        setImmediate(() => send(reply(query, GOOD)))
      }),
    )
    expect(await ask('a.example')).toEqual([RCODE.NOERROR, GOOD])
  })

  test('an answer of a server that was asked before the plan changed is not kept, and nobody waits for it', async () => {
    let answerLate = (): void => {}
    let isAsked = (): void => {}
    const asked = new Promise<void>((resolve) => (isAsked = resolve))
    use(
      await upstream((query, _from, send) => {
        answerLate = (): void => send(reply(query, BAD))
        isAsked()
      }),
    )
    const before = ask('a.example')
    await asked
    use(await upstream((query, _from, send) => send(reply(query, GOOD))))
    expect(await ask('a.example')).toEqual([RCODE.NOERROR, GOOD])
    answerLate()
    await before
    expect(new Uint8Array(forwarder.cached(question('a.example'), WISHES)?.answers[0]?.data ?? [])).toEqual(GOOD)
  })

  test('ids and ports are not to be guessed', async () => {
    const ids = new Set<number>()
    const ports = new Set<number>()
    use(
      await upstream((query, from, send) => {
        ids.add(query.id)
        ports.add(from.port)
        send(reply(query, GOOD))
      }),
    )
    await Promise.all(Array.from({ length: 40 }, (_, i) => ask(`n${i}.example`)))
    expect(ids.size).toBeGreaterThan(30)
    expect(ports.size).toBe(40)
  })

  test('the same question is asked once, however many ask', async () => {
    let asked = 0
    use(
      await upstream((query, _from, send) => {
        asked++
        setTimeout(() => send(reply(query, GOOD)), 20)
      }),
    )
    const found = await Promise.all(Array.from({ length: 50 }, () => ask('a.example')))
    expect(new Set(found.map(([rcode]) => rcode))).toEqual(new Set([RCODE.NOERROR]))
    expect(asked).toBe(1)
    expect(forwarder.cached(question('A.example'), WISHES)?.answers).toHaveLength(1)
    expect(forwarder.cached(question('a.example'), { ...WISHES, dnssecOk: true })).toBeUndefined()
  })

  test('an answer that does not fit is asked for over TCP', async () => {
    const tcp = createServer((socket) => {
      socket.once('data', (chunk) => {
        const answer = reply(decodeQuery(chunk.subarray(2)), GOOD)
        const length = Buffer.from([answer.length >> 8, answer.length])
        // in pieces, as networks do
        for (const byte of Buffer.concat([length, answer])) socket.write(Uint8Array.of(byte))
      })
    })
    open.push(tcp)
    // the kernel chooses a port for one of the two; the other one's may be somebody else's
    for (;;) {
      const udp = await upstream((query, _from, send) => send(reply(query, BAD, { flags: FLAG.TC })))
      use(udp)
      if (await listens(tcp, udp.port)) break
    }
    expect(await ask('a.example')).toEqual([RCODE.NOERROR, GOOD])
  })

  test('who refuses, fails, is silent or away is left for the next', async () => {
    for (const behave of [
      (query: Query, _from: RemoteInfo, send: (bytes: Uint8Array) => void) => send(reply(query, BAD, { rcode: RCODE.REFUSED })),
      (query: Query, _from: RemoteInfo, send: (bytes: Uint8Array) => void) => send(reply(query, BAD, { rcode: RCODE.SERVFAIL })),
      () => {},
    ] satisfies Behave[]) {
      use(await upstream(behave), await upstream((query, _from, send) => send(reply(query, GOOD))))
      for (let i = 0; i < 6; i++) expect(await ask(`n${i}.example`)).toEqual([RCODE.NOERROR, GOOD])
    }
    use({ host: '127.0.0.1', port: 1 }, await upstream((query, _from, send) => send(reply(query, GOOD))))
    for (let i = 0; i < 6; i++) expect(await ask(`m${i}.example`)).toEqual([RCODE.NOERROR, GOOD])
  })

  test('nobody answers: the client is told, within its patience', async () => {
    use(await upstream(() => {}))
    expect(await ask('a.example')).toEqual([RCODE.SERVFAIL, undefined])
    forwarder.setPlan({ stubs: [], upstreams: [] })
    expect(await ask('b.example')).toEqual([RCODE.SERVFAIL, undefined])
  })

  test('what was right is said again while nobody answers, and put right afterwards', async () => {
    let isSilent = false
    let data = GOOD
    use(await upstream((query, _from, send) => void (isSilent || send(reply(query, data, { ttl: 10 })))))
    await ask('a.example')
    isSilent = true
    shiftMs = 11_000
    expect(forwarder.cached(question('a.example'), WISHES)).toBeUndefined()
    expect(await ask('a.example')).toEqual([RCODE.NOERROR, GOOD])
    // for a moment it is not even tried again
    expect(forwarder.cached(question('a.example'), WISHES)?.answers[0]?.ttl).toBe(30)
    isSilent = false
    data = BAD
    shiftMs += 20_000
    expect(await ask('a.example')).toEqual([RCODE.NOERROR, BAD])
    expect(metrics.render()).toMatch(/coredns_cache_served_stale_total [12]\n/)
  })

  test('a question that comes back to us goes round once', async () => {
    const keeper = new ZoneKeeper(ZONE)
    const meters = createDnsMeters(metrics, 'cluster.local.')
    const budget = new ClientBudget({ perClient: 100, total: 100 })
    const handler = new QueryHandler({ zone: () => keeper.snapshot(), forwarder, budget, clock, meters })
    const server = new DnsServer({ handler, listen: [{ host: '127.0.0.1', port: 0 }], clock, log: silentLogger })
    await server.open()
    use({ host: '127.0.0.1', port: server.ports[0] ?? 0 })
    expect(await ask('loop.example')).toEqual([RCODE.SERVFAIL, undefined])
    await server.drain()
    const rounds = Number(/coredns_forward_requests_total\{[^}]*\} (\d+)/.exec(metrics.render())?.[1])
    expect(rounds).toBeLessThanOrEqual(6)
  })
})
