import { connect as connectTcp, type NetConnectOpts, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { ClientTls } from '../contract.ts'
import type { SocketAddress } from '../../../policy/traffic/model/index.ts'
import type { Connection } from './contract.ts'
import { SocketConnection, tlsSessionOf, type WrapSocket } from './socket-connection.ts'

export interface DialOptions {
  readonly address: SocketAddress | { readonly path: string }
  readonly tls?: ClientTls
  /** For the connection and the handshake together. */
  readonly timeoutMs: number
}

/** Why a connection could not be had. */
export class DialError extends Error {
  override readonly name = 'DialError'
  readonly kind: 'connect' | 'connectTimeout' | 'tls'

  constructor(kind: DialError['kind'], message: string, options?: ErrorOptions) {
    super(message, options)
    this.kind = kind
  }
}

/** Begins to connect, as `connect` of node:net does. */
export type Connect = (options: NetConnectOpts) => Socket

/**
 * Connects, with TLS where asked for. Nothing is left behind by a failure.
 * @param wrap what the connection is made of; default: public sockets. See `transport` of choose-transport.ts
 * @param connect default: from this process's own network @throws {DialError}
 */
export function dial(options: DialOptions, wrap: WrapSocket = SocketConnection.wrap, connect: Connect = connectTcp): Promise<Connection> {
  const { address, tls, timeoutMs } = options
  const target = 'path' in address ? { path: address.path } : { host: address.address, port: address.port }
  return new Promise((resolve, reject) => {
    let stage: DialError['kind'] = 'connect'
    const socket = connect({ ...target, noDelay: true, allowHalfOpen: true, autoSelectFamily: false })
    let top: Socket = socket
    const finish = (error?: Error): void => {
      clearTimeout(timer)
      top.off('error', onError).off('close', onClose)
      if (top !== socket) socket.off('error', onError)
      if (error) {
        top.on('error', () => {})
        socket.on('error', () => {})
        top.destroy()
        socket.destroy()
        reject(error)
      }
    }
    const onError = (error: Error): void => finish(new DialError(stage, error.message, { cause: error }))
    const onClose = (): void => finish(new DialError(stage, 'the connection was closed'))
    const timer = setTimeout(
      () =>
        finish(
          new DialError(
            stage === 'tls' ? 'tls' : 'connectTimeout',
            `no ${stage === 'tls' ? 'TLS handshake' : 'connection'} within ${timeoutMs} ms`,
          ),
        ),
      timeoutMs,
    )
    socket.on('error', onError).on('close', onClose)
    socket.once('connect', () => {
      if (!tls) {
        finish()
        resolve(wrap(socket))
        return
      }
      stage = 'tls'
      socket.off('close', onClose)
      const secure = connectTls({
        socket,
        secureContext: tls.context,
        ...(tls.serverName === undefined ? {} : { servername: tls.serverName }),
        ...(tls.alpn.length > 0 ? { ALPNProtocols: [...tls.alpn] } : {}),
        rejectUnauthorized: tls.verifyChain,
        // identities of the mesh are no host names; `verify` looks at them
        checkServerIdentity: () => undefined,
      })
      top = secure
      secure.on('error', onError).on('close', onClose)
      secure.once('secureConnect', () => {
        const peer = secure.getPeerX509Certificate()
        try {
          if (!peer) throw new Error('the server shows no certificate')
          tls.verify(peer)
        } catch (error) {
          return finish(new DialError('tls', (error as Error).message, { cause: error }))
        }
        finish()
        resolve(wrap(secure, tlsSessionOf(secure, peer)))
      })
    })
  })
}
