import { describe, expect, test } from 'vitest'
import { RCODE, TYPE } from '../wire/codes.ts'
import { record, recordData } from '../wire/encode.ts'
import type { DnsRecord } from '../wire/message.ts'
import { wireName } from '../wire/name.ts'
import { AnswerCache, cacheableSeconds, DEFAULT_LIMITS, type Resolved } from './answer-cache.ts'
import { parseForwardingConfig, parseUpstream, planForwarding, upstreamsFor } from './plan-forwarding.ts'
import { UpstreamHealth } from './upstream-health.ts'

const name = wireName('example.com')
const a = (ttl: number): DnsRecord => record(name, TYPE.A, ttl, Uint8Array.of(192, 0, 2, 1))
const alias = (ttl: number): DnsRecord => record(name, TYPE.CNAME, ttl, recordData.name(name))
const soa = (ttl: number, minimum: number): DnsRecord =>
  record(name, TYPE.SOA, ttl, recordData.soa({ mname: name, rname: name, serial: 1, refresh: 1, retry: 1, expire: 1, minimum }))
const resolved = (rcode: number, answers: readonly DnsRecord[], authorities: readonly DnsRecord[] = []): Resolved => ({
  rcode,
  answers,
  authorities,
  additionals: [],
  authentic: false,
})

test.each<[string, Resolved, number]>([
  ['the shortest TTL', resolved(RCODE.NOERROR, [a(300), a(60)]), 60],
  ['at most an hour', resolved(RCODE.NOERROR, [a(86_400)]), 3_600],
  ['a TTL of 0: not at all', resolved(RCODE.NOERROR, [a(0)]), 0],
  ['no such name: the SOA says', resolved(RCODE.NXDOMAIN, [], [soa(900, 60)]), 60],
  ['no such name: the TTL of the SOA says', resolved(RCODE.NXDOMAIN, [], [soa(30, 600)]), 30],
  ['no such name: at most half an hour', resolved(RCODE.NXDOMAIN, [], [soa(86_400, 86_400)]), 1_800],
  ['no data', resolved(RCODE.NOERROR, [], [soa(900, 60)]), 60],
  ['no data behind an alias', resolved(RCODE.NOERROR, [alias(20)], [soa(900, 60)]), 20],
  ['none, without an SOA: not at all', resolved(RCODE.NXDOMAIN, []), 0],
  ['a failure: for a moment', resolved(RCODE.SERVFAIL, []), 1],
  ['refused: not at all', resolved(RCODE.REFUSED, []), 0],
])('kept for how long: %s', (_what, what, seconds) => expect(cacheableSeconds(what, DEFAULT_LIMITS)).toBe(seconds))

describe('the cache', () => {
  test('counts TTLs down, then gives stale answers with a TTL of their own, then none', () => {
    const cache = new AnswerCache()
    cache.put('k', resolved(RCODE.NOERROR, [a(60)]), 0)
    expect(cache.get('k', 10_500)).toMatchObject({ stale: false, resolved: { answers: [{ ttl: 50 }] } })
    expect(cache.get('k', 60_000)).toMatchObject({ stale: true, resolved: { answers: [{ ttl: 30 }] } })
    expect(cache.get('k', 60_000 + 86_400_000)).toBeUndefined()
    expect(cache.size).toBe(0)
  })

  test('a failure replaces nothing, and is never given stale', () => {
    const cache = new AnswerCache()
    cache.put('k', resolved(RCODE.NOERROR, [a(1)]), 0)
    cache.put('k', resolved(RCODE.SERVFAIL, []), 5_000)
    expect(cache.get('k', 5_000)?.resolved.rcode).toBe(RCODE.NOERROR)
    cache.put('f', resolved(RCODE.SERVFAIL, []), 0)
    expect(cache.get('f', 900)?.resolved.rcode).toBe(RCODE.SERVFAIL)
    expect(cache.get('f', 1_000)).toBeUndefined()
  })

  test('is bounded in bytes too: large answers push out more than one', () => {
    const cache = new AnswerCache({ limits: { ...DEFAULT_LIMITS, bytes: 100_000 } })
    const large = resolved(
      RCODE.NOERROR,
      Array.from({ length: 300 }, () => a(60)),
    )
    for (const key of ['a', 'b', 'c']) cache.put(key, resolved(RCODE.NOERROR, [a(60)]), 0)
    cache.put('large', large, 0)
    cache.put('large', large, 1)
    expect(cache.size).toBe(4)
    cache.put('larger', large, 1)
    expect(['a', 'b', 'c', 'large', 'larger'].map((key) => cache.get(key, 1) !== undefined)).toEqual([false, false, false, false, true])
    cache.put(
      'too large',
      resolved(
        RCODE.NOERROR,
        Array.from({ length: 3000 }, () => a(60)),
      ),
      1,
    )
    expect(cache.size).toBe(0)
  })

  test('drops what was used longest ago', () => {
    let evicted = 0
    const cache = new AnswerCache({ limits: { ...DEFAULT_LIMITS, entries: 2 }, onEvicted: () => evicted++ })
    cache.put('a', resolved(RCODE.NOERROR, [a(60)]), 0)
    cache.put('b', resolved(RCODE.NOERROR, [a(60)]), 0)
    cache.get('a', 0)
    cache.put('c', resolved(RCODE.NOERROR, [a(60)]), 0)
    expect(['a', 'b', 'c'].map((key) => cache.get(key, 0) !== undefined)).toEqual([true, false, true])
    expect(evicted).toBe(1)
  })
})

describe('who is asked', () => {
  const own = [{ host: '169.254.20.10', port: 53 }]

  test.each([
    ['192.0.2.1', { host: '192.0.2.1', port: 53 }],
    ['192.0.2.1:5353', { host: '192.0.2.1', port: 5353 }],
    ['2001:DB8::1', { host: '2001:db8::1', port: 53 }],
    ['[2001:db8::1]:54', { host: '2001:db8::1', port: 54 }],
    ['dns.example', undefined],
    ['192.0.2.1:0', undefined],
    ['192.0.2.1:70000', undefined],
    ['', undefined],
  ])('address %s', (text, expected) => expect(parseUpstream(text)).toEqual(expected))

  test('the longest stub domain, else the servers given, else those of the node', () => {
    const { plan, problems } = planForwarding({
      configs: [
        { stubDomains: { 'corp.example': ['192.0.2.1'] } },
        { stubDomains: { 'a.corp.example.': ['192.0.2.2'], 'CORP.example': ['192.0.2.9'] }, upstreamNameservers: ['192.0.2.3'] },
      ],
      nodeNameservers: ['192.0.2.4'],
      own,
    })
    const asked = ['x.a.corp.example', 'b.corp.example', 'corp.example', 'xcorp.example'].map((each) =>
      upstreamsFor(wireName(each), plan).map(({ host }) => host),
    )
    expect(asked).toEqual([['192.0.2.2'], ['192.0.2.1'], ['192.0.2.1'], ['192.0.2.3']])
    expect(problems).toEqual([])
    expect(planForwarding({ configs: [{}], nodeNameservers: ['192.0.2.4'], own }).plan.upstreams).toEqual([{ host: '192.0.2.4', port: 53 }])
  })

  test('never ourselves, and what is left out is said', () => {
    const { plan, problems } = planForwarding({
      configs: [{ stubDomains: { '.': ['192.0.2.1'], x: ['nope'] } }],
      nodeNameservers: ['169.254.20.10'],
      own,
    })
    expect(plan.upstreams).toEqual([])
    expect(problems).toEqual([
      'stub domain "." is no domain name',
      'stub domain x: "nope" is no address: write IP, IP:PORT or [IPv6]:PORT',
      "the node's resolv.conf: 169.254.20.10 is this server itself, which would ask itself for ever",
      'nobody to ask for names outside of the cluster: set upstream nameservers',
    ])
  })

  test('the ConfigMap in the words of kube-dns', () => {
    expect(parseForwardingConfig({ stubDomains: '{"corp.example": ["192.0.2.1"]}', upstreamNameservers: '["192.0.2.2"]' })).toEqual({
      stubDomains: { 'corp.example': ['192.0.2.1'] },
      upstreamNameservers: ['192.0.2.2'],
    })
    expect(parseForwardingConfig({})).toEqual({})
    for (const data of [{ stubDomains: '{' }, { stubDomains: '{"x": "y"}' }, { stubDomains: 'null' }, { upstreamNameservers: '{}' }])
      expect(() => parseForwardingConfig(data)).toThrow(/^(stubDomains|upstreamNameservers)/)
  })
})

test('a server that keeps silent is asked last, for longer and longer, until it answers', () => {
  const health = new UpstreamHealth()
  const [bad, good] = [
    { host: '192.0.2.1', port: 53 },
    { host: '192.0.2.2', port: 53 },
  ]
  const first = (nowMs: number): string | undefined => health.order([bad, good], nowMs, () => 0.5)[0]?.host
  health.failed(bad, 0)
  expect(first(0)).toBe(bad.host)
  health.failed(bad, 0)
  expect([first(499), first(500)]).toEqual([good.host, bad.host])
  health.failed(bad, 500)
  expect([first(1_499), first(1_500)]).toEqual([good.host, bad.host])
  for (let i = 0; i < 20; i++) health.failed(bad, 2_000)
  expect([first(16_999), first(17_000)]).toEqual([good.host, bad.host])
  health.succeeded(bad)
  expect(first(2_000)).toBe(bad.host)
})
