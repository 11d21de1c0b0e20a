import { Buffer } from 'node:buffer'
import { messageOf, StatusError } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Handler, ServerRequest, ServerResponse } from '../contract.ts'
import { flagOf } from '../http/query.ts'
import { segmentsOf } from '../http/normalize-path.ts'

/** One thing that must be well. Rejects with the reason when it is not; should answer within a second. */
export interface HealthCheck {
  /** Such as `store`, `informer-sync`: `/readyz/<name>` asks for it alone. */
  readonly name: string
  check(): Promise<void>
}

export interface HealthOptions {
  /** Everything that must be well before traffic is sent here. */
  readonly readiness: readonly HealthCheck[]
  /** What only a restart can mend: never the store. `ping` is always there. */
  readonly liveness?: readonly HealthCheck[]
  readonly log: Logger
}

/**
 * Answers `/livez`, `/readyz` and the older `/healthz` (the same as `/livez`), with `?verbose`, `?exclude=<check>` and one path per check. Plain text, as upstream has
 * it; reasons are logged and not told to the world.
 */
export function createHealthHandler(options: HealthOptions): Handler {
  const live = [PING, ...(options.liveness ?? [])]
  const sets = new Map([
    ['livez', live],
    ['healthz', live],
    ['readyz', [PING, ...options.readiness]],
  ])
  return async (request) => {
    const [probe = '', single] = segmentsOf(request.path)
    const checks = sets.get(probe) ?? []
    if (request.method !== 'GET') {
      throw new StatusError('MethodNotAllowed', 'the server does not allow this method on the requested resource')
    }
    if (single === undefined) return runChecks(probe, checks, request, options.log)
    const chosen = checks.find(({ name }) => name === single)
    if (!chosen) throw new StatusError('NotFound', 'the server could not find the requested resource')
    const failure = await reasonOf(chosen)
    if (failure === undefined) return text(200, 'ok')
    options.log.warn('health check failed', { probe, check: single, reason: failure })
    return text(500, `internal server error: ${single} failed: reason withheld\n`)
  }
}

const PING: HealthCheck = { name: 'ping', check: () => Promise.resolve() }

async function runChecks(probe: string, checks: readonly HealthCheck[], request: ServerRequest, log: Logger): Promise<ServerResponse> {
  const excluded = new Set([request.query?.['exclude'] ?? []].flat())
  const wanted = checks.filter(({ name }) => !excluded.has(name))
  const reasons = await Promise.all(wanted.map(reasonOf))
  const failed = wanted.filter((_check, index) => reasons[index] !== undefined)
  for (const [index, { name }] of wanted.entries()) {
    if (reasons[index] !== undefined) log.warn('health check failed', { probe, check: name, reason: reasons[index] })
  }
  if (failed.length === 0 && !flagOf(request.query, 'verbose')) return text(200, 'ok')
  const lines = checks.map(({ name }) =>
    line(
      name,
      excluded.has(name),
      failed.some((check) => check.name === name),
    ),
  )
  const unknown = [...excluded].filter((name) => !checks.some((check) => check.name === name))
  if (unknown.length > 0)
    lines.push(`warn: some health checks cannot be excluded: no matches for ${unknown.map((name) => JSON.stringify(name)).join(',')}\n`)
  lines.push(failed.length === 0 ? `${probe} check passed\n` : `${probe} check failed\n`)
  return text(failed.length === 0 ? 200 : 500, lines.join(''))
}

function line(name: string, excluded: boolean, failed: boolean): string {
  if (excluded) return `[+]${name} excluded: ok\n`
  return failed ? `[-]${name} failed: reason withheld\n` : `[+]${name} ok\n`
}

async function reasonOf(check: HealthCheck): Promise<string | undefined> {
  try {
    await check.check()
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

function text(status: number, value: string): ServerResponse {
  const bytes = Buffer.from(value)
  const headers = { 'content-type': 'text/plain; charset=utf-8', 'x-content-type-options': 'nosniff' }
  return { status, headers, body: { type: 'json', chunks: [bytes], parse: () => value } }
}
