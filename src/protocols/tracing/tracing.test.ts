import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { encodeLogs, encodeSpans, encodeZipkin, formatTraceparent, parseB3, parseTraceparent, randomId, type Span } from './index.ts'

const TRACE = '4bf92f3577b34da6a3ce929d0e0e4736'
const SPAN = '00f067aa0ba902b7'

describe('traceparent', () => {
  it.each([
    [`00-${TRACE}-${SPAN}-01`, true],
    [`00-${TRACE}-${SPAN}-00`, false],
    [`01-${TRACE}-${SPAN}-01-what-comes-later`, true],
    [`00-${TRACE}-${SPAN}-03`, true],
  ])('%s', (text, sampled) => expect(parseTraceparent(text)).toEqual({ traceId: TRACE, spanId: SPAN, sampled }))

  it.each([
    '',
    `ff-${TRACE}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}-01-more`,
    `00-${'0'.repeat(32)}-${SPAN}-01`,
    `00-${TRACE}-${'0'.repeat(16)}-01`,
    `00-${TRACE.toUpperCase()}-${SPAN}-01`,
    `00-${TRACE}-${SPAN}`,
    `01-${TRACE}-${SPAN}-01-${'x'.repeat(600)}`,
  ])('%s is ignored', (text) => expect(parseTraceparent(text)).toBeUndefined())

  it('comes back as it was', () => {
    const hex = (length: number): fc.Arbitrary<string> =>
      fc
        .array(fc.integer({ min: 0, max: 15 }), { minLength: length, maxLength: length })
        .map((digits) => digits.map((d) => d.toString(16)).join(''))
        .filter((text) => !/^0+$/.test(text))
    fc.assert(
      fc.property(hex(32), hex(16), fc.boolean(), (traceId, spanId, sampled) => {
        expect(parseTraceparent(formatTraceparent({ traceId, spanId, sampled }))).toEqual({ traceId, spanId, sampled })
      }),
    )
    fc.assert(fc.property(fc.string(), (text) => void parseTraceparent(text)))
  })

  it('ids are never zero', () => {
    const drawn = [0, 0, 0.5, 0.25]
    expect(randomId(8, () => drawn.shift() ?? 0)).toBe('8000000040000000')
    expect(randomId(16, Math.random)).toMatch(/^[0-9a-f]{32}$/)
  })
})

describe('B3', () => {
  const read = (headers: Record<string, string>): unknown => parseB3((name) => headers[name])
  it('one header or several, ids of 64 bits too', () => {
    expect(read({ b3: `${TRACE}-${SPAN}-1` })).toEqual({ traceId: TRACE, spanId: SPAN, sampled: true })
    expect(read({ 'x-b3-traceid': SPAN, 'x-b3-spanid': SPAN, 'x-b3-sampled': '0' })).toEqual({
      traceId: `${'0'.repeat(16)}${SPAN}`,
      spanId: SPAN,
      sampled: false,
    })
    expect([read({}), read({ b3: '0' }), read({ b3: 'x-y' })]).toEqual([undefined, undefined, undefined])
  })
})

describe('finished spans', () => {
  const span: Span = {
    traceId: TRACE,
    spanId: SPAN,
    parentSpanId: '1111111111111111',
    name: 'GET /',
    kind: 'server',
    startMs: 1_700_000_000_000.25,
    endMs: 1_700_000_000_001.5,
    attributes: { 'http.response.status_code': 503, 'url.path': '/', retried: true, ratio: 0.5 },
    error: 'HTTP 503',
  }

  it('in OTLP', () => {
    const [resource] = (JSON.parse(encodeSpans({ 'service.name': 'web' }, [span])) as { resourceSpans: Record<string, unknown>[] })
      .resourceSpans
    expect(resource).toEqual({
      resource: { attributes: [{ key: 'service.name', value: { stringValue: 'web' } }] },
      scopeSpans: [
        {
          scope: { name: 'biplane' },
          spans: [
            {
              traceId: TRACE,
              spanId: SPAN,
              parentSpanId: '1111111111111111',
              name: 'GET /',
              kind: 2,
              startTimeUnixNano: '1700000000000250000',
              endTimeUnixNano: '1700000000001500000',
              attributes: [
                { key: 'http.response.status_code', value: { intValue: '503' } },
                { key: 'url.path', value: { stringValue: '/' } },
                { key: 'retried', value: { boolValue: true } },
                { key: 'ratio', value: { doubleValue: 0.5 } },
              ],
              status: { code: 2, message: 'HTTP 503' },
            },
          ],
        },
      ],
    })
  })

  it('for Zipkin', () => {
    expect(JSON.parse(encodeZipkin('web', [span]))).toMatchObject([
      {
        id: SPAN,
        parentId: '1111111111111111',
        kind: 'SERVER',
        timestamp: 1_700_000_000_000_250,
        duration: 1250,
        tags: { error: 'HTTP 503', retried: 'true' },
      },
    ])
  })

  it('log records', () => {
    expect(encodeLogs({}, [{ timeMs: 1, body: 'line', attributes: { a: 'b' } }])).toContain(
      '"timeUnixNano":"1000000","body":{"stringValue":"line"}',
    )
  })
})
