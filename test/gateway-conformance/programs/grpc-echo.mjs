// The suite's service GrpcEcho: Echo and EchoTwo answer with what was asked, EchoThree is not implemented. On HTTP_PORT and, with a certificate, HTTPS_PORT.
import { readFileSync } from 'node:fs'
import { createSecureServer, createServer } from 'node:http2'
import { context, describeTls, listen } from './common.mjs'
import { field, serveUnary } from './grpc.mjs'

const { HTTP_PORT = '3000', HTTPS_PORT = '8443', TLS_SERVER_CERT, TLS_SERVER_PRIV_KEY } = process.env
const SERVICE = '/gateway_api_conformance.echo_basic.grpcecho.GrpcEcho'

const methods = new Map(
  ['Echo', 'EchoTwo'].map((name) => [`${SERVICE}/${name}`, (_message, raw, stream) => answer(`${SERVICE}/${name}`, raw, stream)]),
)

export function serveGrpc() {
  const plain = createServer()
  serveUnary(plain, methods)
  listen(plain, HTTP_PORT, 'gRPC')
  if (!TLS_SERVER_CERT || !TLS_SERVER_PRIV_KEY) return
  const secure = createSecureServer({ cert: readFileSync(TLS_SERVER_CERT), key: readFileSync(TLS_SERVER_PRIV_KEY) })
  serveUnary(secure, methods)
  listen(secure, HTTPS_PORT, 'gRPC with TLS')
}

/** An EchoResponse: assertions (1) with method, headers, authority, context and TLS. */
function answer(method, raw, stream) {
  const headers = []
  let authority = ''
  for (let i = 0; i < raw.length; i += 2) {
    if (raw[i] === ':authority') authority = raw[i + 1]
    if (!raw[i].startsWith(':') || raw[i] === ':authority') headers.push(field(2, Buffer.concat([field(1, raw[i]), field(2, raw[i + 1])])))
  }
  const where = [context.namespace, context.ingress, context.service, context.pod].map((value, i) => field(i + 1, value))
  const tls = describeTls(stream.session.socket)
  const secured = tls
    ? [
        field(1, tls.version),
        field(2, tls.negotiatedProtocol),
        field(3, tls.serverName),
        field(4, tls.cipherSuite),
        ...(tls.peerCertificates ?? []).map((certificate) => field(5, certificate)),
      ]
    : []
  const parts = [field(1, method), ...headers, field(3, authority), field(4, Buffer.concat(where)), field(5, Buffer.concat(secured))]
  return field(1, Buffer.concat(parts))
}
