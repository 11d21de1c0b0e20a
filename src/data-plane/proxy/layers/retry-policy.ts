import type { Random } from '../../../base/backoff.ts'
import { compileHeaderMatch, type RequestView } from '../../../policy/traffic/evaluate/index.ts'
import type { RetryOn, RetryPolicy } from '../../../policy/traffic/model/index.ts'
import type { RequestHead, ResponseHead, UpstreamFailure } from '../contract.ts'

/** Which gRPC statuses each condition means. */
const GRPC: Readonly<Partial<Record<RetryOn, number>>> = {
  'grpc-cancelled': 1,
  'grpc-deadline-exceeded': 4,
  'grpc-resource-exhausted': 8,
  'grpc-internal': 13,
  'grpc-unavailable': 14,
}

export interface CompiledRetry {
  readonly policy: RetryPolicy
  /** The policy is for requests like this one. */
  covers(request: RequestHead): boolean
  wantsResponse(head: ResponseHead): boolean
  wantsFailure(failure: UpstreamFailure): boolean
  /** Milliseconds until try number `retry` (1 is the first retry). @param head of the response that is not good enough @param random in [0, 1) */
  delayMs(retry: number, head: ResponseHead | undefined, random: Random, wallMs: number): number
}

/** Source: Envoy documentation, x-envoy-retry-on and x-envoy-retry-grpc-on. @throws MatchError */
export function compileRetry(policy: RetryPolicy): CompiledRetry {
  const on = new Set(policy.on)
  const statuses = new Set(policy.statusCodes)
  const grpc = new Set(policy.on.flatMap((condition) => GRPC[condition] ?? []))
  const requestTests = policy.retriableRequestHeaders?.map(compileHeaderMatch)
  const responseTests = policy.retriableResponseHeaders?.map(compileHeaderMatch)
  const anyFailure = on.has('5xx') || on.has('gateway-error')
  return {
    policy,
    covers: (request) =>
      (!policy.methods || policy.methods.includes(request.method)) && (!requestTests?.length || requestTests.some((test) => test(request))),
    wantsResponse(head) {
      const { status } = head
      if (status >= 500 && (on.has('5xx') || (on.has('gateway-error') && status >= 502 && status <= 504))) return true
      if (status === 409 && on.has('retriable-4xx')) return true
      if (on.has('retriable-status-codes') && statuses.has(status)) return true
      if (on.has('retriable-headers') && responseTests?.some((test) => test(viewOf(head)))) return true
      // trailers alone: nothing of an answer has been sent
      return grpc.size > 0 && head.endsWithHead && grpc.has(Number(head.headers.get('grpc-status') ?? -1))
    },
    wantsFailure({ kind }) {
      switch (kind) {
        case 'overflow':
          return false
        case 'connect':
        case 'connectTimeout':
        case 'tls':
          return anyFailure || on.has('connect-failure')
        case 'refusedStream':
          return anyFailure || on.has('reset') || on.has('refused-stream')
        case 'reset':
        case 'closed':
        case 'protocol':
        case 'perTryTimeout':
          return anyFailure || on.has('reset')
      }
    },
    delayMs(retry, head, random, wallMs) {
      const asked = head && askedDelay(policy, head, wallMs)
      // what the upstream asks for, and a bit more, so that not all come at once
      if (asked !== undefined) return asked * (1 + random() / 2)
      return random() * Math.min(policy.backOff.baseMs * (2 ** retry - 1), policy.backOff.maxMs)
    },
  }
}

function askedDelay({ rateLimitedBackOff }: RetryPolicy, { headers }: ResponseHead, wallMs: number): number | undefined {
  for (const { name, format } of rateLimitedBackOff?.headers ?? []) {
    const value = headers.get(name)
    if (value === undefined || !/^\d{1,12}$/.test(value)) continue
    const ms = format === 'seconds' ? Number(value) * 1_000 : Number(value) * 1_000 - wallMs
    if (ms >= 0 && ms <= (rateLimitedBackOff?.maxMs ?? 0)) return ms
  }
  return undefined
}

const viewOf = ({ headers }: ResponseHead): RequestView => ({ method: '', path: '', authority: '', headers })
