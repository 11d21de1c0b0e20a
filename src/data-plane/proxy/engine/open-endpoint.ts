import type { Clock } from '../../../base/clock.ts'
import type { UpstreamOptions } from '../contract.ts'
import type { Transport } from '../transport/choose-transport.ts'
import { dial, type DialError } from '../transport/dial.ts'
import type { Connection } from '../transport/contract.ts'
import { AlpnEndpoint } from './alpn-endpoint.ts'
import type { EngineEndpoint } from './contract.ts'
import { Http1Endpoint, type Dial } from './http1/http1-endpoint.ts'
import { Http2Endpoint } from './http2/http2-endpoint.ts'
import type { TimerWheel } from './timer-wheel.ts'

export interface EndpointParts {
  readonly clock: Clock
  readonly wheel: TimerWheel
  /** What connections are made of. Default: public sockets. See chooseTransport. */
  readonly transport?: Pick<Transport, 'dial'>
}

/** Opens the pool of connections to one endpoint, in the protocol that is asked for. */
export function openEndpoint(options: UpstreamOptions, parts: EndpointParts): EngineEndpoint {
  const { address, admit, idleTimeoutMs, maxConnectionDurationMs = 0, maxRequestsPerConnection = 0 } = options
  const name =
    'path' in address ? address.path : `${address.address.includes(':') ? `[${address.address}]` : address.address}:${address.port}`
  const connect = dialer(options, parts.transport?.dial ?? dial)
  const open = (protocol: 'http1' | 'http2', dialed: Dial): EngineEndpoint =>
    protocol === 'http2'
      ? new Http2Endpoint({
          clock: parts.clock,
          address: name,
          dial: dialed,
          admit,
          times: { idleTimeoutMs, maxConnectionDurationMs },
          maxRequestsPerConnection,
        })
      : new Http1Endpoint({
          address: name,
          dial: dialed,
          admit,
          wheel: parts.wheel,
          idleTimeoutMs,
          maxConnectionDurationMs,
          maxRequestsPerConnection,
        })
  return options.protocol === 'alpn' ? new AlpnEndpoint({ address: name, dial: connect, admit, open }) : open(options.protocol, connect)
}

function dialer(options: UpstreamOptions, connect: Transport['dial']): Dial {
  return (done, failed) => {
    let isCancelled = false
    let tls: ReturnType<NonNullable<UpstreamOptions['tls']>> | undefined
    try {
      tls = options.tls?.()
    } catch (error) {
      setImmediate(() => {
        if (!isCancelled) failed('tls', (error as Error).message)
      })
      return { cancel: () => (isCancelled = true) }
    }
    connect({ address: options.address, timeoutMs: options.connectTimeoutMs, ...(tls ? { tls } : {}) }).then(
      (connection: Connection) => {
        if (isCancelled) connection.destroy()
        else done(connection)
      },
      (error: DialError) => {
        if (!isCancelled) failed(error.kind, error.message)
      },
    )
    return { cancel: () => (isCancelled = true) }
  }
}
