import { RCODE, TYPE } from '../wire/codes.ts'
import { soaMinimum } from '../wire/encode.ts'
import type { DnsRecord, Message } from '../wire/message.ts'

/** What is kept of an answer, and handed on. */
export interface Resolved {
  readonly rcode: number
  readonly answers: readonly DnsRecord[]
  readonly authorities: readonly DnsRecord[]
  readonly additionals: readonly DnsRecord[]
  /** The server says that it has checked signatures. */
  readonly authentic: boolean
}

interface Entry {
  readonly bytes: number
  readonly resolved: Resolved
  readonly storedAtMs: number
  readonly freshUntilMs: number
}

export interface CacheLimits {
  readonly entries: number
  /** Of all answers together, roughly. */
  readonly bytes: number
  /** Seconds. */
  readonly maxTtl: number
  readonly maxNegativeTtl: number
  /** How long after its end an answer may be used while nobody gives a new one. */
  readonly maxStale: number
}

/**
 * CoreDNS' own, but for the time that stale answers live (RFC 8767, section 5: days), and for the bytes: whoever owns a zone can make each answer 64 KiB
 * of small records.
 */
export const DEFAULT_LIMITS: CacheLimits = {
  entries: 9_984,
  bytes: 64 * 1024 * 1024,
  maxTtl: 3_600,
  maxNegativeTtl: 1_800,
  maxStale: 86_400,
}
/** TTL of stale answers, seconds. Source: RFC 8767, section 5. */
const STALE_TTL_S = 30
/** A failure is kept for a moment, so that it is not asked for again and again (RFC 9520, section 3.2). */
const FAILURE_TTL_S = 1

/** Seconds that an answer may be kept; 0: not at all. Sources: RFC 2308, section 5; RFC 2181, section 5.2. Pure. */
export function cacheableSeconds(resolved: Resolved, limits: CacheLimits): number {
  const { rcode, answers, authorities } = resolved
  if (rcode === RCODE.SERVFAIL) return FAILURE_TTL_S
  if (rcode !== RCODE.NOERROR && rcode !== RCODE.NXDOMAIN) return 0
  const shortest = answers.reduce((least, each) => Math.min(least, each.ttl), Infinity)
  if (rcode === RCODE.NOERROR && answers.length > 0 && !endsInAlias(answers)) return Math.min(shortest, limits.maxTtl)
  const soa = authorities.find((each) => each.type === TYPE.SOA)
  return soa ? Math.min(soa.ttl, soaMinimum(soa.data), shortest, limits.maxNegativeTtl) : 0
}

/** Only aliases: the name they lead to has no data of the type. */
const endsInAlias = (answers: readonly DnsRecord[]): boolean => answers.every((each) => each.type === TYPE.CNAME)

/** What a record takes beside its name and data: objects and their heads. */
const RECORD_BYTES = 200

function bytesOf({ answers, authorities, additionals }: Resolved): number {
  return [answers, authorities, additionals]
    .flat()
    .reduce((sum, { name, data }) => sum + RECORD_BYTES + name.length + data.length, RECORD_BYTES)
}

/** Answers of others, positive and negative, the least recently used dropped first. */
export class AnswerCache {
  readonly #limits: CacheLimits
  readonly #entries = new Map<string, Entry>()
  #bytes = 0
  readonly #evicted: () => void

  constructor(options: { readonly limits?: CacheLimits; readonly onEvicted?: () => void } = {}) {
    this.#limits = options.limits ?? DEFAULT_LIMITS
    this.#evicted = options.onEvicted ?? ((): void => {})
  }

  get size(): number {
    return this.#entries.size
  }

  /** An answer with what is left of its TTLs. @param nowMs monotonic */
  get(key: string, nowMs: number): { readonly resolved: Resolved; readonly stale: boolean } | undefined {
    const entry = this.#entries.get(key)
    if (!entry) return undefined
    const staleMs = entry.resolved.rcode === RCODE.SERVFAIL ? 0 : this.#limits.maxStale * 1000
    if (nowMs >= entry.freshUntilMs + staleMs) {
      this.#drop(key, entry)
      return undefined
    }
    this.#entries.delete(key)
    this.#entries.set(key, entry)
    const stale = nowMs >= entry.freshUntilMs
    const age = Math.floor((nowMs - entry.storedAtMs) / 1000)
    return { resolved: withTtls(entry.resolved, (ttl) => (stale ? STALE_TTL_S : Math.max(0, ttl - age))), stale }
  }

  put(key: string, resolved: Resolved, nowMs: number): void {
    const seconds = cacheableSeconds(resolved, this.#limits)
    if (seconds <= 0) return
    // whatever went wrong is no reason to forget what was right
    if (resolved.rcode === RCODE.SERVFAIL && this.get(key, nowMs)) return
    const bytes = bytesOf(resolved)
    const before = this.#entries.get(key)
    if (before) this.#drop(key, before)
    this.#entries.set(key, { bytes, resolved, storedAtMs: nowMs, freshUntilMs: nowMs + seconds * 1000 })
    this.#bytes += bytes
    for (const [oldest, entry] of this.#entries) {
      if (this.#entries.size <= this.#limits.entries && this.#bytes <= this.#limits.bytes) return
      this.#drop(oldest, entry)
      this.#evicted()
    }
  }

  #drop(key: string, { bytes }: Entry): void {
    this.#entries.delete(key)
    this.#bytes -= bytes
  }

  clear(): void {
    this.#entries.clear()
    this.#bytes = 0
  }
}

function withTtls(resolved: Resolved, change: (ttl: number) => number): Resolved {
  const each = (records: readonly DnsRecord[]): readonly DnsRecord[] => records.map((one) => ({ ...one, ttl: change(one.ttl) }))
  return { ...resolved, answers: each(resolved.answers), authorities: each(resolved.authorities), additionals: each(resolved.additionals) }
}

/** What of a server's answer is handed on. */
export function resolvedOf(message: Message, authentic: boolean): Resolved {
  const { rcode, answers, authorities, additionals } = message
  return { rcode, answers, authorities, additionals, authentic }
}
