// The three neighbours of the router under test, in one process: two pour out their feed, the third counts what arrives.
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createHash } from 'node:crypto'
import {
  decodeUpdate,
  encodeEndOfRib,
  encodeOpen,
  isFault,
  KEEPALIVE_BYTES,
  nextFrame,
  formatAsPath,
  type WireOptions,
} from '../../src/protocols/bgp/index.ts'
import { formatPrefix } from '../../src/base/ip.ts'
import { neighbourAddress, NEIGHBOUR_AS, ROUTER_ADDRESS } from './addresses.ts'

export interface Received {
  /** From the first byte sent to the last UPDATE received. */
  readonly ms: number
  readonly prefixes: number
  /** Announcements, those that replace others included. */
  readonly announcements: number
  readonly megabytes: number
  /** Of prefixes and their AS paths: equal for equal choices. */
  readonly digest: string
}

const CONNECT_MS = 30_000
const QUIET_MS = 4_000
const HOLD_SECONDS = 240

/** Whole messages of one connection. */
class Neighbour {
  readonly socket: Socket
  onUpdate: ((bytes: Uint8Array) => void) | undefined
  readonly established: Promise<void>
  #rest: Buffer = Buffer.alloc(0)

  constructor(socket: Socket, index: number) {
    this.socket = socket
    socket.setNoDelay(true)
    this.established = new Promise((resolve, reject) => {
      socket.on('error', reject)
      socket.on('close', () => reject(new Error(`the router closed the session of neighbour ${index}`)))
      socket.on('data', (chunk: Buffer) => this.#read(chunk, resolve, reject))
    })
    this.established.catch(() => undefined)
    const as = NEIGHBOUR_AS[index] as number
    const capabilities = [
      { kind: 'multiprotocol' as const, afi: 1, safi: 1 },
      { kind: 'four-octet-as' as const, as },
    ]
    socket.write(encodeOpen({ as, holdTimeSeconds: HOLD_SECONDS, routerId: 0x0a630002 + index, capabilities }))
    setInterval(() => socket.write(KEEPALIVE_BYTES), 30_000).unref()
  }

  #read(chunk: Buffer, up: () => void, fail: (error: Error) => void): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    for (;;) {
      const frame = nextFrame(bytes, at, bytes.length, 4096)
      if (!frame) break
      if (isFault(frame)) return fail(new Error(frame.reason))
      if (frame.type === 1) this.socket.write(KEEPALIVE_BYTES)
      else if (frame.type === 4) up()
      else if (frame.type === 3) fail(new Error(`NOTIFICATION ${bytes[at + 19]}/${bytes[at + 20]}`))
      else if (frame.type === 2) this.onUpdate?.(bytes.subarray(frame.start, frame.end))
      at = frame.end
    }
    this.#rest = Buffer.from(bytes.subarray(at))
  }
}

async function dial(index: number): Promise<Neighbour> {
  const until = performance.now() + CONNECT_MS
  for (;;) {
    try {
      const socket = connect({ host: ROUTER_ADDRESS, port: 179, localAddress: neighbourAddress(index) })
      await new Promise<void>((resolve, reject) => socket.once('connect', resolve).once('error', reject))
      const neighbour = new Neighbour(socket, index)
      await neighbour.established
      return neighbour
    } catch (error) {
      if (performance.now() > until) throw error
      await delay(100)
    }
  }
}

/** @param expected different prefixes that the third neighbour must end up with */
export async function runNeighbours(dir: string, expected: number, limitMs: number): Promise<Received> {
  const feeds = [0, 1].map((i) => readFileSync(join(dir, `feed-${i}.bin`)))
  const [a, b, c] = await Promise.all([dial(0), dial(1), dial(2)])
  // the router may still be busy with the sessions: initial tables are empty
  await delay(1000)
  const kept: Buffer[] = []
  let last = performance.now()
  c.onUpdate = (bytes) => {
    kept.push(Buffer.from(bytes))
    last = performance.now()
  }
  const start = performance.now()
  for (const [i, neighbour] of [a, b].entries()) void pour(neighbour.socket, feeds[i] as Buffer)
  let counted = { messages: 0, prefixes: 0, announcements: 0, digest: '' }
  for (;;) {
    await delay(200)
    if (performance.now() - start > limitMs)
      throw new Error(`after ${limitMs} ms the third neighbour has ${count(kept).prefixes} of ${expected} prefixes`)
    if (kept.length === counted.messages || performance.now() - last < QUIET_MS) continue
    // dear, and the router needs the processor: once per pause
    counted = { messages: kept.length, ...count(kept) }
    if (counted.prefixes >= expected) break
  }
  const megabytes = kept.reduce((sum, { length }) => sum + length, 0) / 1e6
  for (const { socket } of [a, b, c]) socket.destroy()
  const { prefixes, announcements, digest } = counted
  return { ms: last - start, megabytes, prefixes, announcements, digest }
}

async function pour(socket: Socket, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length; at += 1 << 20) {
    if (!socket.write(bytes.subarray(at, at + (1 << 20)))) await new Promise((resolve) => socket.once('drain', resolve))
  }
  socket.write(encodeEndOfRib(4))
}

/** Off the clock: what the third neighbour holds in the end. */
function count(messages: readonly Buffer[]): { prefixes: number; announcements: number; digest: string } {
  const options: WireOptions = {
    fourOctetAs: true,
    addPathReceive: [],
    families: [4],
    extendedNextHop: false,
    internal: false,
    maxMessageBytes: 4096,
  }
  const paths = new Map<string, string>()
  let announcements = 0
  for (const message of messages) {
    const read = decodeUpdate(message.subarray(19), options)
    if (isFault(read)) throw new Error(read.reason)
    const path = formatAsPath(read.message.attributes.asPath ?? [])
    for (const prefix of read.message.withdrawn) paths.delete(formatPrefix(prefix))
    for (const prefix of read.message.announced) paths.set(formatPrefix(prefix), path)
    announcements += read.message.announced.length
  }
  const hash = createHash('sha256')
  for (const line of [...paths].map(([prefix, path]) => `${prefix} ${path}\n`).sort()) hash.update(line)
  return { prefixes: paths.size, announcements, digest: hash.digest('hex').slice(0, 12) }
}
