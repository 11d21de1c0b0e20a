import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Tracing } from '../../../policy/traffic/model/index.ts'
import { encodeSpans, encodeZipkin, type Span } from '../../../protocols/tracing/index.ts'

/** Sends a finished document. @throws what went wrong */
export type PostJson = (url: string, body: string) => Promise<void>

export interface SpanExporterOptions {
  readonly backend: Tracing['backend']
  /** `service.name` of the proxy's spans. */
  readonly service: string
  /** What else is known of the proxy, such as `k8s.pod.name`. */
  readonly resource: Readonly<Record<string, string>>
  readonly post: PostJson
  readonly clock: Clock
  readonly log: Logger
}

const EVERY_MS = 1_000
const BATCH = 512
/** Spans that wait while nobody takes them; the oldest go first. */
const MAX_WAITING = 4_096

/** Collects spans and sends them in batches. A backend that is away costs spans, never requests. */
export class SpanExporter {
  readonly #options: SpanExporterOptions
  readonly #waiting: Span[] = []
  #timer: Timer | undefined
  #sending: Promise<void> | undefined
  #failures = 0
  dropped = 0
  sent = 0

  constructor(options: SpanExporterOptions) {
    this.#options = options
  }

  add(span: Span): void {
    this.#waiting.push(span)
    if (this.#waiting.length > MAX_WAITING) {
      this.#waiting.shift()
      this.dropped++
    }
    if (this.#waiting.length >= BATCH && this.#failures === 0) void this.flush()
    else this.#timer ??= this.#options.clock.after(EVERY_MS, () => void this.flush())
  }

  /** Resolves when what waits now was sent, or was not taken. */
  flush(): Promise<void> {
    this.#timer?.cancel()
    this.#timer = undefined
    this.#sending ??= this.#send().finally(() => {
      this.#sending = undefined
      if (this.#waiting.length > 0) this.#timer ??= this.#options.clock.after(EVERY_MS, () => void this.flush())
    })
    return this.#sending
  }

  async #send(): Promise<void> {
    const { backend, service, resource, post, log } = this.#options
    while (this.#waiting.length > 0) {
      const batch = this.#waiting.slice(0, BATCH)
      try {
        await (backend.type === 'zipkin'
          ? post(backend.url, encodeZipkin(service, batch))
          : post(tracesUrl(backend), encodeSpans({ 'service.name': service, ...resource }, batch)))
      } catch (error) {
        // said once for each outage
        if (this.#failures++ === 0) log.warn('spans cannot be delivered', { error: messageOf(error) })
        return
      }
      this.#failures = 0
      this.sent += batch.length
      // some may have been dropped from the front meanwhile
      for (const span of batch) if (this.#waiting[0] === span) this.#waiting.shift()
    }
  }
}

/** Datadog's agent takes OTLP too, at its own address. */
function tracesUrl(backend: Exclude<Tracing['backend'], { readonly type: 'zipkin' }>): string {
  const endpoint = backend.type === 'otlp' ? backend.endpoint : backend.address
  const base = /^https?:\/\//.test(endpoint) ? endpoint : `http://${endpoint}`
  return base.endsWith('/v1/traces') ? base : `${base.replace(/\/$/, '')}/v1/traces`
}
