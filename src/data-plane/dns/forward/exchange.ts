import { createSocket } from 'node:dgram'
import { connect, isIPv6 } from 'node:net'
import type { Clock } from '../../../base/clock.ts'
import { FLAG } from '../wire/codes.ts'
import { decodeMessage } from '../wire/decode.ts'
import { encodeQuery } from '../wire/encode.ts'
import { opcodeOf, type Edns, type Message, type Question } from '../wire/message.ts'
import { lowerName } from '../wire/name.ts'
import type { Upstream } from './plan-forwarding.ts'

export interface Exchange {
  readonly question: Question
  /** Of the query: RD and CD. */
  readonly flags: number
  readonly edns: Edns
  readonly timeoutMs: number
}

/** Why a server gave no answer. */
export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly code: 'Timeout' | 'Unreachable' | 'Closed'

  constructor(code: 'Timeout' | 'Unreachable' | 'Closed', message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Answers with the wrong id or question that are ignored before a server is taken for hostile. */
const MAX_FORGERIES = 20

/**
 * Asks one server: over UDP from a port of its own, and over TCP when the answer does not fit. The port is the kernel's choice and the
 * id random, and an answer must match both and the question (RFC 5452). @throws ExchangeError
 */
export async function exchange(
  upstream: Upstream,
  ask: Exchange,
  deps: { readonly clock: Clock; readonly randomId: () => number },
): Promise<Message> {
  const found = await overUdp(upstream, ask, deps)
  return (found.flags & FLAG.TC) === 0 ? found : overTcp(upstream, ask, deps)
}

function overUdp(
  upstream: Upstream,
  ask: Exchange,
  { clock, randomId }: { readonly clock: Clock; readonly randomId: () => number },
): Promise<Message> {
  return new Promise((resolve, reject) => {
    const id = randomId()
    const socket = createSocket(isIPv6(upstream.host) ? 'udp6' : 'udp4')
    let forgeries = 0
    let isOver = false
    const finish = (settle: () => void): void => {
      if (isOver) return
      isOver = true
      timer.cancel()
      socket.close()
      settle()
    }
    const fail = (error: ExchangeError): void => finish(() => reject(error))
    const timer = clock.after(ask.timeoutMs, () => fail(new ExchangeError('Timeout', 'no answer in time')))
    const unreachable = (error: Error): void => fail(new ExchangeError('Unreachable', 'server cannot be reached', { cause: error }))
    socket.on('error', unreachable)
    socket.on('message', (bytes) => {
      const found = matching(bytes, id, ask.question)
      if (found) finish(() => resolve(found))
      else if (++forgeries > MAX_FORGERIES) fail(new ExchangeError('Closed', 'too many answers to other questions'))
    })
    // only datagrams of this very server come through
    socket.connect(upstream.port, upstream.host, (error?: Error) => {
      if (error) return unreachable(error)
      if (isOver) return
      socket.send(encodeQuery(id, ask.question, ask), (failed) => {
        if (failed) unreachable(failed)
      })
    })
  })
}

function overTcp(
  upstream: Upstream,
  ask: Exchange,
  { clock, randomId }: { readonly clock: Clock; readonly randomId: () => number },
): Promise<Message> {
  return new Promise((resolve, reject) => {
    const id = randomId()
    const socket = connect(upstream.port, upstream.host)
    let received = Buffer.alloc(0)
    const finish = (settle: () => void): void => {
      timer.cancel()
      socket.destroy()
      settle()
    }
    const fail = (error: ExchangeError): void => finish(() => reject(error))
    const timer = clock.after(ask.timeoutMs, () => fail(new ExchangeError('Timeout', 'no answer in time over TCP')))
    socket.on('error', (error) => fail(new ExchangeError('Unreachable', 'server cannot be reached over TCP', { cause: error })))
    socket.once('close', () => fail(new ExchangeError('Closed', 'connection closed before the answer')))
    socket.once('connect', () => {
      const query = encodeQuery(id, ask.question, ask)
      const length = Buffer.alloc(2)
      length.writeUInt16BE(query.length)
      socket.write(Buffer.concat([length, query]))
    })
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (received.length < 2 || received.length < 2 + received.readUInt16BE(0)) return
      const found = matching(received.subarray(2, 2 + received.readUInt16BE(0)), id, ask.question)
      if (found) finish(() => resolve(found))
      else fail(new ExchangeError('Closed', 'answer to another question'))
    })
  })
}

/** The answer, when it is one to this question. */
function matching(bytes: Uint8Array, id: number, question: Question): Message | undefined {
  let message: Message
  try {
    message = decodeMessage(bytes)
  } catch {
    return undefined
  }
  const [asked] = message.questions
  const isAnswer = message.id === id && (message.flags & FLAG.QR) !== 0 && opcodeOf(message.flags) === 0
  if (!isAnswer || !asked || asked.type !== question.type || asked.class !== question.class) return undefined
  return lowerName(asked.name) === lowerName(question.name) ? message : undefined
}
