/**
 * gRPC methods as JSON over HTTP, without a network: requests in, messages out, and back.
 *
 *   descriptor-set  what a FileDescriptorSet says: messages, enums, methods; http-rule: google.api.http
 *   path-template   `/v1/{name=shelves/*}/books`: read, and looked up
 *   from-json, to-json  the JSON of a message to its bytes and back (proto3 JSON mapping); json-values, well-known, wire: their parts
 *   transcoder      which method a request means, its message from path, query and body, JSON of the answer
 *   status          gRPC statuses over HTTP
 *
 * Supported standards: google.api.http (google/api/http.proto) with google.api.HttpBody; proto3 JSON mapping; proto2 without groups and extensions.
 */
export { readDescriptorSet, type Method, type Schema } from './descriptor-set.ts'
export { GrpcJsonError } from './error.ts'
export { encodeJson } from './from-json.ts'
export { parseJson, type Json } from './json-values.ts'
export { httpStatusOf, statusJson } from './status.ts'
export { decodeJson } from './to-json.ts'
export { Transcoder, type AnswerPart, type TranscodedCall } from './transcoder.ts'
