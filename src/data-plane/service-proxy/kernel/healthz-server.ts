import { createServer } from 'node:http'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { HealthzAnswer } from './proxy-health.ts'

export interface HealthzServerOptions {
  /** Of the node. */
  readonly addresses: readonly string[]
  /** Default 10256, as kube-proxy has it: load balancers outside ask there whether the node is to get connections. */
  readonly port?: number
  /** @param isNodeEligible absent: does not matter */
  readonly answer: (isNodeEligible?: boolean) => HealthzAnswer
  /** False while the node is to be left alone. */
  readonly isNodeEligible: () => boolean
  readonly log: Logger
}

const PORT = 10_256
const HEADERS_TIMEOUT_MS = 5_000
const MAX_CONNECTIONS = 100

/** Answers `GET /healthz` (503 while the node drains) and `/livez` until the signal aborts. A port that is taken is reported, nothing else fails. */
export async function serveHealthz(options: HealthzServerOptions, signal: AbortSignal): Promise<void> {
  await Promise.all(options.addresses.map((address) => serveAt(address, options, signal)))
}

function serveAt(address: string, options: HealthzServerOptions, signal: AbortSignal): Promise<void> {
  const { port = PORT, answer, isNodeEligible, log } = options
  const server = createServer({ headersTimeout: HEADERS_TIMEOUT_MS, requestTimeout: HEADERS_TIMEOUT_MS }, (request, response) => {
    const path = request.url?.split('?')[0]
    const found = path === '/healthz' ? answer(isNodeEligible()) : path === '/livez' ? answer() : undefined
    if (!found) return response.writeHead(404).end('there are /healthz and /livez\n')
    response.writeHead(found.code, { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }).end(found.body)
  })
  server.maxConnections = MAX_CONNECTIONS
  return new Promise((resolve) => {
    const close = (): void => {
      server.close(() => resolve())
      server.closeAllConnections()
    }
    server.on('error', (error) => {
      log.warn('the health of the service proxy cannot be asked for', { address, port, error: messageOf(error) })
      signal.removeEventListener('abort', close)
      resolve()
    })
    if (signal.aborted) return resolve()
    signal.addEventListener('abort', close, { once: true })
    server.listen(port, address)
  })
}
