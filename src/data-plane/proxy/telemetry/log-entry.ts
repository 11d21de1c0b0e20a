import type { Downstream, ExchangeSummary } from '../contract.ts'

/** One request, or one connection that is not HTTP, as lines of the access log are made of it. */
export interface LogEntry {
  /** Wall clock, milliseconds since 1970. */
  startMs: number
  connection: Downstream
  summary: ExchangeSummary
  /** Values of headers that the format asks for, in its order. */
  captured: readonly (string | undefined)[]
  upstreamHost: string | undefined
  upstreamCluster: string | undefined
  upstreamFailure: string | undefined
  /** Milliseconds until the response's head came; -1: none did. */
  upstreamMs: number
  attempts: number
  route: string | undefined
  virtualHost: string | undefined
  /** Why a connection ended that is not HTTP. */
  termination: string | undefined
}
