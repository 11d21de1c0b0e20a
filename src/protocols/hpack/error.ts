/** A header block that cannot be decoded: the connection cannot go on, for the tables differ from here. Source: RFC 7541 2.1, RFC 9113 4.3. */
export class HpackError extends Error {
  override readonly name = 'HpackError'
  readonly code = 'BadHeaderBlock'
}
