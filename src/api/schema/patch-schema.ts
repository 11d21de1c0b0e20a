import type { Property, Schema } from './schema.ts'
import { resolveSchema } from './resolve-schema.ts'

export type PatchStrategy = 'merge' | 'replace' | 'retainKeys'

/**
 * What a strategic merge patch has to know of one place in an object.
 * Source: k8s.io/apimachinery strategicpatch.LookupPatchMeta; the struct tags patchStrategy and patchMergeKey.
 */
export interface PatchSchema {
  /** The schema of a field, or of a map's value. Undefined where nothing is known: such values are merged as plain JSON. */
  property(name: string): PatchSchema | undefined
  /** The schema of a list's elements. Undefined where this is no list. */
  items(): PatchSchema | undefined
  /** Key of the elements of a list with strategy `merge`. Absent there: a list of primitives, merged as a set. */
  readonly mergeKey?: string
  /** Empty means the default: objects are merged, lists are replaced. */
  readonly strategies: readonly PatchStrategy[]
}

/** The view a strategic merge has of a named schema (`io.k8s.api.core.v1.Pod`); undefined where there is no such schema. */
export function patchSchemaOf(schemaName: string): PatchSchema | undefined {
  const schema = resolveSchema(schemaName)
  return schema && new PatchView(schema, undefined)
}

const NONE: readonly PatchStrategy[] = []

class PatchView implements PatchSchema {
  readonly strategies: readonly PatchStrategy[]
  readonly mergeKey?: string
  readonly #schema: Schema

  constructor(schema: Schema, property: Property | undefined) {
    this.#schema = schema
    this.strategies = property?.patchStrategies ?? NONE
    if (property?.patchMergeKey !== undefined) this.mergeKey = property.patchMergeKey
  }

  property(name: string): PatchSchema | undefined {
    const schema = this.#schema
    if (schema.type === 'map') return new PatchView(schema.values, undefined)
    if (schema.type !== 'object') return undefined
    const property = schema.properties.get(name)
    return property && new PatchView(property.schema, property)
  }

  items(): PatchSchema | undefined {
    return this.#schema.type === 'array' ? new PatchView(this.#schema.items, undefined) : undefined
  }
}
