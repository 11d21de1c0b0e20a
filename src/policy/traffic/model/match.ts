/** Exactly one field. `regex` is anchored at both ends, in RE2 syntax (checked for catastrophic patterns when it is compiled). */
export type StringMatch =
  | { readonly exact: string; readonly ignoreCase?: boolean }
  | { readonly prefix: string; readonly ignoreCase?: boolean }
  | { readonly suffix: string; readonly ignoreCase?: boolean }
  | { readonly contains: string; readonly ignoreCase?: boolean }
  | { readonly regex: string }
  /** There at all, with whatever value. */
  | { readonly present: true }

/** `pathPrefix` matches whole segments: `/a` matches `/a` and `/a/b`, not `/ab`. `prefix` matches characters. */
export type PathMatch =
  | { readonly exact: string }
  | { readonly pathPrefix: string }
  | { readonly prefix: string }
  | { readonly regex: string }

export interface HeaderMatch {
  /** Lower-case. */
  readonly name: string
  readonly value: StringMatch
  readonly invert?: boolean
}

export interface QueryMatch {
  readonly name: string
  readonly value: StringMatch
}

/** Absent fields match everything; all given ones must match. */
export interface RouteMatch {
  readonly path?: PathMatch
  readonly method?: string
  readonly headers?: readonly HeaderMatch[]
  readonly query?: readonly QueryMatch[]
  /** Requests with content-type application/grpc alone; the path says service and method. */
  readonly grpc?: true
}
