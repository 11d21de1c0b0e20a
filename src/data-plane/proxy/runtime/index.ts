/**
 * A proxy at work: from accepted connections to layers and upstreams, as the snapshot of now says.
 *
 *   proxy-runtime       listens, takes snapshots, asks for what is behind addresses that are new
 *     listener-table    which listener a destination means
 *     accept-connection first bytes -> chain -> TLS -> judgement -> HTTP or bytes; choose-chain, sniff-protocol: pure
 *     chains            chains compiled at their first connection, changed in place; live-chain: one of them
 *     gateway-ports     what a gateway binds, again until it can
 *     tcp-carrier       bytes to an endpoint of a cluster
 *     downstream-tls, upstream-tls   how TLS ends here, and begins
 *     drain-callers   sends callers away and waits for it
 *     access-logs     what stacks and connections write to; refusals: connections that are not carried, and why
 */
export { ProxyRuntime, type ConfigSource, type ProxyRuntimeOptions } from './proxy-runtime.ts'
export { drainCallers, type Drainable, type DrainTimes } from './drain-callers.ts'
