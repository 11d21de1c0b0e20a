import type { X509Certificate } from 'node:crypto'
import { createSecureContext, rootCertificates, type SecureContext, type SecureVersion } from 'node:tls'
import { compileStringMatch } from '../../../policy/traffic/evaluate/index.ts'
import {
  MESH_ALPN,
  meshServerName,
  type Cluster,
  type Endpoint,
  type Secret,
  type UpstreamTls,
} from '../../../policy/traffic/model/index.ts'
import type { HostProtocol } from '../clusters/index.ts'
import type { ClientTls } from '../contract.ts'
import type { MeshTls } from '../identity/index.ts'

type OutsideTls = Extract<UpstreamTls, { readonly mode: 'tls' }>

const VERSION: Readonly<Record<'TLS12' | 'TLS13', SecureVersion>> = { TLS12: 'TLSv1.2', TLS13: 'TLSv1.3' }
const ALPN: Readonly<Record<HostProtocol | 'tcp', readonly string[]>> = {
  http1: [MESH_ALPN.http1],
  // gRPC inside of an application knows none of the mesh's own
  http2: [MESH_ALPN.http2, 'h2'],
  alpn: [MESH_ALPN.http2],
  tcp: [MESH_ALPN.tcp],
}

/** TLS towards endpoints: of the mesh by its own identity, of others by what their cluster says. Contexts are made once for each setting. */
export class UpstreamTlsMaker {
  readonly #mesh: MeshTls
  readonly #secret: (name: string) => Secret | undefined
  readonly #contexts = new Map<string, SecureContext>()

  constructor(mesh: MeshTls, secret: (name: string) => Secret | undefined) {
    this.#mesh = mesh
    this.#secret = secret
  }

  /** See ClusterDeps.clientTls. What is missing is an error at each connection, not plain text. */
  for(cluster: Cluster, endpoint: Endpoint, protocol: HostProtocol | 'tcp'): (() => ClientTls) | undefined {
    const { tls } = cluster
    if (!tls) return undefined
    if (tls.mode === 'tls') return () => this.#outside(tls, protocol)
    const { identity, address } = endpoint
    // without an identity it is no part of the mesh: in plain text, which it can refuse
    if (identity === undefined) return undefined
    const target = {
      serverName: meshServerName(address.port),
      alpn: ALPN[protocol],
      accepts: tls.identities.length > 0 ? tls.identities : [identity],
    }
    return () => {
      const made = this.#mesh.clientTls(target)
      if (!made) throw new Error('this proxy has no identity (yet)')
      return made
    }
  }

  /** Secrets have changed. */
  forget(): void {
    this.#contexts.clear()
  }

  #outside(tls: OutsideTls, protocol: HostProtocol | 'tcp'): ClientTls {
    const { serverName, verify, subjectAltNames = [] } = tls
    const names = subjectAltNames.map((match) => compileStringMatch(match))
    const alpn =
      tls.alpn ?? (protocol === 'tcp' ? [] : protocol === 'http2' ? ['h2'] : protocol === 'alpn' ? ['h2', 'http/1.1'] : ['http/1.1'])
    return {
      ...(serverName === undefined ? {} : { serverName }),
      alpn,
      context: this.#contextOf(tls),
      verifyChain: verify !== 'none',
      verify(certificate) {
        if (verify !== 'full') return
        if (names.length > 0) {
          if (!alternativeNames(certificate).some((name) => names.some((match) => match(name))))
            throw new Error('the certificate of the server has none of the names that are expected')
        } else if (serverName === undefined || certificate.checkHost(serverName) === undefined) {
          throw new Error(`the certificate of the server is not for ${serverName ?? 'any name that is expected'}`)
        }
      },
    }
  }

  #contextOf(tls: OutsideTls): SecureContext {
    const key = JSON.stringify([tls.ca, tls.certificate, tls.versions])
    const known = this.#contexts.get(key)
    if (known) return known
    const ca = tls.ca === undefined ? undefined : this.#read(tls.ca).ca
    const own = tls.certificate === undefined ? undefined : this.#read(tls.certificate)
    const made = createSecureContext({
      ca: ca ?? [...rootCertificates],
      ...(own?.certificate && own.privateKey ? { cert: own.certificate, key: own.privateKey } : {}),
      minVersion: VERSION[tls.versions?.min ?? 'TLS12'],
      maxVersion: VERSION[tls.versions?.max ?? 'TLS13'],
    })
    this.#contexts.set(key, made)
    return made
  }

  #read(name: string): Secret {
    const secret = this.#secret(name)
    if (!secret) throw new Error(`secret ${name} is not there`)
    return secret
  }
}

function alternativeNames(certificate: X509Certificate): readonly string[] {
  return (certificate.subjectAltName ?? '').split(', ').map((name) => name.slice(name.indexOf(':') + 1))
}
