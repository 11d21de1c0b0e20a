import { constants, type ClientHttp2Stream, type IncomingHttpHeaders, type OutgoingHttpHeaders, type ServerHttp2Stream } from 'node:http2'

/** gRPC's status for what may be tried again. */
const UNAVAILABLE = '14'

/** Joins two streams of gRPC, heads, messages and trailers as they are; what ends one ends the other. */
export function joinStreams(from: ServerHttp2Stream, to: ClientHttp2Stream): void {
  let trailers: OutgoingHttpHeaders | undefined
  from.on('error', () => {})
  to.on('error', () => {})
  to.once('response', (answer, flags) => {
    if (from.destroyed) return
    const ended = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
    from.respond({ ...answer }, { endStream: ended, waitForTrailers: !ended })
    if (ended) return
    from.once('wantTrailers', () => from.sendTrailers(trailers ?? {}))
    // a stream that is reset also ends: only its code tells the two apart
    to.pipe(from, { end: false })
  })
  to.once('trailers', (received) => (trailers = { ...received }))
  if (!from.endAfterHeaders) from.pipe(to)
  to.once('close', () => {
    if (from.destroyed) return
    if (!from.headersSent) refuseStream(from, 'the connection to the control plane broke')
    else if (to.rstCode === constants.NGHTTP2_NO_ERROR) from.end()
    else from.close(to.rstCode)
  })
  from.once('close', () => {
    if (!to.destroyed) to.close(from.rstCode === constants.NGHTTP2_NO_ERROR ? constants.NGHTTP2_CANCEL : from.rstCode)
  })
}

/** Headers of a request as they came, without pseudo-headers that nobody set. */
export function forwardable(headers: IncomingHttpHeaders, without: readonly string[] = []): OutgoingHttpHeaders {
  const out: OutgoingHttpHeaders = {}
  for (const [name, value] of Object.entries(headers)) if (value !== undefined && !without.includes(name)) out[name] = value
  return out
}

/** Answers a call with nothing but a status. @param status default UNAVAILABLE: clients of xDS try again */
export function refuseStream(stream: ServerHttp2Stream, message: string, status: string = UNAVAILABLE): void {
  if (stream.destroyed) return
  stream.respond(
    { ':status': 200, 'content-type': 'application/grpc', 'grpc-status': status, 'grpc-message': encodeURIComponent(message) },
    { endStream: true },
  )
  stream.resume()
}
