import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { DEFAULT_ACCESS_LOG_FORMAT, type AccessLog } from '../../../policy/traffic/model/index.ts'
import { forwardTo, route, StackFixture } from '../layers/stack-fixture.ts'
import { compileTime } from './start-time.ts'
import {
  AccessLogger,
  BlockLayout,
  compileLogFormat,
  httpStats,
  LogWriter,
  MetricTable,
  openFileSink,
  openTcpSink,
  type LineSink,
} from './index.ts'

describe('metrics', () => {
  it('shows counters, gauges and histograms', () => {
    const table = new MetricTable()
    const slot = table.counter('a_total', { x: 'q"\\\n' })
    table.inc(slot)
    expect(table.counter('a_total', { x: 'q"\\\n' })).toBe(slot)
    table.set(table.gauge('b'), 2.5)
    const histogram = table.histogram('c')
    for (const ms of [0.5, 0.6, 7e6]) table.observe(histogram, ms)
    const text = table.render()
    expect(text).toContain('# TYPE a_total counter\na_total{x="q\\"\\\\\\n"} 1\n')
    expect(text).toContain('b 2.5\n')
    expect(text).toContain('c_bucket{le="0.5"} 1\nc_bucket{le="1"} 2\n')
    expect(text).toContain('c_bucket{le="3600000"} 2\nc_bucket{le="+Inf"} 3\n')
    expect(text).toContain('c_sum 7000001.1\nc_count 3\n')
    expect(table.render({ shows: (name) => name === 'b' })).toBe('# TYPE b gauge\nb 2.5\n')
    expect(() => table.gauge('a_total')).toThrow(/a_total is a counter/)
  })

  it('shows blocks as if each of their metrics were a series', () => {
    const plain = new MetricTable()
    const blocks = new MetricTable(3)
    const layout = new BlockLayout([
      { kind: 'counter', name: 'a_total' },
      { kind: 'histogram', name: 'b' },
      { kind: 'counter', name: 'c', labels: { class: '2' } },
      { kind: 'counter', name: 'c', labels: { class: '5' } },
    ])
    for (const name of ['x', 'y']) {
      const first = blocks.block(layout, { name })
      expect(blocks.block(layout, { name })).toBe(first)
      const [a, b, , c5] = layout.offsets.map((offset) => first + offset) as [number, number, number, number]
      blocks.inc(a)
      blocks.observe(b, 7)
      blocks.inc(c5)
      plain.inc(plain.counter('a_total', { name }))
      plain.observe(plain.histogram('b', { name }), 7)
      plain.counter('c', { class: '2', name })
      plain.inc(plain.counter('c', { class: '5', name }))
    }
    const sorted = (table: MetricTable): string[] => table.render().split('\n').sort()
    expect(sorted(blocks)).toEqual(sorted(plain))
    expect(blocks.block(layout, { name: 'z' })).toBeGreaterThan(0)
    expect(blocks.block(layout, { name: 'too much' })).toBe(blocks.block(layout, { name: '_overflow' }))
    const freed = blocks.block(layout, { name: 'x' })
    blocks.release('name', 'x')
    blocks.release('name', '_overflow')
    expect(blocks.render()).not.toContain('"x"')
    expect(blocks.series).toBe(2)
    expect(blocks.block(layout, { name: 'next' }) === freed || blocks.values[freed] === 0).toBe(true)
  })

  it('is bounded, and gives slots back', () => {
    const table = new MetricTable(10)
    for (let i = 0; i < 100; i++) table.inc(table.counter('x', { i: String(i) }))
    expect(table.series).toBeLessThanOrEqual(11)
    expect(table.render()).toContain('x{i="_overflow"} 90\n')
    const before = new MetricTable()
    const first = before.histogram('h', { cluster: 'a' })
    before.observe(first, 1)
    before.release('cluster', 'a')
    expect(before.render()).toBe('')
    const again = before.histogram('h', { cluster: 'b' })
    expect(again).toBe(first)
    expect(before.values[again]).toBe(0)
    expect(before.render({ includeUnused: false })).toBe('')
  })

  it('keeps values as it grows', () => {
    const table = new MetricTable()
    const slots = Array.from({ length: 3000 }, (_, i) => table.counter(`m${i}`))
    for (const slot of slots) table.inc(slot)
    expect(slots.every((slot) => table.values[slot] === 1)).toBe(true)
    const stats = httpStats(table, 'p')
    for (const status of [99, 200, 599, 999]) stats.response(status)
    expect(table.render()).toContain('envoy_http_downstream_rq_xx{envoy_response_code_class="5",envoy_http_conn_manager_prefix="p"} 2\n')
  })
})

const logOf = (format: AccessLog['format'], fixed = {}) => {
  const lines: string[] = []
  const fixture = new StackFixture()
  const logger = new AccessLogger(compileLogFormat(format, fixed), { write: (line) => void lines.push(line) }, fixture.clock)
  return { lines, logger, fixture }
}
const text = (line: string): AccessLog['format'] => ({ type: 'text', text: line })

describe('access log', () => {
  it('writes the line that Envoy writes', () => {
    const { lines, logger, fixture } = logOf(text(DEFAULT_ACCESS_LOG_FORMAT))
    const traced = new StackFixture({ accessLoggers: [logger], clock: fixture.clock }).cluster()
    traced.build([route(forwardTo({ rewrite: { path: { type: 'full', value: '/new' } } }))], [], { appendForwardedFor: true })
    traced.send({ path: '/old?x', authority: 'app:80', headers: { 'user-agent': 'curl' } }).answer(200)
    expect(lines).toEqual([
      '[2025-12-31T23:59:59.999Z] "GET /old?x HTTP/1.1" 200 - 3 4 1 0 "10.0.0.7" "curl" "id" "app:80" "10.0.1.1:80"\n',
    ])
  })

  it('says why something failed', () => {
    const { lines, logger } = logOf(
      text('%RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %UPSTREAM_HOST% %UPSTREAM_CLUSTER% %ROUTE_NAME% %PROTOCOL%'),
    )
    const fixture = new StackFixture({ accessLoggers: [logger] }).build([route()])
    fixture.send()
    fixture
      .cluster()
      .send({ connection: { protocol: 'http2' } })
      .fail('connect')
    fixture.send().abort('DC', 'downstream remote disconnect')
    expect(lines).toEqual([
      '503 NC cluster_not_found - - ns/r/0 HTTP/1.1\n',
      '503 UF upstream_reset_before_response_started{remote_connection_failure} 10.0.1.1:80 app ns/r/0 HTTP/2\n',
      '0 DC downstream_remote_disconnect 10.0.1.1:80 app ns/r/0 HTTP/1.1\n',
    ])
  })

  it('writes JSON with types, each log its own fields', () => {
    const fields = {
      code: '%RESPONSE_CODE%',
      who: '%DOWNSTREAM_PEER_URI_SAN%',
      both: '%REQ(A)%-%REQ(B?C):2%',
      host: '%HOSTNAME%',
      grpc: '%GRPC_STATUS%',
      n: '%GRPC_STATUS_NUMBER%',
    }
    const a = logOf({ type: 'json', fields }, { HOSTNAME: 'h' })
    const lines: string[] = []
    const brief = compileLogFormat({ type: 'json', fields: { who: '%DOWNSTREAM_PEER_URI_SAN%', c: '%REQ(C)%' }, omitEmpty: true })
    const second = new AccessLogger(brief, { write: (line) => void lines.push(line) }, a.fixture.clock, 1)
    const fixture = new StackFixture({ accessLoggers: [a.logger, second] }).cluster().build([route()])
    fixture.send({ headers: { c: 'long"' }, isGrpc: true }).answer(200, {}, 14)
    expect(JSON.parse(a.lines[0] as string)).toEqual({ code: 200, who: null, both: '--lo', host: 'h', grpc: 'Unavailable', n: 14 })
    expect(lines).toEqual(['{"c":"long\\""}\n'])
  })

  it('refuses what it does not know', () => {
    expect(() => compileLogFormat(text('%NOPE%'))).toThrow(/%NOPE% is not/)
    expect(() => compileLogFormat(text('100% of'))).toThrow(/write %% for/)
    expect(() => compileLogFormat(text('%REQ()%'))).toThrow(/needs a header/)
    expect(() => compileLogFormat(text('%START_TIME(%Q)%'))).toThrow(/%Q is not known/)
  })

  it('lets no value begin a line', () => {
    const { lines, logger } = logOf(text('%REQ(X)% 100%%'))
    const fixture = new StackFixture({ accessLoggers: [logger] }).cluster().build([route()])
    fixture.send({ headers: { x: 'a\nb' } }).answer(200)
    expect(lines).toEqual(['a\\x0ab 100%\n'])
  })

  it.each([
    ['', '2026-01-02T03:04:05.678Z'],
    ['%Y/%m/%dT%H:%M:%S%z', '2026/01/02T03:04:05+0000'],
    ['%s.%3f', '1767323045.678'],
    ['%s.%9f', '1767323045.678000000'],
    ['%F %T %Z', '2026-01-02 03:04:05 UTC'],
    ['%b %e %a %I%p', 'Jan  2 Fri 03AM'],
  ])('time %s', (format, expected) => expect(compileTime(format)(Date.UTC(2026, 0, 2, 3, 4, 5, 678))).toBe(expected))

  it('reads any format or says what is wrong with it', () => {
    const piece = fc.constantFrom('%', '%%', '%REQ(', ')', 'A', ':1', '%START_TIME(%s)%', '%DURATION%', '?', '\n', '%RESP(X?Y):3%')
    fc.assert(
      fc.property(fc.array(piece), (pieces) => {
        try {
          compileLogFormat(text(pieces.join('')))
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError)
        }
      }),
    )
  })
})

describe('log writer', () => {
  it('writes once in a moment, one at a time, and drops what does not fit', () => {
    const written: string[] = []
    const flushes: (() => void)[] = []
    const dones: ((error?: Error) => void)[] = []
    const sink: LineSink = {
      write(lines, done) {
        written.push(lines.toString())
        dones.push(done)
      },
      close() {},
    }
    let dropped = 0
    const writer = new LogWriter({ sink, limit: 6, schedule: (flush) => void flushes.push(flush), onDrop: (lines) => (dropped += lines) })
    for (const line of ['a\n', 'b\n', 'c\n', 'd\n']) writer.write(line)
    expect([flushes.length, dropped]).toEqual([1, 1])
    flushes.shift()?.()
    expect(written).toEqual(['a\nb\nc\n'])
    writer.write('e\n')
    expect([flushes.length, written.length]).toEqual([0, 1])
    dones.shift()?.(new Error('full'))
    expect(written).toEqual(['a\nb\nc\n', 'e\n'])
    expect(writer.dropped).toBe(4)
  })

  it('does not wait for its moment when a lot has come, and writes what is left when it is closed', () => {
    const written: number[] = []
    const sink: LineSink = { write: (bytes, done) => (written.push(bytes.length), done()), close: () => written.push(-1) }
    const writer = new LogWriter({ sink, schedule: () => {} })
    for (let i = 0; i < 33; i++) writer.write(`${'x'.repeat(1_023)}\n`)
    expect(written).toEqual([32_768])
    writer.close()
    expect(written).toEqual([32_768, 1_024, -1])
  })

  it('keeps every byte of any lines in their order, and counts what it drops in bytes', () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(fc.string({ unit: 'grapheme' }), fc.constant('y'.repeat(20_000)))), fc.boolean(), (lines, isSlow) => {
        let got = ''
        const dones: (() => void)[] = []
        const sink: LineSink = {
          write(bytes, done) {
            got += bytes.toString()
            if (isSlow) dones.push(done)
            else done()
          },
          close() {},
        }
        const writer = new LogWriter({ sink, schedule: () => {} })
        for (const line of lines) writer.write(`${line}\n`)
        writer.close()
        while (dones.length > 0) dones.shift()?.()
        expect(got).toBe(lines.map((line) => `${line}\n`).join(''))
        const small = new LogWriter({ sink, limit: 5, schedule: () => {} })
        for (const line of ['\u00e9\u00e9', '\u00e9', 'x']) small.write(line)
        expect(small.dropped).toBe(1)
      }),
      { numRuns: 50 },
    )
  })

  it('reaches files and TCP', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'log-'))
    const write = (sink: LineSink, lines: string): Promise<Error | undefined> =>
      new Promise((resolve) => sink.write(Buffer.from(lines), resolve))
    try {
      const file = openFileSink(join(folder, 'a.log'))
      expect(await write(file, 'one\n')).toBeUndefined()
      expect(await write(file, 'two\n')).toBeUndefined()
      file.close()
      expect(await readFile(join(folder, 'a.log'), 'utf8')).toBe('one\ntwo\n')
      expect(await write(openFileSink(join(folder, 'none', 'a')), 'x')).toBeInstanceOf(Error)
    } finally {
      await rm(folder, { recursive: true })
    }
    const got: string[] = []
    const server = createServer((socket) => void socket.on('data', (data) => void got.push(String(data))))
    const closedConnection = new Promise((resolve) => server.on('connection', (socket) => socket.on('close', resolve)))
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve))
    const address = `127.0.0.1:${(server.address() as AddressInfo).port}`
    const tcp = openTcpSink(address, systemClock)
    expect(await write(tcp, 'line\n')).toBeUndefined()
    tcp.close()
    await closedConnection
    expect(got).toEqual(['line\n'])
    await new Promise((resolve) => void server.close(resolve))
    const closed = openTcpSink(address, systemClock)
    expect(await write(closed, 'line\n')).toBeInstanceOf(Error)
    expect(await write(closed, 'line\n')).toBeInstanceOf(Error)
  })
})
