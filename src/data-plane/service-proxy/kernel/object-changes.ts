import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { ServiceTableBuilder, type FrontendChange, type ServiceNode, type ServiceTable } from '../../../policy/packet/services/index.ts'
import { changedItems } from './changed-items.ts'

/** What one look at the lists brought. */
export interface ObjectChanges {
  readonly frontends: readonly FrontendChange[]
  readonly services: number
  readonly slices: number
  /** When the oldest of the changes happened in the cluster (annotation of the slices), milliseconds since 1970. */
  readonly triggeredAt: readonly number[]
}

const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'

/** Carries lists of objects into a service table, by what is different from the last time. */
export class ObjectChangeTracker {
  readonly #builder: ServiceTableBuilder
  #services: readonly Service[] = []
  #slices: readonly EndpointSlice[] = []
  #revision = 0n

  constructor(node: ServiceNode) {
    this.#builder = new ServiceTableBuilder(node)
  }

  get table(): ServiceTable {
    return this.#builder.table
  }

  look(services: readonly Service[], slices: readonly EndpointSlice[]): ObjectChanges {
    const changedServices = changedItems(this.#services, services)
    const changedSlices = changedItems(this.#slices, slices)
    this.#services = services
    this.#slices = slices
    // removals first: an object that was replaced is in both
    for (const { metadata } of changedServices.removed) this.#builder.deleteService(`${metadata.namespace}/${metadata.name}`)
    for (const { metadata } of changedSlices.removed) this.#builder.deleteSlice(`${metadata.namespace}/${metadata.name}`)
    for (const slice of changedSlices.added) this.#builder.setSlice(slice)
    for (const service of changedServices.added) this.#builder.setService(service)
    for (const { metadata } of [...changedServices.added, ...changedSlices.added]) this.#sawRevision(metadata.resourceVersion)
    return {
      frontends: this.#builder.recompile(this.#revision),
      services: changedServices.added.length + changedServices.removed.length,
      slices: changedSlices.added.length + changedSlices.removed.length,
      triggeredAt: changedSlices.added.flatMap(({ metadata }) => {
        const time = Date.parse(metadata.annotations?.[TRIGGER_TIME] ?? '')
        return Number.isNaN(time) ? [] : [time]
      }),
    }
  }

  #sawRevision(text: string | undefined): void {
    if (text === undefined || !/^\d{1,19}$/.test(text)) return
    const revision = BigInt(text)
    if (revision > this.#revision) this.#revision = revision
  }
}
