import { X509Certificate } from 'node:crypto'
import type { Clock } from '../../../base/clock.ts'
import type { TrustBundles } from './peer-identity.ts'
import type { IdentityMaterial, WorkloadIdentity } from './workload-identity.ts'

/** An identity on its way to another process of the same proxy: holds a private key, so never in a file or on a command line. */
export interface IdentityMessage {
  /** Absent: there is none that may be shown. */
  readonly material?: IdentityMaterial
  /** CA certificates in PEM by trust domain. */
  readonly trust: Readonly<Record<string, readonly string[]>>
}

export function identityMessage({ material, trust }: Pick<WorkloadIdentity, 'material' | 'trust'>): IdentityMessage {
  const roots = Object.fromEntries([...trust].map(([domain, certificates]) => [domain, certificates.map(String)]))
  return { ...(material ? { material } : {}), trust: roots }
}

/** An identity that another process has, asks for and renews: here it is used, for as long as it has not run out. */
export class GivenIdentity implements Pick<WorkloadIdentity, 'material' | 'trust' | 'onChange'> {
  readonly #clock: Pick<Clock, 'now'>
  readonly #listeners = new Set<() => void>()
  #material: IdentityMaterial | undefined
  #trust: TrustBundles = new Map()

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock
  }

  /** Undefined while there is none that may be shown. */
  get material(): IdentityMaterial | undefined {
    return this.#material && this.#material.notAfterMs > this.#clock.now() ? this.#material : undefined
  }

  get trust(): TrustBundles {
    return this.#trust
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  give({ material, trust }: IdentityMessage): void {
    this.#material = material
    this.#trust = new Map(Object.entries(trust).map(([domain, pems]) => [domain, pems.map((pem) => new X509Certificate(pem))]))
    for (const listener of this.#listeners) listener()
  }
}
