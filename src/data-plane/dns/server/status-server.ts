import { mkdir, rename, rm } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import { dirname } from 'node:path'
import type { Metrics } from '../../../base/metrics.ts'
import { openTcp } from './shared-socket.ts'

export interface StatusServerOptions {
  readonly metrics: Metrics
  readonly isReady: () => boolean
  /** A unix socket. The process that takes over puts its own in the same place. */
  readonly socketPath: string
  /** Over TCP too, such as 127.0.0.1:9153. */
  readonly listen?: { readonly host: string; readonly port: number }
}

/** `/health`, `/ready` (with the process id, so that it can be told which process it is) and `/metrics`. */
export async function openStatusServer(options: StatusServerOptions): Promise<{ close(): Promise<void> }> {
  const servers: Server[] = []
  const open = (listen: (server: Server, done: () => void) => void): Promise<void> =>
    new Promise((resolve, reject) => {
      const server = createServer((request, response) => {
        const [status, text] = respond(request.url ?? '/', options)
        response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', connection: 'close' }).end(text)
      })
      server.requestTimeout = 5_000
      server.maxConnections = 64
      servers.push(server)
      server.once('error', reject)
      listen(server, resolve)
    })
  const own = `${options.socketPath}.${process.pid}`
  await mkdir(dirname(own), { recursive: true, mode: 0o700 })
  await rm(own, { force: true })
  await open((server, done) => server.listen(own, done))
  await rename(own, options.socketPath)
  const { listen } = options
  // the process that takes over has the same address open meanwhile
  const shared = listen && (await openTcp(listen, (socket) => servers[0]?.emit('connection', socket)))
  return {
    async close() {
      shared?.close()
      for (const server of servers) server.closeAllConnections()
      await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))))
    },
  }
}

function respond(url: string, { metrics, isReady }: StatusServerOptions): readonly [status: number, text: string] {
  switch (url.split('?')[0]) {
    case '/health':
      return [200, 'OK']
    case '/ready':
      return isReady() ? [200, `OK ${process.pid}`] : [503, `not ready ${process.pid}`]
    case '/metrics':
      return [200, metrics.render()]
    default:
      return [404, 'there are /health, /ready and /metrics']
  }
}
