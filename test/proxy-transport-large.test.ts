import { createHash } from 'node:crypto'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import type { Acceptor } from '../src/data-plane/proxy/transport/accept.ts'
import { transport, type Transport, type TransportName } from '../src/data-plane/proxy/transport/choose-transport.ts'
import type { Connection } from '../src/data-plane/proxy/transport/contract.ts'
import { poisonReads } from '../src/data-plane/proxy/transport/raw/index.ts'
import { giveLoan, MAX_LOANS, takeLoan, type Loan } from '../src/data-plane/proxy/transport/raw/loans.ts'

/** Large bodies that are passed on from one connection to another, as a proxy does, to readers that are slow, gone, or many. */

const LOOPBACK = '127.0.0.1'
/** More than the buffers of both kernels' sockets take. */
const LARGE = 24 * 1024 * 1024
const PATTERN = Buffer.alloc(LARGE + 65_536)
// no period that a buffer's size divides
for (let i = 0; i < PATTERN.length; i++) PATTERN[i] = (i * 31 + (i >> 8) * 7 + (i >> 16) * 3) & 0xff
const bodyOf = (seed: number): Buffer => PATTERN.subarray(seed * 11, seed * 11 + LARGE)
const digest = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')

function deferred<T>(): { readonly promise: Promise<T>; readonly resolve: (value: T) => void } {
  let resolve: (value: T) => void = () => {}
  const promise = new Promise<T>((done) => (resolve = done))
  return { promise, resolve }
}

beforeAll(() => poisonReads(true))
afterAll(() => poisonReads(false))

describe.each<TransportName>(['raw', 'sockets'])('transport %s', (name) => {
  const subject: Transport = transport(name)
  const acceptors: Acceptor[] = []
  const connections: Connection[] = []

  afterEach(async () => {
    for (const connection of connections.splice(0)) connection.destroy()
    for (const acceptor of acceptors.splice(0)) await acceptor.close()
  })

  /** A connection in both its ends. */
  async function pair(): Promise<{ readonly near: Connection; readonly far: Connection }> {
    const { promise, resolve } = deferred<Connection>()
    const acceptor = await subject.listen({ host: LOOPBACK, port: 0 }, (one) => resolve(one.plain()))
    acceptors.push(acceptor)
    const near = await subject.dial({ address: { address: LOOPBACK, port: acceptor.port }, timeoutMs: 2_000 })
    const far = await promise
    connections.push(near, far)
    return { near, far }
  }

  /** Sends a body through a proxy of two connections. `stalled` resolves when the reader's side takes no more. */
  async function send(body: Buffer): Promise<{
    readonly reader: Connection
    readonly out: Connection
    readonly stalled: Promise<void>
    /** The digest of what the reader got, or what ended it. */
    readonly read: Promise<string>
  }> {
    const [into, from] = [await pair(), await pair()]
    const stall = deferred<void>()
    const read = deferred<string>()
    into.far.handle({
      onData(buffer, start, end) {
        if (from.near.write(buffer, start, end)) return
        into.far.pause()
        stall.resolve()
      },
      onEnd: () => from.near.end(),
      onDrain() {},
      onClose() {},
    })
    from.near.handle({ onData() {}, onEnd() {}, onDrain: () => into.far.resume(), onClose: () => into.far.destroy() })
    const hash = createHash('sha256')
    from.far.handle({
      onData: (buffer, start, end) => void hash.update(buffer.subarray(start, end)),
      onEnd: () => read.resolve(hash.digest('hex')),
      onDrain() {},
      onClose: (error) => read.resolve(`closed: ${error?.message ?? 'no error'}`),
    })
    from.far.pause()
    let at = 0
    const go = (): void => {
      while (at < body.length) {
        const from = at
        at = Math.min(body.length, from + 61_440)
        if (!into.near.write(body, from, at)) return
      }
      into.near.end()
    }
    into.near.handle({ onData() {}, onEnd() {}, onDrain: go, onClose() {} })
    go()
    return { reader: from.far, out: from.near, stalled: stall.promise, read: read.promise }
  }

  it('passes them on whole, to readers that begin late and stop on the way', async () => {
    const seeds = [1, 2, 3, 4]
    const sent = await Promise.all(seeds.map((seed) => send(bodyOf(seed))))
    await Promise.all(sent.map(({ stalled }) => stalled))
    for (const { out } of sent) expect(out.pendingBytes).toBeLessThan(1_000_000)
    for (const { reader } of sent) {
      const timer = setInterval(() => (reader.pause(), setImmediate(() => reader.resume())), 1)
      reader.resume()
      setTimeout(() => clearInterval(timer), 200)
    }
    expect(await Promise.all(sent.map(({ read }) => read))).toEqual(seeds.map((seed) => digest(bodyOf(seed))))
  })

  it('does not mix them up when one of them ends while the kernel still has its bytes', async () => {
    const seeds = [5, 6, 7, 8]
    const sent = await Promise.all(seeds.map((seed) => send(bodyOf(seed))))
    await Promise.all(sent.map(({ stalled }) => stalled))
    // the proxy's side of two goes in the middle of a write
    for (const { out } of sent.slice(0, 2)) out.destroy()
    const later = await send(bodyOf(9))
    for (const { reader } of [...sent, later]) reader.resume()
    const read = await Promise.all([...sent.slice(2), later].map((one) => one.read))
    expect(read).toEqual([7, 8, 9].map((seed) => digest(bodyOf(seed))))
  })

  it.runIf(name === 'raw')('works without memory of its own where all is lent, and gives back what it had', async () => {
    const taken: Loan[] = []
    const takeAll = (): number => {
      for (let loan = takeLoan(); loan; loan = takeLoan()) taken.push(loan)
      return taken.length
    }
    const giveAll = (): void => taken.splice(0).forEach(giveLoan)
    expect(takeAll()).toBe(MAX_LOANS)
    const poor = await send(bodyOf(10))
    await poor.stalled
    poor.reader.resume()
    expect(await poor.read).toBe(digest(bodyOf(10)))
    giveAll()

    const rich = await send(bodyOf(11))
    await rich.stalled
    expect(takeAll()).toBeLessThan(MAX_LOANS)
    giveAll()
    rich.reader.resume()
    expect(await rich.read).toBe(digest(bodyOf(11)))
    const cut = await send(bodyOf(12))
    await cut.stalled
    cut.out.destroy()
    // the write that libuv had is over before the end is seen
    cut.reader.resume()
    await cut.read
    expect(takeAll()).toBe(MAX_LOANS)
    giveAll()
  })
})
