// Answers HTTP requests with what they were, in JSON as the suite reads it; on HTTP_PORT, H2C_PORT and, with a certificate, HTTPS_PORT.
import { readFileSync } from 'node:fs'
import { createServer, ServerResponse } from 'node:http'
import { createSecureServer, createServer as createH2cServer } from 'node:http2'
import { setTimeout as delay } from 'node:timers/promises'
import { context, describeTls, listen, milliseconds } from './common.mjs'
import { echoWebSocket } from './websocket.mjs'

const { HTTP_PORT = '3000', H2C_PORT = '3001', HTTPS_PORT = '8443', TLS_SERVER_CERT, TLS_SERVER_PRIVKEY, TLS_CLIENT_CACERTS } = process.env
/** Refused attempts of each request that is to be retried, by its uuid. */
const attempts = new Map()

export function serveHttp() {
  const plain = createServer(answer)
  plain.on('upgrade', upgrade)
  listen(plain, HTTP_PORT, 'http')
  listen(createH2cServer(safely(echo)), H2C_PORT, 'h2c')
  if (!TLS_SERVER_CERT || !TLS_SERVER_PRIVKEY) return
  const secure = createSecureServer(
    {
      cert: readFileSync(TLS_SERVER_CERT),
      key: readFileSync(TLS_SERVER_PRIVKEY),
      allowHTTP1: true,
      ...(TLS_CLIENT_CACERTS ? { ca: readFileSync(TLS_CLIENT_CACERTS), requestCert: true, rejectUnauthorized: false } : {}),
    },
    answer,
  )
  // none is well, a wrong one is not
  secure.on('secureConnection', (socket) => socket.getPeerX509Certificate() && !socket.authorized && socket.destroy())
  secure.on('upgrade', upgrade)
  listen(secure, HTTPS_PORT, 'https')
}

const answer = safely(async (request, response) => {
  const url = new URL(request.url.replaceAll('//', '/'), 'http://echo')
  if (url.pathname === '/health') return response.end('OK')
  if (url.pathname.startsWith('/status/')) {
    const [, code = '400'] = /^\/status\/(\d{3})$/.exec(request.url) ?? []
    response.statusCode = Number(code)
    return response.end()
  }
  if (url.pathname.startsWith('/retry/')) return retry(request, response, url)
  return echo(request, response)
})

function safely(handler) {
  return (request, response) =>
    Promise.resolve()
      .then(() => handler(request, response))
      .catch((error) => {
        if (response.headersSent) return response.destroy()
        response.statusCode = 500
        response.setHeader('content-type', 'application/json')
        return response.end(JSON.stringify({ message: error.message }))
      })
}

function upgrade(request, socket, first) {
  if (new URL(request.url, 'http://echo').pathname === '/ws' && /^websocket$/i.test(request.headers.upgrade ?? '')) {
    return echoWebSocket(request, socket, first)
  }
  // an upgrade that is not wanted is an ordinary request
  const response = new ServerResponse(request)
  response.shouldKeepAlive = false
  response.assignSocket(socket)
  response.on('finish', () => socket.end())
  return answer(request, response)
}

/** Fails the first `succeedAfter` attempts of a uuid: with `responseCode`, else by resetting the connection. */
async function retry(request, response, { searchParams }) {
  const uuid = searchParams.get('uuid')
  const succeedAfter = Number(searchParams.get('succeedAfter') ?? Number.NaN)
  if (!uuid || Number.isNaN(succeedAfter)) {
    response.statusCode = 400
    return response.end(uuid ? 'succeedAfter is required' : 'uuid is required')
  }
  const before = attempts.get(uuid) ?? 0
  if (before >= succeedAfter) return echo(request, response)
  attempts.set(uuid, before + 1)
  await wait(searchParams.get('delayRetry'))
  const code = Number(searchParams.get('responseCode') ?? Number.NaN)
  if (Number.isNaN(code)) return request.httpVersionMajor === 2 ? response.stream.close(2) : request.socket.resetAndDestroy()
  response.statusCode = code
  return response.end()
}

async function wait(text) {
  if (!text) return
  const time = milliseconds(text)
  if (time === undefined) throw new Error(`time: invalid duration ${JSON.stringify(text)}`)
  await delay(time)
}

async function echo(request, response) {
  await wait(new URL(request.url.replaceAll('//', '/'), 'http://echo').searchParams.get('delay'))
  const headers = headersOf(request)
  const socket = request.stream?.session?.socket ?? request.socket
  const tls = describeTls(socket)
  const assertions = {
    path: request.url,
    host: request.headers[':authority'] ?? request.headers.host ?? '',
    method: request.method,
    proto: request.httpVersionMajor === 2 ? 'HTTP/2.0' : `HTTP/${request.httpVersion}`,
    headers,
    httpPort: HTTP_PORT,
    ...context,
    ...(tls ? { tls } : {}),
  }
  const wanted = new Map()
  for (const pair of (headers['X-Echo-Set-Header'] ?? []).flatMap((list) => list.split(','))) {
    const [name, ...value] = pair.trim().split(':')
    const text = value.join(':')
    if (name) wanted.set(name, wanted.has(name) ? `${wanted.get(name)},${text.trim()}` : text)
  }
  for (const [name, value] of wanted) response.setHeader(name, value)
  response.setHeader('Content-Type', 'application/json')
  response.setHeader('X-Content-Type-Options', 'nosniff')
  response.end(JSON.stringify(assertions, null, 1))
  // how the suite knows where requests were mirrored to
  console.log(`Echoing back request made to ${request.url} to client (${socket.remoteAddress}:${socket.remotePort})`)
}

/** By name as `X-Custom-Header`, all values in order; the host is told apart. */
function headersOf({ rawHeaders }) {
  const found = {}
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase()
    if (name === 'host' || name.startsWith(':')) continue
    const written = name.replace(/(^|-)([a-z])/g, (_all, dash, letter) => dash + letter.toUpperCase())
    ;(found[written] ??= []).push(rawHeaders[i + 1])
  }
  return found
}
