// The command `client` of the suite's image echo-advanced: client URL [--method=GET] [-H NAME:VALUE]... [--count=N]. It prints what came back in lines of
// NAME=VALUE, answers apart by an empty line. Redirects are not followed. With --count, one line each for status and host name, so that hundreds stay short.
import { request as httpRequest } from 'node:http'
import { connect } from 'node:http2'
import { request as httpsRequest } from 'node:https'
import { parseArgs } from 'node:util'
import { field, framed, readField, readMessage } from './grpc.mjs'

const TIMEOUT_MS = 10_000
const PARALLEL = 10

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    method: { type: 'string', default: 'GET' },
    header: { type: 'string', short: 'H', multiple: true, default: [] },
    count: { type: 'string' },
  },
})
const url = new URL(positionals[0])
const headers = {}
for (const pair of values.header) {
  const [name, ...value] = pair.split(':')
  headers[name] = value.join(':').trim()
}

async function readText(stream) {
  const chunks = []
  for await (const chunk of stream) chunks.push(chunk)
  return Buffer.concat(chunks).toString()
}

function callHttp() {
  const request = url.protocol === 'https:' ? httpsRequest : httpRequest
  return new Promise((resolve, reject) => {
    // a host that is asked for is the authority, not the place to go to
    const options = { method: values.method, headers, agent: false, rejectUnauthorized: false, timeout: TIMEOUT_MS }
    const asked = request(url, options, (response) => {
      const pairs = []
      for (let i = 0; i < response.rawHeaders.length; i += 2) pairs.push(`${response.rawHeaders[i]}:${response.rawHeaders[i + 1]}`)
      readText(response).then((body) => resolve({ status: response.statusCode, pairs, body }), reject)
    })
    asked.on('timeout', () => asked.destroy(new Error(`no answer in ${TIMEOUT_MS} ms`)))
    asked.on('error', reject)
    asked.end()
  })
}

/** An OK of gRPC is said as 200, as the suite wants it; else the status of gRPC. */
async function callGrpc() {
  const session = connect(`http://${url.host}`)
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject)
      session.setTimeout(TIMEOUT_MS, () => reject(new Error(`no answer in ${TIMEOUT_MS} ms`)))
      const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
      const head = {
        ':method': 'POST',
        ':path': '/proto.EchoTestService/Echo',
        'content-type': 'application/grpc',
        te: 'trailers',
        ...lower,
      }
      const stream = session.request(head)
      const found = {}
      for (const event of ['response', 'trailers']) stream.on(event, (fields) => Object.assign(found, fields))
      stream.on('error', reject)
      stream.end(framed(field(1, 'hello')))
      readMessage(stream).then((message) => {
        const pairs = Object.entries(found).flatMap(([name, value]) => (name.startsWith(':') ? [] : [`${name}:${value}`]))
        const code = found['grpc-status'] ?? '2'
        resolve({ status: code === '0' ? 200 : Number(code), pairs, body: readField(message, 1).toString() })
      }, reject)
    })
  } finally {
    session.destroy()
  }
}

function write(n, { status, pairs, body }) {
  const bodyLines = body.split('\n').filter((line) => line !== '')
  if (values.count) return `StatusCode=${status}\n${bodyLines.filter((line) => line.startsWith('Hostname=')).join('\n')}\n\n`
  const lines = [
    `[${n}] Url=${url}`,
    `[${n}] StatusCode=${status}`,
    ...pairs.map((pair) => `[${n}] ResponseHeader=${pair}`),
    ...bodyLines.map((line) => `[${n} body] ${line}`),
  ]
  return `${lines.join('\n')}\n\n`
}

const count = Number(values.count ?? 1)
const call = url.protocol === 'grpc:' ? callGrpc : callHttp
let next = 0
async function worker() {
  while (next < count) {
    const n = next++
    process.stdout.write(write(n, await call()))
  }
}
try {
  await Promise.all(Array.from({ length: Math.min(PARALLEL, count) }, worker))
} catch (error) {
  console.error(`client: ${url}: ${error.message}`)
  process.exitCode = 1
}
