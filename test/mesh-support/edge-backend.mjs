// A backend of gateways: tells what it was asked over HTTP (8080), TLS (8443) and gRPC (9000), and on `/seen` which paths others have asked for.
import { createServer } from 'node:http'
import { createServer as createHttp2Server } from 'node:http2'
import { createServer as createTlsServer } from 'node:https'

const { NAME, CERTIFICATE, PRIVATE_KEY, BIPLANE_POD_IP } = process.env
const seen = []

function answer({ method, url, headers, socket }, response) {
  if (url === '/seen') return response.end(JSON.stringify(seen))
  seen.push(url)
  response.setHeader('x-from', NAME)
  response.setHeader('x-inner', 'secret')
  return response.end(JSON.stringify({ name: NAME, method, url, headers, tls: socket.encrypted === true }))
}

createServer(answer).listen(8080, BIPLANE_POD_IP)
if (CERTIFICATE) createTlsServer({ cert: CERTIFICATE, key: PRIVATE_KEY }, answer).listen(8443, BIPLANE_POD_IP)
createHttp2Server()
  .on('stream', (stream, headers) => {
    stream.respond({ ':status': 200, 'content-type': 'application/grpc', 'x-method': headers[':path'] }, { waitForTrailers: true })
    stream.on('wantTrailers', () => stream.sendTrailers({ 'grpc-status': '0' }))
    stream.resume().on('end', () => stream.end(Buffer.from([0, 0, 0, 0, 0])))
  })
  .listen(9000, BIPLANE_POD_IP)
