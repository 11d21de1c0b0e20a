import type { ServerRequest, ServerResponse } from '../contract.ts'

const INFO = { title: 'Kubernetes', version: 'unversioned' }

/**
 * The OpenAPI v2 document without any path: kubectl asks for it only when the v3 documents do not know a kind, and tells its user
 * "no matches for kind" once it has it; without it the answer would be that validation is broken. Source: k8s.io/cli-runtime
 * resource.NewFallbackQueryParamVerifier; field numbers of gnostic openapiv2.Document.
 */
export function answerOpenApiV2(request: ServerRequest): Promise<ServerResponse> {
  const wantsProtobuf = (request.headers?.['accept'] ?? '').includes('proto-openapi')
  const value = { swagger: '2.0', info: INFO, paths: {} }
  if (!wantsProtobuf) return Promise.resolve({ status: 200, body: { type: 'object', value } })
  // "@" in this type breaks the parser of media types in old Go clients
  const headers = { 'content-type': 'application/com.github.proto-openapi.spec.v2.v1.0+protobuf' }
  const parse = (): unknown => value
  return Promise.resolve({ status: 200, headers, body: { type: 'json', chunks: [DOCUMENT], parse } })
}

/** A length-delimited field of less than 128 bytes, numbered below 16. */
const field = (number: number, content: Uint8Array): Buffer => Buffer.concat([Buffer.from([(number << 3) | 2, content.length]), content])

const DOCUMENT = Buffer.concat([
  field(1, Buffer.from('2.0')),
  field(2, Buffer.concat([field(1, Buffer.from(INFO.title)), field(2, Buffer.from(INFO.version))])),
  field(8, Buffer.alloc(0)),
])
