/**
 * HTTP/1.1 on the wire, read strictly: what two implementations could understand in two ways is refused, because that is how requests are smuggled.
 *
 *   head-reader      where a head ends, in bytes as they come
 *   parse-request    a request's head: line, target, host, fields, how its body is delimited
 *   parse-response   the same for responses
 *     parse-fields   field lines; characters: which bytes may stand where; framing: length, chunked, connection
 *   chunk-decoder    chunked bodies and their trailers
 *   write-head       status lines
 *   http1-error      refusals, with the status to answer
 *
 * A head is cut out as one latin-1 string and its parts are slices of it: no copies, no object for each field. No sockets, no clock.
 * Sources: RFC 9110, RFC 9112.
 */
export { ChunkDecoder, type ChunkSink } from './chunk-decoder.ts'
export type { BodyFraming, HeadFacts } from './framing.ts'
export { HeadReader, MAX_HEAD_BYTES } from './head-reader.ts'
export { Http1Error, type Http1ErrorCode } from './http1-error.ts'
export type { FieldPairs } from './parse-fields.ts'
export { parseRequestHead, type HeadLimits, type ParsedRequest } from './parse-request.ts'
export { parseResponseHead, type ParsedResponse } from './parse-response.ts'
export { statusLine } from './write-head.ts'
