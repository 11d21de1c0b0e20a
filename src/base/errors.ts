/** HTTP code of every reason a Kubernetes `Status` may carry. Source: k8s.io/apimachinery metav1.StatusReason. */
export const STATUS_CODES = {
  BadRequest: 400,
  Unauthorized: 401,
  Forbidden: 403,
  NotFound: 404,
  MethodNotAllowed: 405,
  NotAcceptable: 406,
  AlreadyExists: 409,
  Conflict: 409,
  Expired: 410,
  Gone: 410,
  RequestEntityTooLarge: 413,
  UnsupportedMediaType: 415,
  Invalid: 422,
  TooManyRequests: 429,
  InternalError: 500,
  ServerTimeout: 500,
  ServiceUnavailable: 503,
  Timeout: 504,
  InsufficientStorage: 507,
} as const

export type StatusReason = keyof typeof STATUS_CODES

/** One field-level reason inside a `Status`; `field` is a path such as `spec.containers[0].name`. */
export interface StatusCause {
  readonly reason?: string
  readonly message?: string
  readonly field?: string
}

export interface StatusDetails {
  readonly name?: string
  readonly group?: string
  /** The plural resource for most reasons, the kind for `Invalid`: as upstream has it. */
  readonly kind?: string
  readonly uid?: string
  readonly causes?: readonly StatusCause[]
  readonly retryAfterSeconds?: number
}

/** The JSON body of a failed API request (`metav1.Status`). */
export interface StatusBody {
  readonly kind: 'Status'
  readonly apiVersion: 'v1'
  readonly metadata: Record<string, never>
  readonly status: 'Failure'
  readonly message: string
  readonly reason: string
  readonly details?: StatusDetails
  readonly code: number
}

/** An error with a Kubernetes `Status` on the wire. Match on `reason`, never on `message`. */
export class StatusError extends Error {
  override readonly name = 'StatusError'
  readonly reason: StatusReason
  readonly details: StatusDetails | undefined

  constructor(reason: StatusReason, message: string, options: { details?: StatusDetails; cause?: unknown } = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.reason = reason
    this.details = options.details
  }

  /** HTTP status code of `reason`. */
  get code(): number {
    return STATUS_CODES[this.reason]
  }

  toBody(): StatusBody {
    return {
      kind: 'Status',
      apiVersion: 'v1',
      metadata: {},
      status: 'Failure',
      message: this.message,
      reason: this.reason,
      ...(this.details ? { details: this.details } : {}),
      code: this.code,
    }
  }

  /** Rebuilds the error a server sent. An unknown reason is mapped by its HTTP code. */
  static fromBody(body: Partial<StatusBody>, httpStatus: number): StatusError {
    const code = body.code ?? httpStatus
    const known = body.reason !== undefined && body.reason in STATUS_CODES ? (body.reason as StatusReason) : undefined
    const byCode = (Object.keys(STATUS_CODES) as StatusReason[]).find((reason) => STATUS_CODES[reason] === code)
    const details = body.details ? { details: body.details } : {}
    return new StatusError(known ?? byCode ?? 'InternalError', body.message ?? `the server answered ${code}`, details)
  }
}

/** Whether `error` is a StatusError with one of `reasons` (any, when none is given). */
export function isStatus(error: unknown, ...reasons: readonly StatusReason[]): error is StatusError {
  return error instanceof StatusError && (reasons.length === 0 || reasons.includes(error.reason))
}

/** The text of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
