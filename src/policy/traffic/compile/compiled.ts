import type { Finding, MeshServiceView } from '../input/index.ts'
import type { Origin, Resource, ResourceOfType, ResourceType } from '../model/index.ts'

/** One resource with the objects that it comes from. */
export type CompiledResource = {
  readonly [Type in ResourceType]: { readonly type: Type; readonly value: ResourceOfType[Type]; readonly origins: readonly Origin[] }
}[ResourceType]

/** Something that cannot be compiled, with the objects to blame. */
export class CompileError extends Error {
  readonly origins: readonly Origin[]

  constructor(error: unknown, origins: readonly Origin[]) {
    super(error instanceof Error ? error.message : String(error), { cause: error })
    this.name = 'CompileError'
    this.origins = error instanceof CompileError && error.origins.length > 0 ? error.origins : origins
  }
}

/** Collects what is compiled; one that comes twice under one name is one. */
export class Collector {
  readonly #resources = new Map<string, CompiledResource>()
  readonly findings: Finding[] = []

  add(type: ResourceType, value: Resource, origins: Iterable<Origin> = []): void {
    const key = `${type}/${value.name}`
    if (!this.#resources.has(key)) this.#resources.set(key, { type, value, origins: [...new Set(origins)] } as CompiledResource)
  }

  /** Takes over what is compiled already. */
  take(resources: Iterable<CompiledResource>): void {
    for (const resource of resources) {
      const key = `${resource.type}/${resource.value.name}`
      if (!this.#resources.has(key)) this.#resources.set(key, resource)
    }
  }

  has(type: ResourceType, name: string): boolean {
    return this.#resources.has(`${type}/${name}`)
  }

  get resources(): readonly CompiledResource[] {
    return [...this.#resources.values()]
  }

  /**
   * What cannot be compiled is left out and said so: the rest goes on.
   * @param origins to blame where the error names none
   * @param close adds what closes it, where leaving it out would leave it open
   */
  guard(origins: () => readonly Origin[], what: string, compile: () => void, close?: () => void): void {
    try {
      compile()
    } catch (error) {
      const { message, origins: blamed } = new CompileError(error, origins())
      close?.()
      for (const origin of blamed) {
        this.findings.push({
          origin,
          type: 'Invalid',
          reason: 'NotCompiled',
          message: `${what} cannot be compiled and is ${close ? 'closed' : 'left out'}: ${message}`,
        })
      }
    }
  }
}

/** A service as the object that a finding is about. */
export function serviceOrigin({ kind, namespace, name }: Pick<MeshServiceView, 'kind' | 'namespace' | 'name'>): Origin {
  return { kind, group: kind === 'Service' ? '' : 'kuma.io', namespace, name }
}
