/**
 * The engine of the proxy: requests in, responses out, whatever either side speaks. It decides nothing; layers (../layers) do.
 *
 *   contract      how the sides of an exchange meet: DownstreamStream, UpstreamStream and their events
 *   serve-http    a client's connection: each request becomes an exchange for a Service
 *   exchange      the core between both sides: back-pressure, hooks, timeouts, local replies, another try
 *     try         one attempt; body-pipe: what observes and changes bodies; pacer: slow responses; local-reply, timeouts
 *   open-endpoint pooled connections to one upstream; alpn-endpoint: to one that says by ALPN what it speaks
 *   http1/        codecs and pool of HTTP/1.1
 *   http2/        codecs and pool of HTTP/2
 *   header-list   fields of a message; timer-wheel: deadlines that cost nothing to move
 */
export type { EngineEndpoint } from './contract.ts'
export { HeaderList } from './header-list.ts'
export { openEndpoint } from './open-endpoint.ts'
export { serveHttp, type ServedHttp, type ServeHttpOptions } from './serve-http.ts'
export { TimerWheel, type Deadline } from './timer-wheel.ts'
