import { sleep, type Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import { FLAG, RCODE, rcodeName } from '../wire/codes.ts'
import type { Question } from '../wire/message.ts'
import { lowerName } from '../wire/name.ts'
import { AnswerCache, resolvedOf, type CacheLimits, type Resolved } from './answer-cache.ts'
import { exchange } from './exchange.ts'
import { upstreamsFor, type ForwardingPlan, type Upstream } from './plan-forwarding.ts'
import { keyOf, UpstreamHealth } from './upstream-health.ts'

export interface ForwarderOptions {
  readonly clock: Clock
  /** 0 <= x < 1: the order of servers. */
  readonly random: () => number
  /** 0 to 65,535, not to be guessed. */
  readonly randomId: () => number
  readonly log: Logger
  readonly metrics: Metrics
  readonly plan: ForwardingPlan
  readonly limits?: CacheLimits
  /** For one server. Default 1,500. */
  readonly timeoutMs?: number
}

/** What a client wants beside the question. */
export interface Wishes {
  readonly dnssecOk: boolean
  readonly checkingDisabled: boolean
}

/** Servers asked for one question: with their timeouts this stays below the 5 s that clients wait. */
const MAX_ATTEMPTS = 3
const TIMEOUT_MS = 1_500
/** A client who could have a stale answer waits no longer for a fresh one. Source: RFC 8767, section 5. */
const STALE_AFTER_MS = 1_800
/** After a failure, stale answers are given at once for so long. */
const STALE_RECHECK_MS = 5_000
const UDP_BYTES = 1_232
const FAILED: Resolved = { rcode: RCODE.SERVFAIL, answers: [], authorities: [], additionals: [], authentic: false }

/** Asks others, remembers what they say, and says it again when they are silent. */
export class Forwarder {
  readonly #options: ForwarderOptions
  readonly #cache: AnswerCache
  readonly #health = new UpstreamHealth()
  /** Questions that are being asked: who asks the same waits for the same answer, so a question that comes back to us goes round once. */
  readonly #asking = new Map<string, Promise<Resolved>>()
  readonly #failedAtMs = new Map<string, number>()
  readonly #meters: ForwardMeters
  #plan: ForwardingPlan

  constructor(options: ForwarderOptions) {
    this.#options = options
    this.#plan = options.plan
    this.#meters = forwardMeters(options.metrics)
    this.#cache = new AnswerCache({ ...(options.limits ? { limits: options.limits } : {}), onEvicted: () => this.#meters.evictions.inc() })
    options.metrics.onRender(() => this.#meters.entries.set(this.#cache.size))
  }

  /** Questions from now on go where `plan` says. Answers of other servers are forgotten. */
  setPlan(plan: ForwardingPlan): void {
    if (JSON.stringify(plan) === JSON.stringify(this.#plan)) return
    this.#plan = plan
    this.#cache.clear()
    this.#failedAtMs.clear()
    // who asks from now on does not wait for those that were asked before
    this.#asking.clear()
  }

  /** The answer when it is at hand. */
  cached(question: Question, wishes: Wishes): Resolved | undefined {
    const key = cacheKey(question, wishes)
    const now = this.#options.clock.monotonic()
    const found = this.#cache.get(key, now)
    this.#meters.lookups.inc()
    const isUsable = found && (!found.stale || now - (this.#failedAtMs.get(key) ?? -Infinity) < STALE_RECHECK_MS)
    if (!isUsable) {
      this.#meters.misses.inc()
      return undefined
    }
    if (found.stale) this.#meters.stale.inc()
    else this.#meters.hits(found.resolved.rcode === RCODE.NOERROR ? 'success' : 'denial').inc()
    return found.resolved
  }

  /** Asks. Never rejects: what cannot be had is SERVFAIL, or an answer that was right some time ago. */
  async resolve(question: Question, wishes: Wishes): Promise<Resolved> {
    const { clock } = this.#options
    const key = cacheKey(question, wishes)
    let asking = this.#asking.get(key)
    if (!asking) {
      const asked = this.#ask(question, wishes, key).finally(() => {
        if (this.#asking.get(key) === asked) this.#asking.delete(key)
      })
      this.#asking.set(key, asked)
      asking = asked
    }
    const known = this.#cache.get(key, clock.monotonic())
    if (!known || known.resolved.rcode === RCODE.SERVFAIL) return asking
    const patience = new AbortController()
    const timeUp = sleep(clock, STALE_AFTER_MS, patience.signal).then(
      () => undefined,
      () => undefined,
    )
    const fresh = await Promise.race([asking, timeUp])
    patience.abort()
    if (fresh && fresh.rcode !== RCODE.SERVFAIL) return fresh
    this.#meters.stale.inc()
    this.#setFailed(key)
    return known.resolved
  }

  #setFailed(key: string): void {
    if (this.#failedAtMs.size > 10_000) this.#failedAtMs.clear()
    this.#failedAtMs.set(key, this.#options.clock.monotonic())
  }

  async #ask(question: Question, wishes: Wishes, key: string): Promise<Resolved> {
    const { clock, random } = this.#options
    const plan = this.#plan
    const upstreams = this.#health.order(upstreamsFor(lowerName(question.name), plan), clock.monotonic(), random)
    let last = FAILED
    for (let attempt = 0; attempt < MAX_ATTEMPTS && upstreams.length > 0; attempt++) {
      // with a single server, a lost datagram deserves a second one
      const upstream = upstreams[attempt % upstreams.length] as Upstream
      const found = await this.#askOne(upstream, question, wishes)
      if (!found) continue
      last = found
      if (found.rcode !== RCODE.SERVFAIL && found.rcode !== RCODE.REFUSED) break
    }
    const resolved = { ...last, rcode: last.rcode === RCODE.REFUSED ? RCODE.SERVFAIL : last.rcode }
    // others are in charge of the name by now
    if (plan !== this.#plan) return resolved
    if (resolved.rcode !== RCODE.SERVFAIL) this.#failedAtMs.delete(key)
    this.#cache.put(key, resolved, clock.monotonic())
    return resolved
  }

  async #askOne(upstream: Upstream, question: Question, { dnssecOk, checkingDisabled }: Wishes): Promise<Resolved | undefined> {
    const { clock, randomId, log, timeoutMs = TIMEOUT_MS } = this.#options
    const to = keyOf(upstream)
    const begin = clock.monotonic()
    this.#meters.requests(to).inc()
    try {
      const ask = {
        question,
        flags: FLAG.RD | (checkingDisabled ? FLAG.CD : 0),
        edns: { udpBytes: UDP_BYTES, version: 0, dnssecOk },
        timeoutMs,
      }
      const message = await exchange(upstream, ask, { clock, randomId })
      this.#health.succeeded(upstream)
      this.#meters.answered(to, rcodeName(message.rcode), (clock.monotonic() - begin) / 1000)
      return resolvedOf(message, (message.flags & FLAG.AD) !== 0)
    } catch (error) {
      this.#health.failed(upstream, clock.monotonic())
      this.#meters.failures(to).inc()
      log.debug('upstream gave no answer', { upstream: to, error })
      return undefined
    }
  }
}

function cacheKey({ name, type }: Question, { dnssecOk, checkingDisabled }: Wishes): string {
  return `${type}${dnssecOk ? 'd' : ''}${checkingDisabled ? 'c' : ''} ${lowerName(name)}`
}

type ForwardMeters = ReturnType<typeof forwardMeters>

function forwardMeters(metrics: Metrics) {
  const requests = metrics.counter('coredns_forward_requests_total', 'Counter of requests made per upstream.', ['to'])
  const responses = metrics.counter('coredns_forward_responses_total', 'Counter of responses received per upstream.', ['to', 'rcode'])
  const durations = metrics.histogram('coredns_forward_request_duration_seconds', 'Histogram of the time each request took.', [
    'to',
    'rcode',
  ])
  const failures = metrics.counter('coredns_forward_healthcheck_failures_total', 'Counter of the number of failed healthchecks.', ['to'])
  const hits = metrics.counter('coredns_cache_hits_total', 'The count of cache hits.', ['type'])
  return {
    requests: (to: string) => requests.with(to),
    answered: (to: string, rcode: string, seconds: number) => {
      responses.with(to, rcode).inc()
      durations.with(to, rcode).observe(seconds)
    },
    failures: (to: string) => failures.with(to),
    hits: (type: 'success' | 'denial') => hits.with(type),
    lookups: metrics.counter('coredns_cache_requests_total', 'The count of cache requests.').with(),
    misses: metrics.counter('coredns_cache_misses_total', 'The count of cache misses.').with(),
    stale: metrics.counter('coredns_cache_served_stale_total', 'The number of requests served from stale cache entries.').with(),
    evictions: metrics.counter('coredns_cache_evictions_total', 'The count of cache evictions.').with(),
    entries: metrics.gauge('coredns_cache_entries', 'The number of elements in the cache.').with(),
  }
}
