import { createServer, type Server, type ServerResponse } from 'node:http'
import type { Logger } from '../../../base/log.ts'
import { messageOf } from '../../../base/errors.ts'
import type { HealthCheck } from '../../../policy/packet/services/index.ts'

export interface HealthChecksOptions {
  /** Addresses of the node. */
  readonly addresses: readonly string[]
  /** Whether the proxy itself is well. */
  readonly isHealthy: () => boolean
  readonly log: Logger
}

interface Open {
  check: HealthCheck
  readonly servers: readonly Server[]
}

/** Anyone may ask: what asks slowly, or a thousand times at once, must not use up what the agent has. */
const TIMEOUT_MS = 5_000
const MAX_CONNECTIONS = 100
const HEADERS = { 'content-type': 'application/json', 'x-content-type-options': 'nosniff' }

/**
 * The health-check node ports: one HTTP server for each service of type LoadBalancer whose external traffic policy is Local, so that the load
 * balancer sends only to nodes with endpoints. 200 with local endpoints, else 503. Source: kube-proxy's healthcheck package.
 */
export class HealthChecks {
  readonly #options: HealthChecksOptions
  readonly #open = new Map<string, Open>()

  constructor(options: HealthChecksOptions) {
    this.#options = options
  }

  /** Opens, closes and corrects; a port that cannot be opened is tried again at the next call. */
  async update(checks: ReadonlyMap<string, HealthCheck>): Promise<void> {
    for (const [name, open] of this.#open) {
      const wanted = checks.get(name)
      if (wanted?.port === open.check.port) open.check = wanted
      else {
        this.#open.delete(name)
        await closeAll(open.servers)
      }
    }
    for (const [name, check] of checks) if (!this.#open.has(name)) await this.#listen(name, check)
  }

  async close(): Promise<void> {
    const all = [...this.#open.values()]
    this.#open.clear()
    await Promise.all(all.map(({ servers }) => closeAll(servers)))
  }

  async #listen(name: string, check: HealthCheck): Promise<void> {
    const { addresses, log } = this.#options
    const servers: Server[] = []
    const open: Open = { check, servers }
    try {
      for (const address of addresses) {
        const server = createServer({ headersTimeout: TIMEOUT_MS, requestTimeout: TIMEOUT_MS }, (_request, response) =>
          this.#answer(open.check, response),
        )
        server.maxConnections = MAX_CONNECTIONS
        servers.push(server)
        await new Promise<void>((resolve, reject) => {
          server.once('error', reject)
          server.listen(check.port, address, resolve)
        })
        server.unref()
      }
      this.#open.set(name, open)
    } catch (error) {
      await closeAll(servers)
      log.warn('health-check node port cannot be opened', { service: name, port: check.port, error: messageOf(error) })
    }
  }

  #answer({ namespace, name, localEndpoints }: HealthCheck, response: ServerResponse): void {
    const serviceProxyHealthy = this.#options.isHealthy()
    const body = { service: { namespace, name }, localEndpoints, serviceProxyHealthy }
    response.writeHead(localEndpoints > 0 && serviceProxyHealthy ? 200 : 503, {
      ...HEADERS,
      'x-load-balancing-endpoint-weight': String(localEndpoints),
    })
    response.end(JSON.stringify(body))
  }
}

function closeAll(servers: readonly Server[]): Promise<unknown> {
  return Promise.all(
    servers.map(
      (server) =>
        new Promise<void>((resolve) => {
          server.closeAllConnections()
          server.close(() => resolve())
        }),
    ),
  )
}
