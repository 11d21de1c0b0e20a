// The suite's TCP server (a welcome, then an answer to each line) and its UDP server (each datagram back, in JSON).
import { createSocket } from 'node:dgram'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { context, describeTls, host, listen } from './common.mjs'

const { TCP_PORT = '3000', TLS_PORT = '8443', UDP_PORT = '8080', TLS_SERVER_CERT, TLS_SERVER_PRIV_KEY } = process.env
const MAX_LINE = 65_536

export function serveTcp() {
  listen(createServer(talk), TCP_PORT, 'tcp')
  if (!TLS_SERVER_CERT || !TLS_SERVER_PRIV_KEY) return
  const secure = createTlsServer({ cert: readFileSync(TLS_SERVER_CERT), key: readFileSync(TLS_SERVER_PRIV_KEY) }, talk)
  listen(secure, TLS_PORT, 'tls')
}

function talk(socket) {
  const tls = describeTls(socket)
  const told = tls && { ...tls, version: tls.version.replace(/^TLSv/, 'TLS '), peerCertificates: undefined }
  const facts = { ...context, tcpport: TCP_PORT, tlsport: TLS_PORT, isTLS: Boolean(tls), ...(told ? { tls: told } : {}) }
  const answers = { TEST: JSON.stringify(facts), IS_TLS: String(Boolean(tls)), PING: 'PONG' }
  socket.on('error', () => socket.destroy())
  socket.write('Gateway API Test TCP Server\n')
  let rest = ''
  socket.setEncoding('utf8').on('data', (text) => {
    const lines = (rest + text).split('\n')
    rest = lines.pop()
    if (rest.length > MAX_LINE) return socket.destroy()
    for (const line of lines) {
      const known = answers[line.replace(/\r$/, '')]
      if (known !== undefined) socket.write(`${known}\n`)
    }
    return undefined
  })
}

export function serveUdp() {
  const socket = createSocket(host === '::' ? 'udp6' : 'udp4')
  socket.on('message', (bytes, from) => socket.send(JSON.stringify({ request: bytes.toString(), ...context }), from.port, from.address))
  socket.on('error', (error) => {
    console.error(`cannot serve UDP on port ${UDP_PORT}: ${error.message}`)
    process.exit(1)
  })
  socket.bind(Number(UDP_PORT), host, () => console.log(`listening on port ${UDP_PORT} (udp)`))
}
