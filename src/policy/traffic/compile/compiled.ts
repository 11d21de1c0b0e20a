import type { Finding } from '../input/index.ts'
import type { Origin, Resource, ResourceType } from '../model/index.ts'

/** One resource with the objects that it comes from. */
export interface CompiledResource {
  readonly type: ResourceType
  readonly value: Resource
  readonly origins: readonly Origin[]
}

/** Collects what is compiled; one that comes twice under one name is one. */
export class Collector {
  readonly #resources = new Map<string, CompiledResource>()
  readonly findings: Finding[] = []

  add(type: ResourceType, value: Resource, origins: Iterable<Origin> = []): void {
    const key = `${type}/${value.name}`
    if (!this.#resources.has(key)) this.#resources.set(key, { type, value, origins: [...new Set(origins)] })
  }

  has(type: ResourceType, name: string): boolean {
    return this.#resources.has(`${type}/${name}`)
  }

  get resources(): readonly CompiledResource[] {
    return [...this.#resources.values()]
  }

  /** What cannot be compiled is left out and said so: the rest goes on. */
  guard(origins: () => readonly Origin[], what: string, compile: () => void): void {
    try {
      compile()
    } catch (error) {
      const message = `${what} cannot be compiled and is left out: ${error instanceof Error ? error.message : String(error)}`
      for (const origin of origins()) this.findings.push({ origin, type: 'Invalid', reason: 'NotCompiled', message })
    }
  }
}
