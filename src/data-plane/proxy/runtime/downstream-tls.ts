import { createHash, X509Certificate } from 'node:crypto'
import { createSecureContext, type SecureContext, type SecureVersion } from 'node:tls'
import type { DownstreamTls, FilterChain, Secret } from '../../../policy/traffic/model/index.ts'
import type { DownstreamTlsInfo } from '../contract.ts'
import { MESH_PROTOCOLS, type MeshTls } from '../identity/mesh-tls.ts'
import { MESH_ALPN } from '../../../policy/traffic/model/index.ts'
import type { ServerTlsOptions, TlsSession } from '../transport/contract.ts'

type OwnTls = Extract<DownstreamTls, { readonly mode: 'terminate' }>

const VERSION: Readonly<Record<'TLS12' | 'TLS13', SecureVersion>> = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' }
const HANDSHAKE_MS = 10_000

/** TLS of clients: how it ends here. */
export class DownstreamTlsMaker {
  readonly #mesh: MeshTls
  readonly #secret: (name: string) => Secret | undefined
  readonly #contexts = new Map<string, SecureContext>()

  constructor(mesh: MeshTls, secret: (name: string) => Secret | undefined) {
    this.#mesh = mesh
    this.#secret = secret
  }

  /** Undefined: the bytes go on as they are. @throws Error saying what is missing: the connection is closed */
  for(chain: FilterChain, serverName: string | undefined): ServerTlsOptions | undefined {
    const { tls } = chain
    if (!tls || tls.mode === 'passthrough') return undefined
    if (tls.mode === 'mesh') {
      const context = this.#mesh.serverContext(tls.versions, tls.ciphers)
      if (!context) throw new Error('this proxy has no identity (yet)')
      const alpn = MESH_PROTOCOLS.filter((protocol) => (protocol === MESH_ALPN.tcp ? chain.tcp !== undefined : chain.http !== undefined))
      if (tls.proxyless && chain.http) alpn.push('h2')
      return { context, alpn, clientCertificate: 'require', handshakeTimeoutMs: HANDSHAKE_MS }
    }
    return {
      context: this.#contextOf(tls, this.#certificateFor(tls, serverName)),
      alpn: tls.alpn,
      clientCertificate: tls.clientCa === undefined ? 'none' : 'require',
      handshakeTimeoutMs: HANDSHAKE_MS,
    }
  }

  /** What a finished handshake says of the client. @throws {PeerError} for an identity that is not believed */
  info(chain: FilterChain, session: TlsSession): DownstreamTlsInfo {
    const { peer, serverName, alpn, version, cipher } = session
    const identity = chain.tls?.mode === 'mesh' && peer ? { peer: this.#mesh.identify(peer) } : {}
    if (chain.tls?.mode === 'mesh' && !peer) throw new Error('the client shows no certificate')
    return {
      version,
      cipher,
      ...identity,
      ...(serverName === undefined ? {} : { serverName }),
      ...(alpn === undefined ? {} : { alpn }),
      ...(peer ? { peerHash: peer.fingerprint256.replaceAll(':', '').toLowerCase() } : {}),
    }
  }

  /** Secrets have changed. */
  forget(): void {
    this.#contexts.clear()
  }

  #certificateFor(tls: OwnTls, serverName: string | undefined): Secret {
    const secrets = tls.certificates.flatMap((name) => this.#secret(name) ?? [])
    const [first] = secrets
    if (!first) throw new Error(`no certificate is there: ${tls.certificates.join(', ')}`)
    if (secrets.length === 1 || serverName === undefined) return first
    return secrets.find(({ certificate }) => certificate !== undefined && isFor(certificate, serverName)) ?? first
  }

  #contextOf(tls: OwnTls, secret: Secret): SecureContext {
    const key = JSON.stringify([secret.name, tls.clientCa, tls.versions, tls.ciphers])
    const known = this.#contexts.get(key)
    if (known) return known
    const clientCa = tls.clientCa === undefined ? undefined : this.#secret(tls.clientCa)?.ca
    if (tls.clientCa !== undefined && clientCa === undefined) throw new Error(`the authority of clients ${tls.clientCa} is not there`)
    const made = createSecureContext({
      ...(secret.certificate === undefined ? {} : { cert: secret.certificate }),
      ...(secret.privateKey === undefined ? {} : { key: secret.privateKey }),
      ...(clientCa === undefined ? {} : { ca: clientCa }),
      minVersion: VERSION[tls.versions?.min ?? 'TLS12'],
      maxVersion: VERSION[tls.versions?.max ?? 'TLS13'],
      ...(tls.ciphers?.length ? { ciphers: tls.ciphers.join(':') } : {}),
      // 32 bytes at most
      sessionIdContext: createHash('sha256').update(key).digest('base64url').slice(0, 32),
    })
    this.#contexts.set(key, made)
    return made
  }
}

function isFor(certificate: string, serverName: string): boolean {
  try {
    return new X509Certificate(certificate).checkHost(serverName) !== undefined
  } catch {
    return false
  }
}
