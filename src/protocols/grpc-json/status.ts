import { readFields } from '../protobuf/index.ts'
import { decodeJson } from './to-json.ts'
import type { Schema } from './descriptor-set.ts'
import type { Json } from './json-values.ts'

/** HTTP status of a gRPC status. Source: google/rpc/code.proto. */
const HTTP_STATUS: readonly number[] = [200, 499, 500, 400, 504, 404, 409, 403, 429, 400, 409, 400, 501, 500, 503, 500, 401]

export const httpStatusOf = (code: number): number => HTTP_STATUS[code] ?? 500

/**
 * The JSON of a google.rpc.Status.
 * @param details bytes of one, as `grpc-status-details-bin` has it; those of its details that the descriptors say nothing of are left out
 */
export function statusJson(schema: Schema, code: number, message: string, details?: Uint8Array): Json {
  const shown: Json[] = []
  try {
    for (const { number, value } of details ? readFields(details) : []) {
      if (number !== 3 || !(value instanceof Uint8Array)) continue
      try {
        shown.push(decodeJson(schema, 'google.protobuf.Any', value))
      } catch {
        // of a type that nobody told us about
      }
    }
  } catch {
    // it says nothing that could be read: code and message do
  }
  return { code, message, ...(shown.length > 0 ? { details: shown } : {}) }
}
