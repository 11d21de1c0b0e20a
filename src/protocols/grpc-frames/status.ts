/** Codes of gRPC that we use. Source: grpc.github.io, statuscodes. */
export const GrpcStatus = {
  OK: 0,
  CANCELLED: 1,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const

export type GrpcCode = (typeof GrpcStatus)[keyof typeof GrpcStatus]

/** How a call ended, other than well. */
export class GrpcError extends Error {
  override readonly name = 'GrpcError'
  readonly code: number
  constructor(code: number, message: string) {
    super(message)
    this.code = code
  }
}

/** Longest reason that is sent, in characters: trailers are headers, and peers limit those. */
const MAX_MESSAGE = 1_024

/** Percent-encodes all but printable ASCII (and `%`). Lone surrogates become U+FFFD. */
export function grpcMessage(text: string): string {
  const bytes = Buffer.from(text.slice(0, MAX_MESSAGE))
  let encoded = ''
  for (const byte of bytes) {
    encoded +=
      byte >= 0x20 && byte <= 0x7e && byte !== 0x25 ? String.fromCharCode(byte) : `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
  }
  return encoded
}

/** Trailers of a call. */
export function grpcTrailers(code: number, message = ''): Record<string, string> {
  return { 'grpc-status': String(code), ...(message === '' ? {} : { 'grpc-message': grpcMessage(message) }) }
}

/** How a call ended, from its trailers (or headers, where there are only those). Undefined: they do not say. */
export function grpcStatusOf(headers: Readonly<Record<string, unknown>>): { readonly code: number; readonly message: string } | undefined {
  const { 'grpc-status': code, 'grpc-message': message } = headers
  if (typeof code !== 'string' || !/^\d{1,3}$/.test(code)) return undefined
  return { code: Number(code), message: typeof message === 'string' ? decode(message) : '' }
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
