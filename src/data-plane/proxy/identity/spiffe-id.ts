/** A parsed SPIFFE ID. */
export interface SpiffeId {
  readonly trustDomain: string
  /** With its leading slash; '' for the ID of the trust domain itself. */
  readonly path: string
}

/** Source: SPIFFE-ID specification, sections 2 and 3. */
const MAX_BYTES = 2048
const TRUST_DOMAIN = /^[a-z0-9._-]{1,255}$/
const SEGMENT = /^[a-zA-Z0-9._-]+$/

/** Reads a SPIFFE ID; undefined for everything that the specification does not allow (no ports, queries, empty or dot segments, escapes). */
export function parseSpiffeId(text: string): SpiffeId | undefined {
  if (!text.startsWith('spiffe://') || text.length > MAX_BYTES) return undefined
  const rest = text.slice('spiffe://'.length)
  const slash = rest.indexOf('/')
  const trustDomain = slash < 0 ? rest : rest.slice(0, slash)
  const path = slash < 0 ? '' : rest.slice(slash)
  if (!TRUST_DOMAIN.test(trustDomain)) return undefined
  if (
    path !== '' &&
    !path
      .slice(1)
      .split('/')
      .every((segment) => SEGMENT.test(segment) && segment !== '.' && segment !== '..')
  )
    return undefined
  return { trustDomain, path }
}
