import type { ExchangeSummary, ResponseHead } from '../contract.ts'
import type { RequestState } from '../layers/request-state.ts'

/** Writes a line for each exchange. */
export interface AccessLogger {
  /** The response's head goes out: header values are there for the last time. */
  capture(state: RequestState, head: ResponseHead): void
  write(state: RequestState, summary: ExchangeSummary): void
}
