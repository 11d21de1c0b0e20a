import type { CompiledResource } from '../../../policy/traffic/compile/index.ts'

/** Gives a resource that is the same as one of the last round back as that very object: who encodes by identity does so once in its life. */
export class ResourcePool {
  #before = new Map<string, { readonly text: string; readonly resource: CompiledResource }[]>()
  #now = new Map<string, { readonly text: string; readonly resource: CompiledResource }[]>()
  /** Of one round: the same object is asked for by many proxies. */
  #seen = new Map<CompiledResource, CompiledResource>()

  /** Begins a round. */
  begin(): void {
    this.#before = this.#now
    this.#now = new Map()
    this.#seen = new Map()
  }

  keep(resource: CompiledResource): CompiledResource {
    const seen = this.#seen.get(resource)
    if (seen) return seen
    const key = `${resource.type}/${resource.value.name}`
    const text = JSON.stringify([resource.value, resource.origins])
    const known = this.#now.get(key)?.find((one) => one.text === text) ?? this.#before.get(key)?.find((one) => one.text === text)
    const entry = known ?? { text, resource }
    const variants = this.#now.get(key)
    if (!variants) this.#now.set(key, [entry])
    else if (!variants.includes(entry)) variants.push(entry)
    this.#seen.set(resource, entry.resource)
    return entry.resource
  }
}
