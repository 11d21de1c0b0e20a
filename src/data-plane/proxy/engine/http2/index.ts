/**
 * HTTP/2 in the engine, on both sides.
 *
 * - `serveHttp2` (serve-http2.ts) serves a client's connection: each request becomes an exchange (downstream-stream.ts).
 * - `Http2Endpoint` (http2-endpoint.ts) is the pool of connections to an upstream (http2-client-connection.ts, upstream-stream.ts).
 * - wire.ts joins the state machine of protocols/http2 to a transport: one write per connection and turn of the loop. connection-watch.ts looks after its times.
 * - http2-headers.ts: fields stay as the peer encoded them, and are copied where nobody changed them.
 */
export { type ConnectionTimes, DEFAULT_TIMES } from './connection-watch.ts'
export { type Dial, Http2Endpoint, type Http2EndpointOptions } from './http2-endpoint.ts'
export { Http2Headers } from './http2-headers.ts'
export { type OpenExchange, serveHttp2, type ServedHttp2, type ServeHttp2Options } from './serve-http2.ts'
