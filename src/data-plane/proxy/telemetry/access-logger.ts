import type { Clock } from '../../../base/clock.ts'
import type { ExchangeSummary, RequestHead, ResponseHead } from '../contract.ts'
import type { RequestState } from '../layers/request-state.ts'
import type { LogEntry } from './log-entry.ts'
import type { LogFormat } from './log-format.ts'

/** Takes lines; never blocks, never throws. */
export interface LineWriter {
  write(line: string): void
}

/** Writes a line for each exchange. Values are read from messages only where the format asks for them. */
export class AccessLogger {
  readonly #format: LogFormat
  readonly #writer: LineWriter
  readonly #clock: Clock
  /** Which of the manager's logs this is. */
  readonly #index: number
  readonly #hasTrailers: boolean
  /** One for all lines: made of and forgotten at once. */
  #entry: LogEntry | undefined

  constructor(format: LogFormat, writer: LineWriter, clock: Clock, index = 0) {
    this.#format = format
    this.#writer = writer
    this.#clock = clock
    this.#index = index
    this.#hasTrailers = format.headers.some(({ of }) => of === 'trailer')
  }

  /** The response's head goes out: header values are there for the last time. */
  capture(state: RequestState, head: ResponseHead | undefined): void {
    const { request } = state.exchange
    const values: (string | undefined)[] = []
    for (const { of, names } of this.#format.headers)
      values.push(valueOf(of === 'request' ? request : of === 'response' ? head : undefined, names))
    state.captured ??= []
    state.captured[this.#index] = values
    if (!this.#hasTrailers) return
    state.exchange.onTrailers((trailers) => {
      for (const [i, { of, names }] of this.#format.headers.entries())
        if (of === 'trailer') values[i] = valueOf({ headers: trailers }, names)
    })
  }

  write(state: RequestState, summary: ExchangeSummary): void {
    if (!state.captured?.[this.#index]) this.capture(state, undefined)
    const entry = (this.#entry ??= {} as LogEntry)
    const { found, host, cluster, upstreamFailure } = state
    entry.startMs = this.#clock.now() - summary.durationMs
    entry.connection = state.exchange.connection
    entry.summary = summary
    entry.captured = state.captured?.[this.#index] ?? []
    entry.upstreamHost = host?.name
    entry.upstreamCluster = cluster?.config.name
    entry.upstreamFailure = upstreamFailure
    entry.upstreamMs = state.upstreamMs
    entry.attempts = state.attempts
    entry.route = found?.route.name
    entry.virtualHost = found?.virtualHost.name
    entry.termination = undefined
    this.#writer.write(this.#format.format(entry))
  }

  /** A connection that is not HTTP has ended. */
  writeConnection(entry: LogEntry): void {
    this.#writer.write(this.#format.format(entry))
  }
}

/** The first field of a name, as Envoy logs it. */
function valueOf(
  head: RequestHead | ResponseHead | Pick<ResponseHead, 'headers'> | undefined,
  names: readonly string[],
): string | undefined {
  if (!head) return undefined
  for (const name of names) {
    const value = name.charCodeAt(0) === 58 && 'method' in head ? pseudoHeader(head, name) : head.headers.get(name)
    if (value !== undefined) return value
  }
  return undefined
}

function pseudoHeader(head: RequestHead, name: string): string | undefined {
  switch (name) {
    case ':method':
      return head.method
    case ':path':
      return head.path
    case ':authority':
      return head.authority
    case ':scheme':
      return head.scheme
    default:
      return undefined
  }
}
