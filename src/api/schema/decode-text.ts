import type { DecodeError } from './admit.ts'

/** What the texts below say about which object they are. */
export interface DecodedAs {
  readonly kind: string
  /** Without the group: `v1`. */
  readonly version: string
}

const MAX_SHOWN = 10

/**
 * The message of the 400 for values of the wrong type: `Pod in version "v1" cannot be handled as a Pod: json: ...`, one
 * reason per field. Source: k8s.io/apiserver endpoints/handlers transformDecodeError.
 */
export function decodeErrorText(as: DecodedAs, errors: readonly DecodeError[]): string {
  const shown = errors.slice(0, MAX_SHOWN).map((error) => `json: ${error.field === '' ? as.kind : error.field}: ${error.reason}`)
  const more = errors.length > MAX_SHOWN ? [`and ${errors.length - MAX_SHOWN} more`] : []
  return `${head(as)}: ${[...shown, ...more].join('; ')}`
}

/** The message of the 400 for `fieldValidation=Strict`. Source: k8s.io/apimachinery runtime.NewStrictDecodingError. */
export function strictDecodingText(as: DecodedAs, unknown: readonly string[], duplicates: readonly string[] = []): string {
  return `${head(as)}: strict decoding error: ${fieldWarnings(unknown, duplicates).join(', ')}`
}

/** One text per field, the value of a `Warning` header each for `fieldValidation=Warn`. */
export function fieldWarnings(unknown: readonly string[], duplicates: readonly string[] = []): readonly string[] {
  return [
    ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`),
    ...duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`),
  ]
}

function head({ kind, version }: DecodedAs): string {
  return `${kind} in version ${JSON.stringify(version)} cannot be handled as a ${kind}`
}
