import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { compileService, type CompiledService } from './compile-service.ts'
import type { Frontend, FrontendKind, HealthCheck, ServiceNode, ServiceTable } from './service-table.ts'

/** A frontend that is new, gone or different. */
export interface FrontendChange {
  readonly key: string
  readonly before?: Frontend
  readonly after?: Frontend
}

const SERVICE_NAME = 'kubernetes.io/service-name'
const KIND_RANK: Readonly<Record<FrontendKind, number>> = { ClusterIP: 0, LoadBalancer: 1, ExternalIP: 2, NodePort: 3 }

/** The whole table at once. Pure. @param revision of the store's state that the objects are from */
export function compileServices(
  services: readonly Service[],
  slices: readonly EndpointSlice[],
  node: ServiceNode,
  revision: bigint = 0n,
): ServiceTable {
  const builder = new ServiceTableBuilder(node)
  for (const slice of slices) builder.setSlice(slice)
  for (const service of services) builder.setService(service)
  builder.recompile(revision)
  return builder.table
}

/**
 * A service table that follows changes: what is put in or taken out marks its service, `recompile` works those off and tells which frontends
 * changed. Costs as much as the changed services have ports and endpoints, however many others there are.
 */
export class ServiceTableBuilder {
  readonly #node: ServiceNode
  readonly #services = new Map<string, Service>()
  /** Slices by service, then by slice name. */
  readonly #slices = new Map<string, Map<string, EndpointSlice>>()
  readonly #serviceOfSlice = new Map<string, string>()
  readonly #compiled = new Map<string, CompiledService>()
  /** Who wants a frontend; more than one only in a conflict. */
  readonly #claims = new Map<string, readonly Frontend[]>()
  readonly #frontends = new Map<string, Frontend>()
  readonly #healthChecks = new Map<string, HealthCheck>()
  readonly #contested = new Set<string>()
  readonly #withoutLocal = new Map<string, { readonly internal: boolean; readonly external: boolean }>()
  readonly #dirty = new Set<string>()
  #revision = 0n

  constructor(node: ServiceNode) {
    this.#node = node
  }

  setService(service: Service): void {
    const name = nameOf(service.metadata)
    this.#services.set(name, service)
    this.#dirty.add(name)
  }

  deleteService(name: string): void {
    if (this.#services.delete(name)) this.#dirty.add(name)
  }

  setSlice(slice: EndpointSlice): void {
    const key = nameOf(slice.metadata)
    const service = `${slice.metadata.namespace}/${slice.metadata.labels?.[SERVICE_NAME] ?? ''}`
    const previous = this.#serviceOfSlice.get(key)
    if (previous !== undefined && previous !== service) this.deleteSlice(key)
    this.#serviceOfSlice.set(key, service)
    const known = this.#slices.get(service)
    if (known) known.set(key, slice)
    else this.#slices.set(service, new Map([[key, slice]]))
    this.#dirty.add(service)
  }

  /** @param key `namespace/name` of the slice */
  deleteSlice(key: string): void {
    const service = this.#serviceOfSlice.get(key)
    if (service === undefined) return
    this.#serviceOfSlice.delete(key)
    const slices = this.#slices.get(service)
    slices?.delete(key)
    if (slices?.size === 0) this.#slices.delete(service)
    this.#dirty.add(service)
  }

  /** Brings the table up to date. @returns the frontends that were touched, each once */
  recompile(revision: bigint): readonly FrontendChange[] {
    const before = new Map<string, Frontend | undefined>()
    for (const name of this.#dirty) this.#recompileOne(name, before)
    this.#dirty.clear()
    this.#revision = revision
    return [...before].flatMap(([key, old]): FrontendChange[] => {
      const after = this.#frontends.get(key)
      return old || after ? [{ key, ...(old ? { before: old } : {}), ...(after ? { after } : {}) }] : []
    })
  }

  /** A view that follows `recompile`; the revision and the lists of trouble are those of the call. */
  get table(): ServiceTable {
    const flags = [...this.#withoutLocal.values()]
    return {
      node: this.#node,
      revision: this.#revision,
      frontends: this.#frontends,
      healthChecks: this.#healthChecks,
      conflicts: [...this.#contested].flatMap((key) => {
        const [winner, ...losers] = this.#claims.get(key) ?? []
        return losers.map((loser) => ({ key, loser: loser.service, winner: winner?.service ?? '' }))
      }),
      withoutLocal: {
        internal: flags.filter(({ internal }) => internal).length,
        external: flags.filter(({ external }) => external).length,
      },
    }
  }

  /** How many services there are, compiled. */
  get size(): number {
    return this.#compiled.size
  }

  #recompileOne(name: string, before: Map<string, Frontend | undefined>): void {
    const service = this.#services.get(name)
    const old = this.#compiled.get(name)
    const next = service ? compileService(service, [...(this.#slices.get(name)?.values() ?? [])], this.#node) : undefined
    for (const { key } of [...(old?.frontends ?? []), ...(next?.frontends ?? [])]) {
      if (!before.has(key)) before.set(key, this.#frontends.get(key))
    }
    for (const frontend of old?.frontends ?? []) {
      this.#claim(
        frontend.key,
        (this.#claims.get(frontend.key) ?? []).filter((claim) => claim !== frontend),
      )
    }
    for (const frontend of next?.frontends ?? []) {
      this.#claim(frontend.key, [...(this.#claims.get(frontend.key) ?? []), frontend].sort(byRank))
    }
    if (next) this.#compiled.set(name, next)
    else this.#compiled.delete(name)
    if (next?.healthCheck) this.#healthChecks.set(name, next.healthCheck)
    else this.#healthChecks.delete(name)
    const flags = missingLocal(next?.frontends ?? [])
    if (flags.internal || flags.external) this.#withoutLocal.set(name, flags)
    else this.#withoutLocal.delete(name)
  }

  #claim(key: string, claims: readonly Frontend[]): void {
    if (claims.length > 1) this.#contested.add(key)
    else this.#contested.delete(key)
    const [owner] = claims
    if (owner) {
      this.#claims.set(key, claims)
      this.#frontends.set(key, owner)
    } else {
      this.#claims.delete(key)
      this.#frontends.delete(key)
    }
  }
}

const nameOf = (metadata: { readonly namespace?: string | undefined; readonly name: string }): string =>
  `${metadata.namespace}/${metadata.name}`

/** An address that somebody else's service lists as external must not take away that service's own. */
function byRank(a: Frontend, b: Frontend): number {
  if (a.kind !== b.kind) return KIND_RANK[a.kind] - KIND_RANK[b.kind]
  if (a.service === b.service) return 0
  return a.service < b.service ? -1 : 1
}

function missingLocal(frontends: readonly Frontend[]): { readonly internal: boolean; readonly external: boolean } {
  const missing = frontends.filter(({ policy, outside }) => policy === 'Local' && outside.empty === 'drop')
  return { internal: missing.some(({ kind }) => kind === 'ClusterIP'), external: missing.some(({ kind }) => kind !== 'ClusterIP') }
}
