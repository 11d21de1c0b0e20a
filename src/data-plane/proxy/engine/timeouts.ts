import type { ResponseFlag } from '../contract.ts'

/** What may take too long. */
export type TimeoutKind = 'request' | 'response' | 'idle' | 'maxDuration'

/** What a client is told, in Envoy's words. */
export const TIMEOUTS: Readonly<
  Record<TimeoutKind, { readonly flag: ResponseFlag; readonly details: string; readonly status: number; readonly body: string }>
> = {
  request: { flag: 'DPE', details: 'request_overall_timeout', status: 408, body: 'request timeout' },
  response: { flag: 'UT', details: 'response_timeout', status: 504, body: 'upstream request timeout' },
  idle: { flag: 'SI', details: 'stream_idle_timeout', status: 408, body: 'stream timeout' },
  maxDuration: { flag: 'UMSDR', details: 'max_duration_timeout', status: 504, body: 'upstream max stream duration reached' },
}
