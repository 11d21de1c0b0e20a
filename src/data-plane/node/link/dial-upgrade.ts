import { request, type RequestOptions } from 'node:https'
import type { Duplex } from 'node:stream'
import type { ConnectionOptions } from 'node:tls'

export interface UpgradeTarget {
  /** `https://host:port`. */
  readonly server: string
  readonly ca: string
  readonly cert: () => string
  readonly key: () => string
  readonly path: string
  /** Value of the `upgrade` header. */
  readonly protocol: string
}

const DIAL_TIMEOUT_MS = 10_000

/** Dials the API server and switches protocols. Bytes that came with the 101 are read first from the socket. @throws Error in words a user can act on */
export function dialUpgrade(options: UpgradeTarget, signal: AbortSignal): Promise<Duplex> {
  const url = new URL(options.server)
  const target: RequestOptions & ConnectionOptions = {
    host: url.hostname.replace(/^\[|\]$/g, ''),
    port: Number(url.port || 443),
    path: options.path,
    method: 'GET',
    headers: { connection: 'Upgrade', upgrade: options.protocol },
    ALPNProtocols: ['http/1.1'],
    ca: options.ca,
    cert: options.cert(),
    key: options.key(),
    agent: false,
    signal,
    timeout: DIAL_TIMEOUT_MS,
  }
  return new Promise((resolve, reject) => {
    const dialing = request(target)
    dialing.on('upgrade', (_response, socket, head) => {
      socket.setTimeout(0)
      // bytes that came with the 101 already belong to what comes next
      if (head.length > 0) socket.unshift(head)
      resolve(socket)
    })
    dialing.on('response', (response) => {
      response.resume()
      reject(new Error(`the API server refused ${options.protocol} with status ${response.statusCode}`))
    })
    dialing.on('timeout', () => dialing.destroy(new Error(`no answer from ${options.server} within ${DIAL_TIMEOUT_MS} ms`)))
    dialing.on('error', reject)
    dialing.end()
  })
}
