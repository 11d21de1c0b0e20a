import { chmod, mkdir, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname } from 'node:path'
import { parsePrefix } from '../../base/ip.ts'
import { messageOf } from '../../base/errors.ts'
import type { Metrics } from '../../base/metrics.ts'
import { explainView, peerViews, routeViews, type Speaker } from '../../control-plane/routing/index.ts'

export interface RouterApiOptions {
  /** A unix socket. The process that takes over puts its own in the same place. */
  readonly socketPath: string
  readonly metrics: Metrics
  /** Undefined while the process before this one has not left. */
  readonly speaker: () => Speaker | undefined
  readonly isReady: () => boolean
  /** /metrics and /ready over TCP too. */
  readonly listen?: { readonly host: string; readonly port: number }
}

type Answer = readonly [status: number, body: unknown]

/**
 * What a router tells this machine, as JSON: `GET /peers`, `/routes?prefix=&offset=&limit=`, `/explain?prefix=`, and as text `/health`, `/ready` (with the
 * process id) and `/metrics`.
 */
export async function openRouterApi(options: RouterApiOptions): Promise<{ close(): Promise<void> }> {
  const local = serverOf((url) => answer(url, options))
  const own = `${options.socketPath}.${process.pid}`
  await mkdir(dirname(own), { recursive: true, mode: 0o700 })
  await rm(own, { force: true })
  await listening(local, () => local.listen(own))
  await chmod(own, 0o600)
  await rename(own, options.socketPath)
  const servers = [local]
  const { listen } = options
  if (listen) {
    // others than this machine see how it is, not what it knows
    const remote = serverOf((url) => (isPublic(url.pathname) ? answer(url, options) : [404, { error: 'only over the socket' }]))
    await listening(remote, () => remote.listen(listen.port, listen.host))
    servers.push(remote)
  }
  return {
    async close() {
      for (const server of servers) server.closeAllConnections()
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    },
  }
}

const STARTING: Answer = [503, { error: 'the router before this one has not left yet' }]
const isPublic = (path: string): boolean => path === '/metrics' || path === '/ready' || path === '/health'

function serverOf(answers: (url: URL) => Answer): Server {
  const server = createServer((request, response) => {
    const [status, body] = request.method === 'GET' ? answers(new URL(request.url ?? '/', 'http://router')) : [405, { error: 'GET only' }]
    const isText = typeof body === 'string'
    response
      .writeHead(status, { 'content-type': isText ? 'text/plain; charset=utf-8' : 'application/json', connection: 'close' })
      .end(isText ? body : `${JSON.stringify(body)}\n`)
  })
  server.requestTimeout = 5_000
  server.maxConnections = 64
  return server
}

function listening(server: Server, listen: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.once('listening', () => resolve())
    listen()
  })
}

function answer({ pathname, searchParams }: URL, { speaker: current, metrics, isReady }: RouterApiOptions): Answer {
  try {
    const speaker = current()
    switch (pathname) {
      case '/health':
        return [200, 'OK']
      case '/ready':
        return isReady() ? [200, `OK ${process.pid}`] : [503, `not ready ${process.pid}`]
      case '/metrics':
        return [200, metrics.render()]
      case '/peers':
        if (!speaker) return STARTING
        return [200, { peers: peerViews(speaker), problems: speaker.config.problems }]
      case '/routes': {
        if (!speaker) return STARTING
        const prefix = searchParams.get('prefix')
        if (prefix === null)
          return [200, { routes: routeViews(speaker, count(searchParams, 'offset', 0), count(searchParams, 'limit', 1_000)) }]
        return explained(speaker, prefix, (route) => ({ routes: route ? [route] : [] }))
      }
      case '/explain':
        if (!speaker) return STARTING
        return explained(speaker, searchParams.get('prefix') ?? '', (route) => route)
      default:
        return [404, { error: 'there are /peers, /routes, /explain, /metrics, /ready and /health' }]
    }
  } catch (error) {
    return [500, { error: messageOf(error) }]
  }
}

function explained(speaker: Speaker, text: string, shape: (route: ReturnType<typeof explainView>) => unknown): Answer {
  const prefix = parsePrefix(text)
  if (!prefix) return [400, { error: `prefix=${text}: no prefix or address` }]
  const found = shape(explainView(speaker, prefix))
  return found === undefined ? [404, { error: `nothing is known of ${text}` }] : [200, found]
}

function count(query: URLSearchParams, name: string, otherwise: number): number {
  const text = query.get(name) ?? ''
  return /^\d{1,9}$/.test(text) ? Number(text) : otherwise
}
