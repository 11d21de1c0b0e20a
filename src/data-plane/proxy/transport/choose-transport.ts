import { boundSocketIn, connectIn } from '../../../base/linux/namespace-sockets.ts'
import { listen, type Accepted, type Acceptor, type ListenOptions } from './accept.ts'
import type { Connection } from './contract.ts'
import { dial, type DialOptions } from './dial.ts'
import { loadBindings, RawConnection, rawProblem } from './raw/index.ts'
import { SocketConnection, type WrapSocket } from './socket-connection.ts'

export type TransportName = 'raw' | 'sockets'

/** One way to have connections. Both behave alike: see contract.ts, and the suite that runs on either. */
export interface Transport {
  readonly name: TransportName
  dial(options: DialOptions): Promise<Connection>
  listen(options: ListenOptions, accept: (accepted: Accepted) => void): Promise<Acceptor>
}

/** @param name `raw`: Node's handles, fast; `sockets`: public interfaces alone @throws Error where this Node has no raw handles */
export function transport(name: TransportName): Transport {
  const wrap = name === 'raw' ? rawWrap() : SocketConnection.wrap
  return { name, dial: (options) => dial(options, wrap), listen: (options, accept) => listen(options, accept, wrap) }
}

/**
 * A transport all of whose TCP sockets, in and out, are of a network namespace: that of a pod which this process serves from outside. It listens at all
 * addresses of the namespace, whatever host is named. @param namespace path, such as `/run/netns/a`
 */
export function transportIn(namespace: string, name: TransportName): Transport {
  const wrap = name === 'raw' ? rawWrap() : SocketConnection.wrap
  const connect = connectIn(namespace)
  return {
    name,
    dial: (options) => dial(options, wrap, connect),
    listen: async (options, accept) => {
      const { path, port = 0 } = options
      return await listen(path === undefined ? { ...options, fd: boundSocketIn(namespace, port) } : options, accept, wrap)
    },
  }
}

function rawWrap(): WrapSocket {
  const bindings = loadBindings()
  if ('problem' in bindings) throw new Error(`raw connections cannot be used: ${bindings.problem}; use the transport "sockets"`)
  return (socket, tls) => new RawConnection(bindings, socket, tls)
}

/**
 * The transport for this process: raw handles where they pass a test of some milliseconds, else sockets.
 * @param forced one of the names, as BIPLANE_PROXY_TRANSPORT gives it; default: the better one @param tell hears why it is not raw
 * @throws Error for another name, and where `raw` is forced and does not work
 */
export async function chooseTransport(
  forced: string | undefined = process.env['BIPLANE_PROXY_TRANSPORT'],
  tell: (problem: string) => void = () => {},
): Promise<Transport> {
  if (forced === 'sockets') return transport('sockets')
  if (forced !== undefined && forced !== '' && forced !== 'raw' && forced !== 'auto') {
    throw new Error(`BIPLANE_PROXY_TRANSPORT is "${forced}": it is to be raw, sockets or auto`)
  }
  const problem = await rawProblem()
  if (problem === undefined) return transport('raw')
  if (forced === 'raw') throw new Error(`raw connections do not work here: ${problem}; set BIPLANE_PROXY_TRANSPORT=sockets`)
  tell(problem)
  return transport('sockets')
}
