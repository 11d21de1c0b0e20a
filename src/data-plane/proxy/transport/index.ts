/**
 * Connections of the proxy: streams of bytes over TCP, unix sockets and TLS.
 *
 *   contract              Connection and its handler: bytes are valid during a call alone, `write` says when to wait
 *   choose-transport      which of two ways connections are made: raw handles where they pass a test, else public sockets; in which network namespace
 *   accept, dial          listening, with a look at first bytes before TLS or plain text; connecting, with TLS
 *   shared-socket         a listening socket for several processes
 *   socket-connection     a Connection on public sockets
 *   raw/                  a Connection on Node's handles
 *   client-hello          what a client asks for before TLS begins
 *   original-destination  where an intercepted connection was going
 */
export type { Accepted, Acceptor, ListenOptions, Peeked } from './accept.ts'
export { chooseTransport, transport, transportIn, type Transport, type TransportName } from './choose-transport.ts'
export { readClientHello } from './client-hello.ts'
export type { ClientHello, Connection, ConnectionHandler, ServerTlsOptions, TlsSession } from './contract.ts'
export { DialError, type DialOptions } from './dial.ts'
export { bindShared, sharingProblem, type SharedHandle, type SharedSocket } from './shared-socket.ts'
export { originalDestination, originalDestinationProblem } from './original-destination.ts'
