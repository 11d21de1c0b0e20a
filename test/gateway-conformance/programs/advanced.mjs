// Stands for the suite's image echo-advanced: answers over HTTP (--port), gRPC (--grpc) and TCP (--tcp) in lines of NAME=VALUE; without
// arguments on 8080, 7070 and 9090. A port that is also named by
// --tls is served with --crt and --key, and left out where these files are not.
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { createSecureServer, createServer as createH2cServer } from 'node:http2'
import { createServer as createTcpServer } from 'node:net'
import { parseArgs } from 'node:util'
import { listen, podName } from './common.mjs'
import { field, serveUnary } from './grpc.mjs'

const many = (...ports) => ({ type: 'string', multiple: true, default: ports })
const { values } = parseArgs({
  options: {
    port: many('8080'),
    grpc: many('7070'),
    tcp: many('9090'),
    tls: many(),
    crt: { type: 'string' },
    key: { type: 'string' },
    version: { type: 'string' },
  },
  strict: false,
})

for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(0))

/** What is said of a request, whatever carried it. `pairs` are names and values in turn. */
function describe({ port, authority, url, method, protocol, address, pairs }) {
  const lines = [
    `ServiceVersion=${String(values.version ?? '')}`,
    `ServicePort=${port}`,
    `Host=${authority}`,
    `URL=${url}`,
    `Method=${method}`,
    `Proto=${protocol}`,
    `IP=${address ?? ''}`,
  ]
  for (let i = 0; i < pairs.length; i += 2) {
    const name = pairs[i].replace(/(^|-)([a-z])/g, (_all, dash, letter) => dash + letter.toUpperCase())
    if (!name.startsWith(':') && name !== 'Host') lines.push(`RequestHeader=${name}:${pairs[i + 1]}`)
  }
  return `${[...lines, `Hostname=${podName}`].join('\n')}\n`
}

function answerHttp(port) {
  return (request, response) => {
    const [path, query = ''] = request.url.split('?')
    response.setHeader('content-type', 'text/plain')
    for (const pair of (new URLSearchParams(query).get('headers') ?? '').split(',')) {
      const [name, ...value] = pair.split(':')
      if (name) response.setHeader(name, value.join(':'))
    }
    const protocol = request.httpVersionMajor === 2 ? 'HTTP/2.0' : `HTTP/${request.httpVersion}`
    const authority = request.headers[':authority'] ?? request.headers.host ?? ''
    const address = request.socket.remoteAddress
    response.end(describe({ port, authority, url: path, method: request.method, protocol, address, pairs: request.rawHeaders }))
  }
}

for (const port of values.port) {
  if (!values.tls.includes(port)) listen(createServer(answerHttp(port)), port, 'http')
  else if (existsSync(values.crt ?? '') && existsSync(values.key ?? '')) {
    const server = createSecureServer({ cert: readFileSync(values.crt), key: readFileSync(values.key), allowHTTP1: true }, answerHttp(port))
    listen(server, port, 'https')
  } else console.log(`port ${port} is left out: there is no certificate ${String(values.crt)} with key ${String(values.key)}`)
}

for (const port of values.grpc) {
  const server = createH2cServer()
  const method = '/proto.EchoTestService/Echo'
  const echo = (_message, pairs, stream) => {
    const authority = pairs[pairs.indexOf(':authority') + 1] ?? ''
    const address = stream.session.socket.remoteAddress
    return field(1, describe({ port, authority, url: method, method: 'POST', protocol: 'GRPC', address, pairs }))
  }
  serveUnary(server, new Map([[method, echo]]))
  listen(server, port, 'gRPC')
}

for (const port of values.tcp) {
  const server = createTcpServer((socket) => {
    socket.on('error', () => socket.destroy())
    socket.once('data', () => socket.end(`ServicePort=${port}\nProto=TCP\nIP=${socket.remoteAddress}\nHostname=${podName}\n`))
  })
  listen(server, port, 'tcp')
}
