import type { X509Certificate } from 'node:crypto'
import { parseSpiffeId } from './spiffe-id.ts'

/** CA certificates by trust domain, parsed once. */
export type TrustBundles = ReadonlyMap<string, readonly X509Certificate[]>

/** A peer that cannot be believed. `code` is `BadPeer`. */
export class PeerError extends Error {
  override readonly name = 'PeerError'
  readonly code = 'BadPeer'
}

/** Longest way from a leaf to its root. */
const MAX_CHAIN = 6

/**
 * The SPIFFE ID of a peer whose chain TLS has verified against all roots that are trusted: exactly one URI, of a trusted domain, and with a root of
 * that very domain: one domain's CA cannot speak for another. Source: X509-SVID section 5. @throws {PeerError} saying what is wrong
 */
export function peerIdentity(leaf: X509Certificate, trust: TrustBundles): string {
  const id = spiffeIdOf(leaf)
  const parsed = parseSpiffeId(id)
  if (!parsed || parsed.path === '') throw new PeerError(`the peer's certificate names "${id}", which is no SPIFFE ID of a workload`)
  const roots = trust.get(parsed.trustDomain)
  if (!roots || roots.length === 0) throw new PeerError(`trust domain ${parsed.trustDomain} of the peer is not trusted here`)
  if (leaf.ca) throw new PeerError(`the peer shows a CA certificate for ${id}`)
  if (!isRootedIn(leaf, roots)) throw new PeerError(`the certificate of ${id} is not signed by an authority of its trust domain`)
  return id
}

/** The one URI of a certificate. @throws {PeerError} for none or several */
export function spiffeIdOf(certificate: X509Certificate): string {
  // a name with commas or quotes comes quoted, and is no SPIFFE ID anyway
  const uris = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('URI:'))
  if (uris.length !== 1) throw new PeerError(`the peer's certificate has ${uris.length} URIs; a workload's has exactly one`)
  return (uris[0] as string).slice('URI:'.length)
}

function isRootedIn(leaf: X509Certificate, roots: readonly X509Certificate[]): boolean {
  let current: X509Certificate | undefined = leaf
  for (let i = 0; current !== undefined && i < MAX_CHAIN; i++) {
    const signed = current
    if (roots.some((root) => signed.checkIssued(root) && signed.verify(root.publicKey))) return true
    const issuer: X509Certificate | undefined = issuerOf(current)
    if (issuer === undefined || issuer.fingerprint256 === current.fingerprint256) return false
    // what the peer sent in between counts only if it signed what is below it
    if (!current.checkIssued(issuer) || !current.verify(issuer.publicKey) || !issuer.ca) return false
    current = issuer
  }
  return false
}

/** Of certificates that came with a TLS handshake. */
function issuerOf(certificate: X509Certificate): X509Certificate | undefined {
  return (certificate as { issuerCertificate?: X509Certificate }).issuerCertificate
}
