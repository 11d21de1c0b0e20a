import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { keyOf } from '../../../api/meta/object.ts'
import { compileService } from './compile-service.ts'
import { ClusterZone, serviceKeyOf, type ZoneOptions, type ZoneSnapshot } from './zone.ts'

/** Keeps a zone equal to services and slices that come and go one by one. Changes are taken in when the zone is looked at. */
export class ZoneKeeper {
  readonly #zone: ClusterZone
  readonly #services = new Map<string, Service>()
  readonly #slices = new Map<string, EndpointSlice>()
  /** Keys of slices by key of their service. */
  readonly #slicesOf = new Map<string, Set<string>>()
  readonly #dirty = new Set<string>()

  constructor(options: ZoneOptions) {
    this.#zone = new ClusterZone(options)
  }

  /** As it is now. The object stays the same and goes on changing. */
  snapshot(): ZoneSnapshot {
    if (this.#dirty.size > 0) this.#flush()
    return this.#zone
  }

  get serviceCount(): number {
    return this.#services.size
  }

  setService(service: Service): void {
    const key = keyOf(service)
    this.#services.set(key, service)
    this.#dirty.add(key)
  }

  deleteService(key: string): void {
    this.#services.delete(key)
    this.#dirty.add(key)
  }

  setSlice(slice: EndpointSlice): void {
    const key = keyOf(slice)
    this.#unlink(key)
    this.#slices.set(key, slice)
    const owner = serviceKeyOf(slice)
    if (owner === undefined) return
    const known = this.#slicesOf.get(owner)
    if (known) known.add(key)
    else this.#slicesOf.set(owner, new Set([key]))
    this.#touch(owner)
  }

  deleteSlice(key: string): void {
    this.#unlink(key)
    this.#slices.delete(key)
  }

  /** Forgets every service that is not in this list, which is whole. */
  retainServices(keys: ReadonlySet<string>): void {
    for (const key of this.#services.keys()) if (!keys.has(key)) this.deleteService(key)
  }

  /** As `retainServices`. */
  retainSlices(keys: ReadonlySet<string>): void {
    for (const key of this.#slices.keys()) if (!keys.has(key)) this.deleteSlice(key)
  }

  #unlink(key: string): void {
    const previous = this.#slices.get(key)
    const owner = previous && serviceKeyOf(previous)
    if (owner === undefined) return
    const known = this.#slicesOf.get(owner)
    known?.delete(key)
    if (known?.size === 0) this.#slicesOf.delete(owner)
    this.#touch(owner)
  }

  /** Endpoints matter to headless services alone. */
  #touch(owner: string): void {
    if (this.#services.get(owner)?.spec?.clusterIP === 'None') this.#dirty.add(owner)
  }

  #flush(): void {
    for (const key of this.#dirty) {
      const service = this.#services.get(key)
      if (!service) this.#zone.delete(key)
      else {
        const slices = [...(this.#slicesOf.get(key) ?? [])].sort().map((slice) => this.#slices.get(slice) as EndpointSlice)
        this.#zone.set(key, compileService(service, slices, this.#zone.options))
      }
    }
    this.#dirty.clear()
  }
}
