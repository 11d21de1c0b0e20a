/** Scalars as the API has them. `any` takes every JSON value as it is; `raw` is an object whose fields are its own. */
export type ScalarType =
  | 'string'
  | 'boolean'
  | 'integer'
  | 'int32'
  | 'int64'
  | 'double'
  | 'byte'
  | 'date-time'
  | 'micro-time'
  | 'quantity'
  | 'int-or-string'
  | 'any'
  | 'raw'

/** The structure of a value. Objects refer to each other by identity, also in cycles; nothing is resolved before it is read. */
export type Schema = ScalarSchema | ArraySchema | MapSchema | ObjectSchema

export interface ScalarSchema {
  readonly type: ScalarType
  /** Upstream's name where it has one (`io.k8s.apimachinery.pkg.api.resource.Quantity`). */
  readonly name?: string
}

export interface ArraySchema {
  readonly type: 'array'
  readonly items: Schema
}

/** A JSON object whose keys are data. */
export interface MapSchema {
  readonly type: 'map'
  readonly values: Schema
}

export interface ObjectSchema {
  readonly type: 'object'
  /** Such as `io.k8s.api.core.v1.PodSpec`. */
  readonly name: string
  readonly properties: ReadonlyMap<string, Property>
  readonly required: readonly string[]
  /** In the order in which they must be applied. */
  readonly defaults: readonly Default[]
  /** Server-side apply treats the object as one value. */
  readonly atomic: boolean
}

/** One field of an object and what merging, applying and validating have to know of it. */
export interface Property {
  readonly name: string
  readonly schema: Schema
  readonly required: boolean
  /** Allowed values; for a list, of its elements. */
  readonly enum?: readonly string[]
  readonly patchStrategies?: readonly ('merge' | 'replace' | 'retainKeys')[]
  readonly patchMergeKey?: string
  readonly listType?: 'atomic' | 'set' | 'map'
  readonly listMapKeys?: readonly string[]
  readonly mapType?: 'atomic' | 'granular'
}

/** A value for an absent field. An empty string or an empty list counts as absent, as in Go. */
export interface Default {
  /** Names from the object down to the field: mostly one. Objects on the way are not created. */
  readonly path: readonly string[]
  readonly value: unknown
  /** Zero counts as absent too (fields that are no pointers upstream). */
  readonly zero?: boolean
  /** Only where the sibling `field` has one of `values`; null among them stands for absent. */
  readonly when?: { readonly field: string; readonly values: readonly (string | null)[] }
}

/** The field at `path` below `schema`; names of lists lead to their elements, anything to a map's value. */
export function propertyAt(schema: Schema, path: readonly string[]): Property | undefined {
  let at: Schema = schema
  let property: Property | undefined
  for (const name of path) {
    while (at.type === 'array') at = at.items
    if (at.type === 'map') {
      property = undefined
      at = at.values
      continue
    }
    property = at.type === 'object' ? at.properties.get(name) : undefined
    if (!property) return undefined
    at = property.schema
  }
  return property
}
