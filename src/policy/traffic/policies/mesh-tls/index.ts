/** Whether plaintext is taken, and how TLS is spoken: strict drops the chains of plaintext and of foreign TLS; versions and ciphers go to the mesh's own chains. */
import type { PolicyPlugin } from '../../input/index.ts'
import type { FilterChain, TlsVersions } from '../../model/index.ts'
import { mergeConfs } from '../../kuma/merging.ts'

export interface TlsConf {
  readonly mode?: 'Strict' | 'Permissive'
  readonly tlsVersion?: { readonly min?: string; readonly max?: string }
  readonly tlsCiphers?: readonly string[]
}

export const meshTls: PolicyPlugin<TlsConf> = {
  type: 'MeshTLS',
  always: true,
  merge: mergeConfs,
  // plain text is not taken where nobody can say whether it may be
  closed: () => ({ mode: 'Strict' }),
  inboundChains(rules, chains, { world }) {
    // who calls is known only after the handshake: what holds for all callers holds
    const conf = rules.at(-1)?.conf ?? {}
    const mode = conf.mode === undefined ? world.mesh.defaultMode : conf.mode === 'Strict' ? 'strict' : 'permissive'
    const kept = mode === 'strict' && world.mesh.mtls ? chains.filter(isMesh) : chains
    return kept.map((chain) => withTls(chain, conf))
  },
}

const isMesh = ({ match, tls }: FilterChain): boolean =>
  tls?.mode === 'mesh' || (match.transport?.length === 1 && match.transport[0] === 'mesh')

function withTls(chain: FilterChain, { tlsVersion, tlsCiphers }: TlsConf): FilterChain {
  if (chain.tls?.mode !== 'mesh') return chain
  const versions = readVersions(tlsVersion)
  return { ...chain, tls: { ...chain.tls, ...(versions ? { versions } : {}), ...(tlsCiphers?.length ? { ciphers: tlsCiphers } : {}) } }
}

function readVersions(range: TlsConf['tlsVersion']): TlsVersions | undefined {
  const version = (text: string | undefined): 'TLS12' | 'TLS13' | undefined => (text === 'TLS12' || text === 'TLS13' ? text : undefined)
  const min = version(range?.min)
  const max = version(range?.max)
  return min || max ? { ...(min ? { min } : {}), ...(max ? { max } : {}) } : undefined
}
