import { isUtf8 } from 'node:buffer'
import { StatusError } from '../../../base/errors.ts'
import { decodeJson, encodeJson, JsonError, type DecodedJson } from '../../../base/json.ts'
import { QuantityError } from '../../../api/meta/quantity.ts'
import { ProtobufError } from '../../../protocols/protobuf/index.ts'
import { parseYaml, YamlError } from '../../../api/yaml.ts'
import type { ServerRequest } from '../contract.ts'
import { badRequest } from '../registry/index.ts'
import { decodeProtobufBody, PROTOBUF_TYPE } from './protobuf-body.ts'

/** Source: k8s.io/apiserver server.Config.MaxRequestBodyBytes. */
const MAX_BODY_BYTES = 3 * 1024 * 1024
const NONE: readonly string[] = []

/** The media type of the body, lower case and without parameters; JSON where the client does not say. */
export function contentTypeOf(request: ServerRequest): string {
  const header = request.headers?.['content-type'] ?? ''
  const type = header.split(';', 1)[0]?.trim().toLowerCase() ?? ''
  return type === '' ? 'application/json' : type
}

/**
 * Decodes a JSON, YAML or protobuf body; a value handed over in-process becomes what it would be on the wire. Undefined when there is no body.
 * @throws {StatusError} `BadRequest`, `UnsupportedMediaType`, `RequestEntityTooLarge`
 */
export function decodeBody(request: ServerRequest, types: readonly string[] = OBJECT_TYPES): DecodedJson | undefined {
  const { body } = request
  if (body === undefined) return undefined
  // over the wire and back, so that undefined members and dates mean the same with and without one
  if (!(body instanceof Uint8Array)) return decodeJson(Buffer.from(encodeJson(body)))
  if (body.length === 0) return undefined
  if (body.length > MAX_BODY_BYTES) {
    throw new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${MAX_BODY_BYTES}`)
  }
  const type = contentTypeOf(request)
  if (!types.includes(type)) throw unsupported(types)
  if (type === PROTOBUF_TYPE) return decodeProtobuf(body)
  return type.endsWith('yaml') ? decodeYamlBody(body) : decodeJsonBody(body)
}

const OBJECT_TYPES = ['application/json', 'application/yaml', PROTOBUF_TYPE]

function decodeProtobuf(body: Uint8Array): DecodedJson {
  try {
    return { value: decodeProtobufBody(body), duplicates: NONE }
  } catch (error) {
    if (error instanceof ProtobufError || error instanceof JsonError || error instanceof QuantityError) {
      throw new StatusError('BadRequest', `the request body is not acceptable protobuf: ${error.message}`, { cause: error })
    }
    throw error
  }
}

/** Source: k8s.io/apiserver negotiation.NewUnsupportedMediaTypeError. */
export function unsupported(types: readonly string[]): StatusError {
  const text = `the body of the request was in an unknown format - accepted media types include: ${types.join(', ')}`
  return new StatusError('UnsupportedMediaType', text)
}

function decodeJsonBody(body: Uint8Array): DecodedJson {
  try {
    return decodeJson(body)
  } catch (error) {
    if (error instanceof JsonError)
      throw new StatusError('BadRequest', `the request body is not acceptable JSON: ${error.message}`, { cause: error })
    throw error
  }
}

/** Keys given twice are an error in YAML, whatever fieldValidation says: kubectl's parser refuses them too. */
function decodeYamlBody(body: Uint8Array): DecodedJson {
  if (!isUtf8(body)) throw badRequest('the request body is not valid UTF-8')
  try {
    const documents = parseYaml(Buffer.from(body.buffer, body.byteOffset, body.byteLength).toString())
    if (documents.length !== 1) throw badRequest(`the request body must be one YAML document, not ${documents.length}`)
    return { value: documents[0]?.value, duplicates: NONE }
  } catch (error) {
    if (error instanceof YamlError)
      throw new StatusError('BadRequest', `the request body is not acceptable YAML: ${error.message}`, { cause: error })
    throw error
  }
}
