import { lookup as lookupName } from 'node:dns'
import { connect, isIP, type NetConnectOpts, type Socket } from 'node:net'
import { loadLibc, SystemCallError, type Libc } from './libc.ts'
import { inNetworkNamespace } from './network-namespace.ts'
import { AF_INET, AF_INET6, nativeInt, socketAddress } from './socket-address.ts'

const SOCK_STREAM = 1
const SOCK_FLAGS = 0x800 | 0x8_0000 // non-blocking, close on exec
const SOL_SOCKET = 1
const SO_REUSEADDR = 2
const SO_REUSEPORT = 15
const IPPROTO_IPV6 = 41
const IPV6_V6ONLY = 26

/**
 * A TCP socket of another network namespace, bound to a port at all its addresses of both families: for `server.listen({ fd })`, which owns it from then on. Processes of
 * the same user may have the same port at once, so that one can take over from another. @throws SystemCallError
 */
export function boundSocketIn(namespace: string, port: number): number {
  const libc = loadLibc()
  return inNetworkNamespace(namespace, () => {
    try {
      return bound(libc, '::', port)
    } catch (error) {
      if (!(error instanceof SystemCallError) || !['EAFNOSUPPORT', 'EADDRNOTAVAIL'].includes(error.code)) throw error
      return bound(libc, '0.0.0.0', port)
    }
  })
}

function bound(libc: Libc, host: string, port: number): number {
  const isV6 = host === '::'
  const fd = libc.socket(isV6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_FLAGS, 0)
  try {
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, nativeInt(1))
    libc.setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, nativeInt(1))
    if (isV6) libc.setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, nativeInt(0))
    libc.bind(fd, socketAddress(host, port))
    return fd
  } catch (error) {
    libc.close(fd)
    throw error
  }
}

/**
 * `connect` of node:net, from another network namespace. Node makes the socket of a connection, and begins to connect, within the answer of `lookup`: that is the moment that is spent
 * in the namespace. Names are looked up in this process's own.
 */
export function connectIn(namespace: string): (options: NetConnectOpts) => Socket {
  return (options) => {
    if ('path' in options) return connect(options)
    const { host = '127.0.0.1' } = options
    return connect({
      ...options,
      // of a literal address nothing is asked
      host: 'elsewhere.invalid',
      autoSelectFamily: false,
      lookup: (_name, asked, done) => {
        const answer = (error: NodeJS.ErrnoException | null, address: string, family: number): void => {
          try {
            inNetworkNamespace(namespace, () => done(error, address, family))
          } catch (problem) {
            done(problem as Error, '')
          }
        }
        const family = isIP(host)
        if (family !== 0) return answer(null, host, family)
        lookupName(host, { ...asked, all: false }, answer)
      },
    })
  }
}
