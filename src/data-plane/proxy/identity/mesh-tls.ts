import { constants, type X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import { MESH_ALPN, type TlsVersions } from '../../../policy/traffic/model/index.ts'
import type { ClientTls } from '../contract.ts'
import { PeerError, peerIdentity } from './peer-identity.ts'
import type { WorkloadIdentity } from './workload-identity.ts'

/** TLS with the proxy's identity. */
export interface MeshTls {
  /**
   * For connections of the mesh that come in; undefined while the proxy has no identity. The same object until certificate, trust or rules change.
   * Clients must be asked for a certificate, which must verify against it.
   */
  serverContext(versions?: TlsVersions, ciphers?: readonly string[]): SecureContext | undefined
  /** For connections to an endpoint; undefined while the proxy has no identity. @param accepts SPIFFE IDs that may answer */
  clientTls(target: {
    readonly serverName: string
    readonly alpn: readonly string[]
    readonly accepts: readonly string[]
  }): ClientTls | undefined
  /** SPIFFE ID of a peer whose chain TLS has verified. @throws {PeerError} */
  identify(peer: X509Certificate): string
}

const VERSION: Readonly<Record<'TLS12' | 'TLS13', SecureVersion>> = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' }

/** ALPN protocols of the mesh, in the order that servers prefer. */
export const MESH_PROTOCOLS: readonly string[] = [MESH_ALPN.http2, MESH_ALPN.http1, MESH_ALPN.tcp]

/** Callers and servers of one proxy, with their certificates of before. */
const MAX_KNOWN = 4_096

/** Contexts cost milliseconds to make: they are made once and shared until the identity changes. */
export function createMeshTls(identity: Pick<WorkloadIdentity, 'material' | 'trust' | 'onChange'>): MeshTls {
  const contexts = new Map<string, SecureContext>()
  /** Who has shown a certificate: to look at its chain a second time costs as much as the handshake's own look. By fingerprint. */
  const known = new Map<string, string>()
  identity.onChange(() => {
    contexts.clear()
    known.clear()
  })
  const identify = (peer: X509Certificate): string => {
    const key = peer.fingerprint256
    const before = known.get(key)
    if (before !== undefined) return before
    const id = peerIdentity(peer, identity.trust)
    if (known.size >= MAX_KNOWN) known.clear()
    known.set(key, id)
    return id
  }
  let expiresAtMs = 0

  const contextOf = (key: string, versions: TlsVersions | undefined, ciphers: readonly string[] | undefined): SecureContext | undefined => {
    const material = identity.material
    if (!material) return undefined
    if (material.notAfterMs !== expiresAtMs) contexts.clear()
    expiresAtMs = material.notAfterMs
    const known = contexts.get(key)
    if (known) return known
    const made = createSecureContext({
      cert: material.certificate,
      key: material.privateKey,
      ca: [...identity.trust.values()].flatMap((roots) => roots.map((root) => root.toString())),
      minVersion: VERSION[versions?.min ?? 'TLS12'],
      maxVersion: VERSION[versions?.max ?? 'TLS13'],
      ...(ciphers?.length ? { ciphers: ciphers.join(':') } : {}),
      // sessions of one process are of no use to another: nothing is shared by chance
      sessionIdContext: 'biplane-mesh',
      // nobody of the mesh comes back with one, and to make it costs a tenth of a handshake
      secureOptions: constants.SSL_OP_NO_TICKET,
    })
    contexts.set(key, made)
    return made
  }

  return {
    serverContext: (versions, ciphers) => contextOf(JSON.stringify(['server', versions, ciphers]), versions, ciphers),
    clientTls({ serverName, alpn, accepts }) {
      const context = contextOf('client', { min: 'TLS13' }, undefined)
      if (!context) return undefined
      return {
        serverName,
        alpn,
        context,
        verifyChain: true,
        verify(certificate) {
          const id = identify(certificate)
          if (!accepts.includes(id)) throw new PeerError(`the server is ${id}, expected ${accepts.join(' or ') || 'nobody'}`)
        },
      }
    },
    identify,
  }
}
