/** Servers behind a proxy, and a client in front of it. */
import { createServer, request, type IncomingHttpHeaders, type Server } from 'node:http'
import { createServer as createTcpServer, connect, type AddressInfo, type Server as TcpServer } from 'node:net'

export interface Backend {
  readonly port: number
  /** Requests so far. */
  count(): number
  /** Headers of the last one. */
  headers(): IncomingHttpHeaders
  close(): Promise<void>
}

const listen = (server: Server | TcpServer, host: string, port: number): Promise<number> =>
  new Promise((resolve, reject) => {
    server.on('error', reject)
    server.listen(port, host, () => resolve((server.address() as AddressInfo).port))
  })

/** Answers with its name; `/status/503` with that status; `/fail-twice/<key>` with 503 to the first two requests of a key; `/slow` after a second. */
export async function httpBackend(name: string, host = '127.0.0.1', port = 0): Promise<Backend> {
  let count = 0
  let headers: IncomingHttpHeaders = {}
  const tries = new Map<string, number>()
  const server = createServer((request, response) => {
    count += 1
    headers = request.headers
    const path = request.url ?? '/'
    const tried = (tries.get(path) ?? 0) + 1
    tries.set(path, tried)
    const status = path.startsWith('/status/') ? Number(path.slice(8, 11)) : path.startsWith('/fail-twice/') && tried <= 2 ? 503 : 200
    setTimeout(
      () => {
        response.writeHead(status, { 'content-type': 'text/plain', 'x-backend': name })
        response.end(`${name} ${path}`)
      },
      path.startsWith('/slow') ? 1000 : 0,
    )
  })
  const bound = await listen(server, host, port)
  return {
    port: bound,
    count: () => count,
    headers: () => headers,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections()
        server.close(() => resolve())
      }),
  }
}

/** Says who it is as soon as somebody connects, then sends everything back. */
export async function tcpBackend(greeting: string): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => {})
    socket.write(greeting)
    socket.pipe(socket)
  })
  const port = await listen(server, '127.0.0.1', 0)
  return { port, close: () => new Promise((resolve) => void server.close(() => resolve())) }
}

export interface Reply {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** One request on a connection of its own. */
export const get = (port: number, path: string, headers: Record<string, string> = {}, host = '127.0.0.1'): Promise<Reply> =>
  new Promise((resolve, reject) => {
    const asked = request({ host, port, path, headers, agent: false, timeout: 15_000 }, (response) => {
      let body = ''
      response.on('data', (chunk: Buffer) => (body += chunk.toString()))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }))
      response.on('error', reject)
    })
    asked.on('timeout', () => asked.destroy(new Error('no answer in 15 s')))
    asked.on('error', reject)
    asked.end()
  })

/** What a server sends first; rejects when it closes without a word. */
export const firstBytes = (port: number, timeoutMs = 10_000): Promise<string> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1')
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('nothing came')))
    socket.once('data', (chunk) => {
      socket.destroy()
      resolve(chunk.toString())
    })
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
