import { isStatus, StatusError } from '../../../base/errors.ts'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import { refusal } from '../authz/authorizer.ts'
import { requestInfo } from '../authz/request-info.ts'
import type { Authorizer, Handler, RequestInfo, ServerRequest, ServerResponse } from '../contract.ts'
import type { RequestMetrics } from '../handlers/request-metrics.ts'
import { normalizePath } from './normalize-path.ts'

/** A request whose path has been read. */
export type RoutedRequest = ServerRequest & { readonly info: RequestInfo }

export interface PipelineOptions {
  readonly authorizer: Authorizer
  readonly log: Logger
  readonly clock: Clock
  readonly metrics: RequestMetrics
  /** Everything that can be asked for. */
  readonly route: (request: RoutedRequest) => Promise<ServerResponse>
  /** Whether whoever answers this also counts it. */
  readonly countsItself: (info: RequestInfo) => boolean
}

/**
 * What every request passes, over HTTPS and in-process alike: one reading of the path, authorization, the route, metrics. Anything thrown that is
 * no StatusError is logged once and answered as an internal error without its text.
 */
export function createPipeline(options: PipelineOptions): Handler {
  const { authorizer, metrics, log, clock, route, countsItself } = options
  return async (incoming) => {
    const request = incoming.info ? (incoming as RoutedRequest) : readPath(incoming)
    const { info } = request
    const startMs = clock.monotonic()
    let counted = false
    const count = (code: number): void => {
      // names that clients made up are not labels
      if (!counted)
        metrics.record(
          { ...info, group: '', version: '', namespace: '', resource: '', subresource: '', name: '' },
          { code, dryRun: false, startMs },
        )
    }
    try {
      const decision = await authorizer.authorize(request.user, info)
      if (!decision.allowed) throw refusal(request.user, info, decision.reason)
      counted = countsItself(info)
      const answer = await route(request)
      count(answer.status)
      return answer
    } catch (error) {
      // whoever aborted knows why
      if (request.signal?.aborted && !isStatus(error)) throw error
      const status = statusOf(error, request, log)
      count(status.code)
      throw status
    }
  }
}

function readPath(request: ServerRequest): RoutedRequest {
  const path = normalizePath(request.path)
  return { ...request, path, info: requestInfo({ ...request, path }) }
}

function statusOf(error: unknown, request: RoutedRequest, log: Logger): StatusError {
  if (isStatus(error)) return error
  const { info, auditId, user } = request
  log.error('request failed', {
    auditId,
    verb: info.verb,
    path: info.path,
    user: user.name,
    error,
    stack: error instanceof Error ? error.stack : undefined,
  })
  const where = auditId === undefined ? '' : ` under audit id ${auditId}`
  return new StatusError('InternalError', `Internal error occurred: the log of the server has the reason${where}`, { cause: error })
}
