import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { systemClock } from '../../../base/clock.ts'
import { KEEPALIVE_BYTES, MESSAGE_TYPE, type BgpFault, type MessageType } from '../../../protocols/bgp/index.ts'
import { PeerLink } from './peer-link.ts'

let server: Server
let theirs: Socket
let link: PeerLink
let messages: MessageType[]
let faults: BgpFault[]
let closed: string | undefined
let expired: boolean

beforeEach(async () => {
  server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const ours = connect((server.address() as AddressInfo).port, '127.0.0.1')
  const [[accepted]] = (await Promise.all([once(server, 'connection'), once(ours, 'connect')])) as [[Socket], unknown]
  theirs = accepted
  theirs.on('error', () => {})
  messages = []
  faults = []
  closed = undefined
  expired = false
  link = new PeerLink(
    ours,
    {
      onConnected: () => {},
      onMessage: (type) => void messages.push(type),
      onFault: (fault) => void faults.push(fault),
      onClosed: (reason) => (closed = reason),
      onDrain: () => {},
      onHoldExpired: () => (expired = true),
    },
    systemClock,
  )
})
afterEach(async () => {
  link.close()
  theirs.destroy()
  await new Promise((resolve) => server.close(resolve))
})

/** As when something else keeps this process busy. */
function stall(ms: number): void {
  const end = performance.now() + ms
  while (performance.now() < end);
}

async function until(what: () => boolean): Promise<void> {
  for (let turns = 0; !what() && turns < 5_000; turns++) await new Promise((resolve) => setTimeout(resolve, 1))
  expect(what()).toBe(true)
}

const turns = async (count: number): Promise<void> => {
  for (let i = 0; i < count; i++) await new Promise((resolve) => setImmediate(resolve))
}

test('what came during a stall counts before the hold timer does', async () => {
  link.expectWithin(30)
  // in the kernel at once, before the stall
  theirs.write(KEEPALIVE_BYTES)
  stall(60)
  await turns(5)
  expect(messages).toEqual([MESSAGE_TYPE.keepalive])
  expect(expired).toBe(false)
  await until(() => expired)
})

test('a peer that says nothing is noticed', async () => {
  link.expectWithin(20)
  await until(() => expired)
})

test('no timer runs with a hold time of 0', async () => {
  link.expectWithin(10)
  link.expectWithin(0)
  stall(20)
  await turns(10)
  expect(expired).toBe(false)
})

test('several messages in one piece, and one in several', async () => {
  theirs.write(Buffer.concat([KEEPALIVE_BYTES, KEEPALIVE_BYTES, KEEPALIVE_BYTES.subarray(0, 7)]))
  await until(() => messages.length === 2)
  theirs.write(KEEPALIVE_BYTES.subarray(7))
  await until(() => messages.length === 3)
  expect(faults).toEqual([])
})

test('a broken header is a fault, once', async () => {
  theirs.write(Buffer.alloc(100))
  await until(() => faults.length > 0)
  expect(faults).toMatchObject([{ code: 1, subcode: 1 }])
})

test('a message longer than was agreed on is a fault before it is whole', async () => {
  const header = Buffer.from(KEEPALIVE_BYTES)
  header.writeUInt16BE(5_000, 16)
  header[18] = MESSAGE_TYPE.update
  theirs.write(header)
  await until(() => faults.length > 0)
  expect(faults).toMatchObject([{ code: 1, subcode: 2 }])
})

test('what was written before the end arrives', async () => {
  const received: Buffer[] = []
  theirs.on('data', (chunk: Buffer) => void received.push(chunk))
  link.write(KEEPALIVE_BYTES)
  link.close()
  await once(theirs, 'close')
  expect(Buffer.concat(received)).toEqual(Buffer.from(KEEPALIVE_BYTES))
  // the end that we made is no news
  expect(closed).toBeUndefined()
})

test('what is not taken fills up, and is noticed', async () => {
  theirs.pause()
  const block = new Uint8Array(64 * 1024)
  for (let i = 0; link.hasRoom && i < 1_000; i++) {
    link.write(block)
    await turns(1)
  }
  expect(link.hasRoom).toBe(false)
  link.stuckMs()
  stall(5)
  expect(link.stuckMs()).toBeGreaterThan(0)
})
