/** A policy that cannot be compiled. `path` names the field, such as `rules[0].match.asPath[1]`. */
export class RoutePolicyError extends Error {
  readonly code = 'InvalidRoutePolicy'
  readonly path: string

  constructor(path: string, message: string) {
    super(`${path}: ${message}`)
    this.path = path
  }
}
