import type { TLSSocket } from 'node:tls'

/** What the API server reads of a client certificate. */
export interface ClientCertificate {
  /** The user name. */
  readonly commonName: string
  /** The groups. */
  readonly organizations: readonly string[]
  readonly notBeforeMs: number
  readonly notAfterMs: number
  /** Signed by our CA for client use, as OpenSSL found in the handshake; the times are to be checked again with each request. */
  readonly trusted: boolean
}

/**
 * The client's certificate, if it showed one; read once per connection. A certificate with no name, or more than one, is not trusted.
 */
export function clientCertificate(socket: TLSSocket): ClientCertificate | undefined {
  const cached = CACHE.get(socket)
  if (cached !== undefined) return cached ?? undefined
  const found = read(socket)
  CACHE.set(socket, found ?? null)
  return found
}

const CACHE = new WeakMap<TLSSocket, ClientCertificate | null>()

function read(socket: TLSSocket): ClientCertificate | undefined {
  // a resumed TLS 1.3 session counts as authorized even when nobody ever showed a certificate: only the certificate itself tells
  const certificate = socket.getPeerCertificate()
  if (!certificate?.raw) return undefined
  const names = listOf(certificate.subject?.CN)
  return {
    commonName: names[0] ?? '',
    organizations: listOf(certificate.subject?.O),
    notBeforeMs: Date.parse(certificate.valid_from),
    notAfterMs: Date.parse(certificate.valid_to),
    trusted: socket.authorized && names.length === 1 && names[0] !== '',
  }
}

function listOf(value: string | readonly string[] | undefined): readonly string[] {
  if (value === undefined) return []
  return typeof value === 'string' ? [value] : value
}
