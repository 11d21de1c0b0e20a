import { SCHEMAS } from '../generated/schemas.ts'
import type { Default, ObjectSchema, Property, ScalarSchema, ScalarType, Schema } from './schema.ts'

/** The schema of that name, parsed when first looked into and kept; undefined where there is none. */
export function resolveSchema(name: string): Schema | undefined {
  const scalar = NAMED_SCALARS.get(name)
  if (scalar) return scalar
  const known = objects.get(name)
  if (known) return known
  if (!Object.hasOwn(SCHEMAS, name)) return undefined
  const schema = new GeneratedObject(name)
  objects.set(name, schema)
  return schema
}

/** Names of all schemas, scalars with a name included, sorted. */
export function schemaNames(): readonly string[] {
  return [...Object.keys(SCHEMAS), ...NAMED_SCALARS.keys()].sort()
}

// immutable once parsed, so that sharing them in the whole process is safe
const objects = new Map<string, ObjectSchema>()

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'
const NAMED_SCALARS: ReadonlyMap<string, ScalarSchema> = new Map(
  (
    [
      ['io.k8s.apimachinery.pkg.api.resource.Quantity', 'quantity'],
      ['io.k8s.apimachinery.pkg.util.intstr.IntOrString', 'int-or-string'],
      [`${META}.Time`, 'date-time'],
      [`${META}.MicroTime`, 'micro-time'],
      ['io.k8s.apimachinery.pkg.runtime.RawExtension', 'raw'],
      [`${META}.FieldsV1`, 'raw'],
      [`${META}.Patch`, 'raw'],
    ] as const
  ).map(([name, type]) => [name, { type, name }]),
)

const SCALARS: ReadonlyMap<string, ScalarSchema> = new Map(
  (
    [
      'string',
      'boolean',
      'integer',
      'int32',
      'int64',
      'double',
      'byte',
      'date-time',
      'micro-time',
      'quantity',
      'int-or-string',
      'any',
      'raw',
    ] as const
  ).map((type: ScalarType) => [type, { type }]),
)

/** The form of one entry of SCHEMAS; scripts/generate-schemas.mjs writes it. */
interface PropertyOptions {
  readonly enum?: readonly string[]
  readonly strategy?: readonly ('merge' | 'replace' | 'retainKeys')[]
  readonly merge?: string
  readonly list?: 'atomic' | 'set' | 'map'
  readonly keys?: readonly string[]
  readonly map?: 'atomic' | 'granular'
}
type When = readonly [field: string, values: readonly (string | null)[]]
interface ObjectOptions {
  readonly atomic?: boolean
  readonly defaults?: readonly (readonly [path: string, value: unknown, zero?: 0 | 1, when?: When])[]
}
type Entry = string | readonly [type: string, options: PropertyOptions]

class GeneratedObject implements ObjectSchema {
  readonly type = 'object'
  readonly name: string
  #properties: ReadonlyMap<string, Property> | undefined
  #required: readonly string[] = []
  #defaults: readonly Default[] = []
  #atomic = false

  constructor(name: string) {
    this.name = name
  }

  get properties(): ReadonlyMap<string, Property> {
    return this.#properties ?? this.#parse()
  }

  get required(): readonly string[] {
    if (!this.#properties) this.#parse()
    return this.#required
  }

  get defaults(): readonly Default[] {
    if (!this.#properties) this.#parse()
    return this.#defaults
  }

  get atomic(): boolean {
    if (!this.#properties) this.#parse()
    return this.#atomic
  }

  #parse(): ReadonlyMap<string, Property> {
    const { '': about, ...fields } = JSON.parse(SCHEMAS[this.name] as string) as { '': ObjectOptions } & Record<string, Entry>
    const properties = new Map(Object.entries(fields).map(([name, entry]) => [name, parseProperty(name, entry as Entry)]))
    this.#properties = properties
    this.#required = [...properties.values()].filter((property) => property.required).map((property) => property.name)
    this.#defaults = (about?.defaults ?? []).map(parseDefault)
    this.#atomic = about?.atomic ?? false
    return properties
  }
}

function parseProperty(name: string, entry: Entry): Property {
  const [type, options]: readonly [string, PropertyOptions] = typeof entry === 'string' ? [entry, {}] : entry
  const required = type.startsWith('!')
  return {
    name,
    schema: parseType(required ? type.slice(1) : type),
    required,
    ...(options.enum && { enum: options.enum }),
    ...(options.strategy && { patchStrategies: options.strategy }),
    ...(options.merge !== undefined && { patchMergeKey: options.merge }),
    ...(options.list && { listType: options.list }),
    ...(options.keys && { listMapKeys: options.keys }),
    ...(options.map && { mapType: options.map }),
  }
}

function parseType(text: string): Schema {
  if (text.startsWith('[')) return { type: 'array', items: parseType(text.slice(1)) }
  if (text.startsWith('{')) return { type: 'map', values: parseType(text.slice(1)) }
  const schema = SCALARS.get(text) ?? resolveSchema(text)
  if (!schema) throw new Error(`no schema is called ${text}`)
  return schema
}

function parseDefault([path, value, zero, when]: NonNullable<ObjectOptions['defaults']>[number]): Default {
  return {
    path: path.split('.'),
    value,
    ...(zero === 1 && { zero: true }),
    ...(when && { when: { field: when[0], values: when[1] } }),
  }
}
