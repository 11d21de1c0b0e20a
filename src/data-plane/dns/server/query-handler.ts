import type { Clock } from '../../../base/clock.ts'
import type { Resolved } from '../forward/answer-cache.ts'
import type { Forwarder } from '../forward/forwarder.ts'
import { CLASS_IN, FLAG, RCODE, TYPE } from '../wire/codes.ts'
import { decodeQuery, HEADER_BYTES } from '../wire/decode.ts'
import { encodeMessage, MAX_MESSAGE_BYTES, PLAIN_UDP_BYTES } from '../wire/encode.ts'
import { opcodeOf, WireFormatError, type Query } from '../wire/message.ts'
import { answer, isOrdinary, type ZoneAnswer } from '../zone/answer.ts'
import type { ZoneSnapshot } from '../zone/zone.ts'
import type { ClientBudget } from './client-budget.ts'
import type { DnsMeters } from './dns-metrics.ts'

export type Transport = 'udp' | 'tcp'

export interface QueryHandlerOptions {
  readonly zone: () => ZoneSnapshot
  readonly forwarder: Forwarder
  readonly budget: ClientBudget
  readonly clock: Clock
  readonly meters: DnsMeters
}

/** What we take over UDP, and the most that we send: what passes everywhere without fragments (DNS flag day 2020). */
const UDP_BYTES = 1_232
/** Answers of the zone that are kept as bytes: so many of late, and as many from before. */
const MAX_KEPT = 16_384

interface Kept {
  readonly bytes: Buffer
  readonly serial: number
  readonly rcode: number
  readonly type: number
}

/** Bytes of a query in, bytes of an answer out. */
export class QueryHandler {
  readonly #options: QueryHandlerOptions
  /** Encoded answers that are the same for everyone, by what of the query they depend on. */
  #kept = new Map<string, Kept>()
  /** The generation before: what of it is asked for again lives on. */
  #keptBefore = new Map<string, Kept>()
  #rotate = 0

  constructor(options: QueryHandlerOptions) {
    this.#options = options
  }

  /**
   * Answers. Bytes that are no query get FORMERR, or nothing when not even that can be said: answers, and what is shorter than a header. Never throws.
   * @returns at once what is known here, a promise where others have to be asked
   */
  handle(bytes: Buffer, client: string, transport: Transport): Buffer | Promise<Buffer> | undefined {
    const { clock, meters, zone } = this.#options
    const begin = clock.monotonic()
    // an answer to an answer would be answered for ever
    if (bytes.length < HEADER_BYTES || (bytes.readUInt16BE(2) & FLAG.QR) !== 0) return undefined
    const key = keptKey(bytes, transport)
    const kept = key === undefined ? undefined : this.#lookUp(key)
    if (kept && kept.serial === zone().serial) {
      const { type, rcode } = kept
      meters.answered({ transport, type, inZone: true, rcode, seconds: (clock.monotonic() - begin) / 1000, bytes: kept.bytes.length })
      return patched(kept.bytes, bytes)
    }
    let query: Query
    try {
      query = decodeQuery(bytes)
    } catch (error) {
      if (!(error instanceof WireFormatError)) throw error
      return formatError(bytes)
    }
    return this.#answer(query, { client, transport, key, begin })
  }

  #answer(query: Query, from: Asked): Buffer | Promise<Buffer> {
    const { question, edns, flags } = query
    if (opcodeOf(flags) !== 0) return this.#reply(query, from, failure(RCODE.NOTIMP))
    if (edns && edns.version > 0) return this.#reply(query, from, failure(RCODE.BADVERS))
    if (!isOrdinary(question)) return this.#reply(query, from, failure(RCODE.REFUSED))
    const zone = this.#options.zone()
    const found = answer(question, zone, this.#rotate++ & 0xffff)
    if (!found) return this.#forward(query, from)
    if (found.chase !== undefined) return this.#chase(query, from, found)
    const bytes = this.#reply(query, from, { ...found, isOurs: true })
    if (from.key !== undefined && found.answers.length <= 1) {
      this.#keep(from.key, { bytes: Buffer.from(bytes), serial: zone.serial, rcode: found.rcode, type: question.type })
    }
    return bytes
  }

  #keep(key: string, kept: Kept): void {
    if (this.#kept.size >= MAX_KEPT) {
      this.#keptBefore = this.#kept
      this.#kept = new Map()
    }
    this.#kept.set(key, kept)
  }

  #lookUp(key: string): Kept | undefined {
    const found = this.#kept.get(key)
    if (found) return found
    const before = this.#keptBefore.get(key)
    if (before) this.#keep(key, before)
    return before
  }

  #forward(query: Query, from: Asked): Buffer | Promise<Buffer> {
    return this.#ask(query, from, query.question, (resolved) => this.#reply(query, from, resolved))
  }

  /** An alias of the cluster that leads out of it: the rest comes from there. */
  #chase(query: Query, from: Asked, found: ZoneAnswer): Buffer | Promise<Buffer> {
    const { type } = query.question
    const reply = (rest: Resolved): Buffer =>
      this.#reply(query, from, { ...rest, rcode: rest.rcode, answers: [...found.answers, ...rest.answers], isOurs: true })
    if (type === TYPE.CNAME || type === TYPE.ANY) return this.#reply(query, from, { ...found, isOurs: true })
    return this.#ask(query, from, { name: found.chase ?? '\0', type, class: CLASS_IN }, reply)
  }

  #ask(query: Query, from: Asked, question: Query['question'], reply: (resolved: Resolved) => Buffer): Buffer | Promise<Buffer> {
    const { forwarder, budget, meters } = this.#options
    const wishes = { dnssecOk: query.edns?.dnssecOk === true, checkingDisabled: (query.flags & FLAG.CD) !== 0 }
    const cached = forwarder.cached(question, wishes)
    if (cached) return reply(cached)
    if (!budget.take(from.client)) {
      meters.rejected()
      return this.#reply(query, from, failure(RCODE.SERVFAIL))
    }
    return forwarder
      .resolve(question, wishes)
      .then(reply)
      .finally(() => budget.release(from.client))
  }

  #reply(query: Query, from: Asked, content: Content): Buffer {
    const { transport, begin } = from
    const { question, edns, flags } = query
    const maxBytes =
      transport === 'tcp' ? MAX_MESSAGE_BYTES : Math.max(PLAIN_UDP_BYTES, Math.min(edns?.udpBytes ?? PLAIN_UDP_BYTES, UDP_BYTES))
    const own = content.isOurs === true ? FLAG.AA : content.authentic ? FLAG.AD : 0
    const bytes = encodeMessage(
      {
        ...content,
        id: query.id,
        // opcode, RD and CD are the client's
        flags: (flags & (0x7800 | FLAG.RD | FLAG.CD)) | FLAG.QR | FLAG.RA | own,
        question,
        edns: edns && { udpBytes: UDP_BYTES, version: 0, dnssecOk: edns.dnssecOk },
      },
      maxBytes,
    )
    const seconds = (this.#options.clock.monotonic() - begin) / 1000
    this.#options.meters.answered({
      transport,
      type: question.type,
      inZone: content.isOurs === true,
      rcode: content.rcode,
      seconds,
      bytes: bytes.length,
    })
    return bytes
  }
}

interface Asked {
  readonly client: string
  readonly transport: Transport
  readonly key: string | undefined
  readonly begin: number
}

type Content = Omit<Resolved, 'authentic'> & { readonly authentic?: boolean; readonly isOurs?: boolean }

const failure = (rcode: number): Content => ({ rcode, answers: [], authorities: [], additionals: [] })

/** Everything of a short query but its id; the rest of long ones is not worth the memory. */
function keptKey(bytes: Buffer, transport: Transport): string | undefined {
  return bytes.length > 160 ? undefined : `${transport[0]}${bytes.toString('latin1', 2)}`
}

function patched(kept: Buffer, query: Buffer): Buffer {
  const bytes = Buffer.from(kept)
  bytes[0] = query[0] as number
  bytes[1] = query[1] as number
  return bytes
}

/** FORMERR with nothing but the header: what is behind it could not be read. */
function formatError(query: Buffer): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES)
  query.copy(bytes, 0, 0, 2)
  bytes.writeUInt16BE(FLAG.QR | (query.readUInt16BE(2) & (0x7800 | FLAG.RD)) | RCODE.FORMERR, 2)
  return bytes
}
