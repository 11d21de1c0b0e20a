// What the echo programs share: where to listen, who they are, and reading durations.
import { hostname } from 'node:os'

const { env } = process

/** Pods that share the network of their node have an address of their own to listen on; with a network of their own they listen on all. */
export const host = (env.HOST ?? '').startsWith('127.') ? env.HOST : '::'

/** Name of the pod. */
export const podName = env.POD_NAME || env.HOSTNAME || hostname()

/** Who answers, in the words of the suite. */
export const context = {
  namespace: env.NAMESPACE ?? '',
  ingress: env.INGRESS_NAME ?? '',
  service: env.SERVICE_NAME ?? '',
  pod: env.POD_NAME ?? '',
}

/** Listens, and says so. A server that cannot ends the program. */
export function listen(server, port, what) {
  server.on('error', (error) => {
    console.error(`cannot listen on port ${port} (${what}): ${error.message}`)
    process.exit(1)
  })
  server.listen(Number(port), host, () => console.log(`listening on port ${port} (${what})`))
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 }

/** Milliseconds of a duration such as `1m30s` or `250ms`; undefined when it is none. */
export function milliseconds(text) {
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) return undefined
  return [...text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)].reduce((sum, [, amount, unit]) => sum + Number(amount) * UNITS[unit], 0)
}

/** What is known of a TLS connection; undefined for others. */
export function describeTls(socket) {
  if (!socket?.encrypted) return undefined
  const peer = socket.getPeerX509Certificate?.()
  const certificates = []
  for (let one = peer; one && certificates.length < 8; one = one.issuerCertificate === one ? undefined : one.issuerCertificate)
    certificates.push(one.toString())
  return {
    version: socket.getProtocol(),
    ...(certificates.length > 0 ? { peerCertificates: certificates } : {}),
    serverName: socket.servername || '',
    ...(socket.alpnProtocol ? { negotiatedProtocol: socket.alpnProtocol } : {}),
    cipherSuite: socket.getCipher().standardName,
  }
}
