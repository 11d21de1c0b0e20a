// What every example program does alike: listen on its pod's own address, and leave politely.
import { createServer } from 'node:http'

const BODY_LIMIT_BYTES = 64 * 1024

/**
 * Listens on HOST:PORT (default 127.0.0.1:8080) and answers with `handle(request, response, url)`; what it throws becomes an answer 500.
 * On SIGTERM it goes on answering for LEAVE_MS (default 1000), so that whoever still sends here learns that this process leaves, then exits 0.
 * @returns state, whose `leaving` is true from SIGTERM on: no longer ready
 */
export function serve(name, handle) {
  const host = process.env.HOST ?? '127.0.0.1'
  const port = Number(process.env.PORT ?? 8080)
  const state = { leaving: false }
  const server = createServer(async (request, response) => {
    if (state.leaving) response.setHeader('connection', 'close')
    try {
      // a path such as //x would be taken for a host
      const path = request.url.startsWith('/') ? request.url : '/'
      await handle(request, response, new URL(`http://${name}${path}`))
    } catch (error) {
      const status = error.status ?? 500
      if (status >= 500) console.error(`${name}: ${request.method} ${request.url}: ${error.stack ?? error}`)
      if (!response.headersSent) sendJson(response, status, { error: error.message })
      else response.destroy()
    }
  })
  server.on('error', (error) => {
    const hint = error.code === 'EACCES' ? ' (ports below 1024 need root)' : ''
    console.error(`${name}: cannot listen on ${host}:${port}: ${error.message}${hint}`)
    process.exit(1)
  })
  server.listen(port, host, () => console.log(`${name} listens on http://${host}:${server.address().port}`))
  const leave = () => {
    if (state.leaving) return
    state.leaving = true
    console.log(`${name} leaves`)
    setTimeout(
      () => {
        server.close(() => process.exit(0))
        server.closeIdleConnections()
      },
      Number(process.env.LEAVE_MS ?? 1000),
    )
  }
  process.on('SIGTERM', leave)
  process.on('SIGINT', leave)
  return state
}

export function sendJson(response, status, value) {
  response.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(value)}\n`)
}

export function sendText(response, status, text, type = 'text/plain') {
  response.writeHead(status, { 'content-type': `${type}; charset=utf-8` }).end(text)
}

/** The whole body as text. Throws an error with `status` 413 beyond 64 KiB. */
export async function readBody(request) {
  const chunks = []
  let size = 0
  for await (const chunk of request) {
    size += chunk.length
    if (size > BODY_LIMIT_BYTES) throw Object.assign(new Error('body is larger than 64 KiB'), { status: 413 })
    chunks.push(chunk)
  }
  return Buffer.concat(chunks).toString()
}

/** Text made safe to stand in HTML. */
export function html(text) {
  return String(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
