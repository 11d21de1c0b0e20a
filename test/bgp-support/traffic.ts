import { createSocket, type Socket } from 'node:dgram'
import { setTimeout as delay } from 'node:timers/promises'
import { parseIp } from '../../src/base/ip.ts'
import { loadLibc } from '../../src/base/linux/libc.ts'
import { LINUX, socketAddress } from '../../src/control-plane/routing/session/tcp-options.ts'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

export interface TrafficResult {
  readonly sent: number
  readonly lost: number
  /** When those were sent that were lost, milliseconds after the start. */
  readonly lostAtMs: readonly number[]
}

/** A datagram every 5 ms, each of which must be answered. */
export interface LabTraffic {
  /** @returns once the last answer had its time */
  stop(): Promise<TrafficResult>
}

const PORT = 9_999
const EVERY_MS = 5
const LAST_ANSWER_MS = 1_000

/** From a host to an address of another, which echoes. Starts once the first datagram is answered. */
export async function startTraffic(from: LabHost, to: LabHost, address: string): Promise<LabTraffic> {
  const echo = open(to, PORT)
  echo.on('message', (message, { port, address }) => echo.send(message, port, address))
  const client = open(from, 0)
  const answered = new Set<number>()
  client.on('message', (message) => void answered.add(message.readUInt32BE(0)))
  // a destination that cannot be reached is a lost datagram, not the end of the test
  for (const socket of [echo, client]) socket.on('error', () => {})
  let sent = 0
  const startMs = performance.now()
  let sentAtMs: number[] = []
  const send = (): void => {
    sentAtMs.push(performance.now() - startMs)
    const message = Buffer.alloc(4)
    message.writeUInt32BE(sent++)
    client.send(message, PORT, address, () => {})
  }
  await poll(`${address} answers`, () => {
    send()
    return answered.size > 0 ? true : undefined
  })
  answered.clear()
  sentAtMs = []
  sent = 1_000_000
  const first = sent
  const timer = setInterval(send, EVERY_MS)
  let ended: TrafficResult | undefined
  return {
    async stop() {
      if (ended) return ended
      clearInterval(timer)
      const total = sent - first
      await poll('the last answers', () => (answered.size >= total ? true : undefined), { withinMs: LAST_ANSWER_MS, everyMs: 20 }).catch(
        () => {},
      )
      await delay(0)
      echo.close()
      client.close()
      const lost = Array.from({ length: total }, (_, i) => i).filter((i) => !answered.has(first + i))
      ended = { sent: total, lost: lost.length, lostAtMs: lost.map((i) => Math.round(sentAtMs[i] as number)) }
      return ended
    },
  }
}

function open(host: LabHost, port: number): Socket {
  const libc = loadLibc()
  const fd = host.inside(() => libc.socket(LINUX.AF_INET, LINUX.SOCK_DGRAM | LINUX.SOCK_NONBLOCK | LINUX.SOCK_CLOEXEC, 0))
  libc.bind(fd, socketAddress(parseIp('0.0.0.0') as Uint8Array, port))
  const socket = createSocket('udp4')
  socket.bind({ fd })
  return socket
}
