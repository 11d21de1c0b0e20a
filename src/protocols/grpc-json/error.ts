/** JSON, a path or bytes that do not fit a message, or descriptors that cannot be used. `path` says where in it, such as `shelf.books[2].title`. */
export class GrpcJsonError extends Error {
  override readonly name = 'GrpcJsonError'
  readonly reason: string
  readonly path: string

  constructor(reason: string, path = '') {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.reason = reason
    this.path = path
  }

  /** The same, seen from the message around it. */
  within(step: string): GrpcJsonError {
    return new GrpcJsonError(
      this.reason,
      this.path === '' ? step : this.path.startsWith('[') ? `${step}${this.path}` : `${step}.${this.path}`,
    )
  }
}

/** Runs something whose errors belong to a part of a message. @throws {GrpcJsonError} */
export function at<T>(step: string, body: () => T): T {
  try {
    return body()
  } catch (error) {
    if (error instanceof GrpcJsonError) throw error.within(step)
    throw error
  }
}

/** Nesting beyond this is refused, in both directions: protobuf's own limit. */
export const MAX_DEPTH = 100
