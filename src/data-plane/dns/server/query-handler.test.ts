import fc from 'fast-check'
import { beforeEach, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { Forwarder } from '../forward/forwarder.ts'
import { CLASS_IN, FLAG, RCODE, TYPE } from '../wire/codes.ts'
import { decodeMessage } from '../wire/decode.ts'
import { encodeMessage } from '../wire/encode.ts'
import type { Edns, Message } from '../wire/message.ts'
import { nameText, wireName } from '../wire/name.ts'
import { service, slice, ZONE } from '../zone/fixture.ts'
import { ZoneKeeper } from '../zone/zone-keeper.ts'
import { ClientBudget } from './client-budget.ts'
import { createDnsMeters } from './dns-metrics.ts'
import { QueryHandler, type Transport } from './query-handler.ts'

const metrics = createMetrics()
let keeper: ZoneKeeper
let handler: QueryHandler

beforeEach(() => {
  const clock = new FakeClock()
  keeper = new ZoneKeeper(ZONE)
  keeper.setService(service('web', { clusterIP: '10.96.0.7' }))
  keeper.setService(service('big', { clusterIP: 'None' }))
  keeper.setSlice(
    slice(
      'big',
      Array.from({ length: 200 }, (_, i) => ({ addresses: [`10.244.1.${i}`], hostname: `pod-${i}` })),
    ),
  )
  // nobody to ask: what is not of the cluster fails at once
  const forwarder = new Forwarder({
    clock,
    random: () => 0,
    randomId: () => 1,
    log: silentLogger,
    metrics,
    plan: { stubs: [], upstreams: [] },
  })
  handler = new QueryHandler({
    zone: () => keeper.snapshot(),
    forwarder,
    budget: new ClientBudget({ perClient: 1, total: 10 }),
    clock,
    meters: createDnsMeters(metrics, 'cluster.local.'),
  })
})

const query = (
  name: string,
  options: { readonly type?: number; readonly klass?: number; readonly flags?: number; readonly edns?: Edns; readonly id?: number } = {},
): Buffer => {
  const { type = TYPE.A, klass = CLASS_IN, flags = FLAG.RD, edns, id = 77 } = options
  return encodeMessage({ id, flags, rcode: 0, question: { name: wireName(name), type, class: klass }, edns })
}
const ask = async (bytes: Buffer, transport: Transport = 'udp'): Promise<Message & { readonly length: number }> => {
  const found = await handler.handle(bytes, '10.0.0.1', transport)
  if (!found) throw new Error('no answer')
  return { ...decodeMessage(found), length: found.length }
}
const WEB = 'web.shop.svc.cluster.local'
const BIG = 'big.shop.svc.cluster.local'

test('id, question, opcode, RD and CD are the ones of the query', async () => {
  const found = await ask(query('wEb.shop.svc.cluster.LOCAL', { flags: FLAG.RD | FLAG.CD, id: 4711 }))
  expect(found).toMatchObject({ id: 4711, flags: FLAG.QR | FLAG.AA | FLAG.RD | FLAG.RA | FLAG.CD })
  expect(found.questions.map(({ name }) => nameText(name))).toEqual(['wEb.shop.svc.cluster.LOCAL.'])
  expect(await ask(query(WEB, { flags: 0 }))).toMatchObject({ flags: FLAG.QR | FLAG.AA | FLAG.RA })
})

test('an answer that is kept is as good as the first, until the zone changes', async () => {
  const first = await ask(query(WEB, { id: 1 }))
  const second = await ask(query(WEB, { id: 2 }))
  expect(second).toEqual({ ...first, id: 2 })
  keeper.setService(service('web', { clusterIP: '10.96.0.8' }))
  expect((await ask(query(WEB))).answers[0]?.data).toEqual(Uint8Array.of(10, 96, 0, 8))
  keeper.deleteService('shop/web')
  expect((await ask(query(WEB))).rcode).toBe(RCODE.NXDOMAIN)
})

test.each<[string, Edns | undefined, number]>([
  ['without EDNS, 512 bytes', undefined, 512],
  ['what the client takes', { udpBytes: 800, version: 0, dnssecOk: false }, 800],
  ['never less than 512', { udpBytes: 100, version: 0, dnssecOk: false }, 512],
  ['never what may be cut into fragments', { udpBytes: 65_535, version: 0, dnssecOk: false }, 1232],
])('over UDP: %s', async (_what, edns, most) => {
  const found = await ask(query(BIG, edns ? { edns } : {}))
  expect(found.length).toBeLessThanOrEqual(most)
  expect(found.length).toBeGreaterThan(most - 32)
  expect(found.flags & FLAG.TC).toBe(FLAG.TC)
  expect(found.edns).toEqual(edns ? { udpBytes: 1232, version: 0, dnssecOk: false, rcode: 0 } : undefined)
})

test('over TCP everything', async () => {
  const found = await ask(query(BIG), 'tcp')
  expect(found.answers).toHaveLength(200)
  expect(found.flags & FLAG.TC).toBe(0)
})

test('endpoints come first in turn', async () => {
  const firsts = new Set<string>()
  for (let i = 0; i < 5; i++) firsts.add(String((await ask(query(BIG))).answers[0]?.data))
  expect(firsts.size).toBe(5)
})

test.each<[string, () => Buffer, number]>([
  ['another opcode', () => query(WEB, { flags: 5 << 11 }), RCODE.NOTIMP],
  ['a later EDNS', () => query(WEB, { edns: { udpBytes: 1232, version: 1, dnssecOk: false } }), RCODE.BADVERS],
  ['a zone transfer', () => query('cluster.local', { type: TYPE.AXFR }), RCODE.REFUSED],
  ['another class', () => query('version.bind', { type: TYPE.TXT, klass: 3 }), RCODE.REFUSED],
  ['two questions', () => withCounts(query(WEB), 2), RCODE.FORMERR],
  ['no question', () => withCounts(query(WEB), 0), RCODE.FORMERR],
  ['half a question', () => query(WEB).subarray(0, 20), RCODE.FORMERR],
  ['a name of others, and nobody to ask', () => query('example.com'), RCODE.SERVFAIL],
])('%s', async (_what, bytes, rcode) => expect(await ask(bytes())).toMatchObject({ id: 77, rcode }))

function withCounts(bytes: Buffer, questions: number): Buffer {
  bytes.writeUInt16BE(questions, 4)
  return bytes
}

test('no answer to answers, nor to what is shorter than a header', () => {
  expect(handler.handle(query(WEB, { flags: FLAG.QR }), 'x', 'udp')).toBeUndefined()
  expect(handler.handle(Buffer.alloc(11), 'x', 'udp')).toBeUndefined()
})

test('any bytes are answered with a message, or not at all', () => {
  const mutated = fc
    .tuple(
      fc.constantFrom(WEB, BIG, 'x.y', '1.0.96.10.in-addr.arpa'),
      fc.array(fc.tuple(fc.nat(60), fc.nat(255)), { maxLength: 6 }),
      fc.nat(80),
    )
    .map(([name, changes, length]) => {
      const bytes = query(name, { edns: { udpBytes: 1232, version: 0, dnssecOk: true } })
      for (const [at, value] of changes) if (at < bytes.length) bytes[at] = value
      return bytes.subarray(0, Math.max(length, 12))
    })
  return fc.assert(
    fc.asyncProperty(
      fc.oneof(
        mutated,
        fc.uint8Array({ maxLength: 100 }).map((each) => Buffer.from(each)),
      ),
      async (bytes) => {
        const found = await handler.handle(bytes, 'x', 'udp')
        if (!found) return
        expect(found.subarray(0, 2)).toEqual(bytes.subarray(0, 2))
        expect(decodeMessage(found).flags & FLAG.QR).toBe(FLAG.QR)
        expect(found.length).toBeLessThanOrEqual(1232)
      },
    ),
    { numRuns: 2000 },
  )
})

test('counted under the names of CoreDNS', async () => {
  await ask(query(WEB))
  const text = metrics.render()
  expect(text).toMatch(/coredns_dns_requests_total\{zone="cluster.local.",proto="udp",type="A"\} \d/)
  expect(text).toMatch(/coredns_dns_responses_total\{zone="cluster.local.",rcode="NOERROR"\} \d/)
  expect(text).toContain('coredns_dns_request_duration_seconds_bucket{zone="cluster.local."')
})

test('a client gets no more than its share', () => {
  const budget = new ClientBudget({ perClient: 2, total: 3 })
  expect(['a', 'a', 'a', 'b', 'b'].map((client) => budget.take(client))).toEqual([true, true, false, true, false])
  budget.release('a')
  expect(budget.take('b')).toBe(true)
  for (const client of ['a', 'b', 'b', 'b']) budget.release(client)
  expect(budget.used).toBe(0)
})
