import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { formatIp, parseIp, type IpBytes } from '../../../base/ip.ts'
import { jsonLogger } from '../../../base/log.ts'
import type { BfdConfig } from '../config/index.ts'
import { BfdManager } from './bfd-manager.ts'
import type { BfdReport, BfdRequest, BfdThreadEvents, StartBfdThread } from './bfd-messages.ts'
import type { BfdListener } from './bfd-paths.ts'
import type { BfdReceive, BfdSockets } from './bfd-sockets.ts'
import { serveBfd } from './serve-bfd.ts'
import { ThreadedBfd } from './threaded-bfd.ts'

const A = parseIp('192.0.2.1')!
const B = parseIp('192.0.2.2')!
const CONFIG: BfdConfig = { minTxMs: 100, minRxMs: 100, detectMultiplier: 3, multihop: false, graceful: true }

/** Sockets of two hosts joined by a wire. */
class Wire {
  isCut = false
  readonly #receivers = new Map<string, BfdReceive>()

  /** @param isAlive whether the sockets are still there */
  socketsOf(own: IpBytes, isAlive = (): boolean => true): BfdSockets {
    return {
      listen: (family, _multihop, receive) => {
        if (family === 6) throw new Error('listen: EAFNOSUPPORT')
        this.#receivers.set(formatIp(own), receive)
        return { close: () => void this.#receivers.delete(formatIp(own)) }
      },
      sender: ({ address }) => ({
        send: (bytes) => {
          if (isAlive()) setImmediate(() => !this.isCut && this.#receivers.get(formatIp(address))?.(bytes, own))
        },
        close: () => {},
      }),
    }
  }
}

/** Threads that are none: messages are cloned and come a turn later. */
class Threads {
  started = 0
  /** The thread gets requests, and answers nothing. */
  isStuck = false
  #events: BfdThreadEvents | undefined
  readonly #wire: Wire
  readonly #clock: FakeClock

  constructor(wire: Wire, clock: FakeClock) {
    this.#wire = wire
    this.#clock = clock
  }

  readonly start: StartBfdThread = (events) => {
    this.started++
    this.#events = events
    const later = <T>(fn: (value: T) => void, value: T): void => {
      const clone = structuredClone(value)
      setImmediate(() => this.#events === events && !this.isStuck && fn(clone))
    }
    let handle = (_request: BfdRequest): void => {}
    const port = {
      postMessage: (report: BfdReport) => later((given: BfdReport) => events.report(given), report),
      on: (_event: 'message', listener: (request: BfdRequest) => void) => (handle = listener),
    }
    serveBfd(port, { sockets: this.#wire.socketsOf(A, () => this.#events === events), clock: this.#clock, random: () => 0.25 })
    return {
      post: (request) => later(handle, request),
      end: () => Promise.resolve(this.die('ended')),
    }
  }

  die(reason: string): void {
    const events = this.#events
    this.#events = undefined
    events?.ended(reason)
  }
}

function setUp() {
  const clock = new FakeClock()
  const wire = new Wire()
  const threads = new Threads(wire, clock)
  const heard: string[] = []
  const lines: string[] = []
  const listener = (who: string): BfdListener => ({
    changed: (state) => void heard.push(`${who} ${state}`),
    down: (reason, graceful) => void heard.push(`${who} down: ${reason}${graceful ? ' (graceful)' : ''}`),
  })
  const logOf = (who: string) =>
    jsonLogger({
      write: (line) => {
        const { ts: _ts, level, msg, ...fields } = JSON.parse(line) as Record<string, string>
        lines.push([who, level, msg, JSON.stringify(fields)].join(' '))
      },
      clock,
    })
  const bfd = new ThreadedBfd({ start: threads.start, clock, log: logOf('a') })
  const neighbour = new BfdManager({ sockets: wire.socketsOf(B), clock, random: () => 0.5, log: logOf('b') })
  return { clock, wire, threads, heard, lines, listener, bfd, neighbour }
}

/** Both ends watch, and are up. */
async function bothUp(parts: ReturnType<typeof setUp>) {
  const watch = parts.bfd.watch({ address: B }, CONFIG, parts.listener('a'))
  parts.neighbour.watch({ address: A }, CONFIG, { changed: () => {}, down: () => {} })
  expect(watch.state).toBe('Down')
  await parts.clock.advance(3_000)
  expect(watch.state).toBe('Up')
  return watch
}

test('no thread before the first path is watched', () => {
  const { threads } = setUp()
  expect(threads.started).toBe(0)
})

test('tells of states, and of a dead path before its state', async () => {
  const parts = setUp()
  const watch = await bothUp(parts)
  parts.wire.isCut = true
  await parts.clock.advance(1_000)
  expect(watch.state).toBe('Down')
  expect(parts.heard.slice(-3)).toEqual(['a Up', 'a down: no packets for 300 ms (graceful)', 'a Down'])
  expect(parts.lines).toContain('a warn BFD is down {"neighbor":"192.0.2.2","reason":"no packets for 300 ms"}')
  expect(parts.threads.started).toBe(1)
})

test('a path that is no longer watched is shut down, and not heard of again', async () => {
  const parts = setUp()
  const watch = await bothUp(parts)
  parts.heard.length = 0
  watch.close()
  watch.close()
  await parts.clock.advance(1_000)
  expect(parts.heard).toEqual([])
  expect(parts.lines.at(-1)).toBe('b warn BFD is down {"neighbor":"192.0.2.1","reason":"shut down by the neighbour"}')
})

test('a path that cannot be watched is logged', async () => {
  const { bfd, clock, listener, lines, heard } = setUp()
  const watch = bfd.watch({ address: parseIp('2001:db8::2')! }, CONFIG, listener('a'))
  await clock.advance(10)
  expect(lines).toEqual(['a error the path cannot be watched {"neighbor":"2001:db8::2","error":"listen: EAFNOSUPPORT"}'])
  expect(watch.state).toBe('Down')
  watch.close()
  await clock.advance(10)
  expect(heard).toEqual([])
})

test('a thread that dies is reported and replaced with its sessions, which does not mean that paths are dead', async () => {
  const parts = setUp()
  const watch = await bothUp(parts)
  parts.heard.length = 0
  parts.threads.die('out of memory')
  expect(parts.heard).toEqual(['a Down'])
  expect(parts.lines.at(-1)).toMatch(/^a error the thread of BFD has ended.*"reason":"out of memory","paths":1/)
  await parts.clock.advance(999)
  expect(parts.threads.started).toBe(1)
  await parts.clock.advance(5_000)
  expect(parts.threads.started).toBe(2)
  expect(watch.state).toBe('Up')
  expect(parts.heard.filter((line) => line.startsWith('a down'))).toEqual([])
})

test('paths that come and go while there is no thread', async () => {
  const parts = setUp()
  const first = await bothUp(parts)
  parts.threads.die('gone')
  first.close()
  const second = parts.bfd.watch({ address: B }, CONFIG, parts.listener('second'))
  parts.heard.length = 0
  await parts.clock.advance(5_000)
  expect(parts.threads.started).toBe(2)
  expect(second.state).toBe('Up')
  expect(parts.heard.every((line) => line.startsWith('second'))).toBe(true)
})

test('a thread that cannot be started is tried again', async () => {
  const { clock, listener, lines } = setUp()
  let attempts = 0
  const start = (): never => {
    attempts++
    throw new Error('EAGAIN')
  }
  const log = jsonLogger({ write: (line) => void lines.push(line), clock })
  const bfd = new ThreadedBfd({ start, clock, log })
  bfd.watch({ address: B }, CONFIG, listener('a'))
  await clock.advance(2_000)
  expect(attempts).toBe(3)
  await bfd.close()
  await clock.advance(10_000)
  expect(attempts).toBe(3)
})

test('close tells neighbours, ends the thread and starts no other', async () => {
  const parts = setUp()
  await bothUp(parts)
  await parts.bfd.close()
  await parts.clock.advance(10_000)
  expect(parts.lines.filter((line) => line.includes('BFD is down'))).toEqual([
    'b warn BFD is down {"neighbor":"192.0.2.1","reason":"shut down by the neighbour"}',
  ])
  expect(parts.threads.started).toBe(1)
  expect(parts.lines.some((line) => line.includes('has ended'))).toBe(false)
  await parts.bfd.close()
  expect(() => parts.bfd.watch({ address: B }, CONFIG, parts.listener('a'))).toThrow('BFD is closed')
})

test('close does not wait for a thread that answers nothing', async () => {
  const parts = setUp()
  await bothUp(parts)
  parts.threads.isStuck = true
  let isClosed = false
  const closed = parts.bfd.close().then(() => (isClosed = true))
  await parts.clock.advance(900)
  expect(isClosed).toBe(false)
  await parts.clock.advance(200)
  expect(isClosed).toBe(true)
  await closed
})
