/** A message that cannot be written or read. `code` is `BadXds`; `path` says where in it, such as `filter_chains[0].filters[1].name`. */
export class XdsError extends Error {
  override readonly name = 'XdsError'
  readonly code = 'BadXds'
  readonly reason: string
  readonly path: string

  constructor(reason: string, path = '') {
    super(path === '' ? reason : `${path}: ${reason}`)
    this.reason = reason
    this.path = path
  }

  /** The same, seen from the message around it. */
  within(step: string): XdsError {
    return new XdsError(this.reason, this.path === '' ? step : this.path.startsWith('[') ? `${step}${this.path}` : `${step}.${this.path}`)
  }
}

/** Nesting beyond this is refused, in both directions. */
export const MAX_DEPTH = 100
