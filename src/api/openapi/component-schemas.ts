import { resolveSchema, type ObjectSchema, type Property, type ScalarSchema, type Schema } from '../schema/index.ts'
import { gvkOfSchemaName } from './group-version.ts'

/** An OpenAPI v3 schema object. */
export type OpenApiSchema = Readonly<Record<string, unknown>>

/** Descriptions by field, '' for the schema itself. */
export type Docs = (schemaName: string) => Readonly<Record<string, string>>

/** `components.schemas` for these schemas and all they refer to, sorted by name. Names that do not exist are left out. */
export function componentSchemas(roots: Iterable<string>, docs: Docs): Readonly<Record<string, OpenApiSchema>> {
  const done = new Map<string, OpenApiSchema>()
  const waiting = [...roots]
  const refer = (name: string): string => {
    waiting.push(name)
    return refTo(name)
  }
  for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
    const schema = done.has(name) ? undefined : resolveSchema(name)
    if (schema?.type === 'object') done.set(name, objectSchema(schema, docs(name), refer))
    else if (schema) done.set(name, NAMED[name] ?? {})
  }
  return Object.fromEntries([...done].sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** What `$ref` holds for a schema of this document. */
export function refTo(name: string): string {
  return `#/components/schemas/${name}`
}

type Refer = (name: string) => string

function objectSchema(schema: ObjectSchema, docs: Readonly<Record<string, string>>, refer: Refer): OpenApiSchema {
  const properties = [...schema.properties.values()].map((property) => [
    property.name,
    propertySchema(property, { description: docs[property.name], value: defaultOf(schema, property.name), refer }),
  ])
  const gvk = gvkOfSchemaName(schema.name)
  const isKind =
    ['apiVersion', 'kind'].every((name) => schema.properties.has(name)) &&
    (schema.properties.has('metadata') || EMBEDDED.has(gvk?.kind ?? ''))
  return {
    ...(docs[''] && { description: docs[''] }),
    ...(properties.length > 0 && { properties: Object.fromEntries(properties) as unknown }),
    ...(schema.required.length > 0 && { required: schema.required }),
    type: 'object',
    ...(isKind && gvk && { 'x-kubernetes-group-version-kind': [gvk] }),
    ...(schema.atomic && { 'x-kubernetes-map-type': 'atomic' }),
  }
}

// kinds without metadata
const EMBEDDED: ReadonlySet<string> = new Set(['DeleteOptions', 'APIGroup', 'APIGroupList', 'APIResourceList', 'APIVersions'])

interface PropertyContext {
  readonly description: string | undefined
  readonly value: unknown
  readonly refer: Refer
}

function propertySchema(property: Property, { description, value, refer }: PropertyContext): OpenApiSchema {
  const plain = valueSchema(property.schema, refer)
  // siblings of $ref are ignored by OpenAPI 3.0, so what is said of the field goes around it
  const shape = '$ref' in plain ? { allOf: [plain] } : plain
  const isList = property.schema.type === 'array'
  return {
    ...shape,
    ...(property.enum && (isList ? { items: { type: 'string', enum: property.enum } } : { enum: property.enum })),
    ...(value !== undefined && { default: value }),
    ...(description && { description }),
    ...extensions(property),
  }
}

function extensions(property: Property): OpenApiSchema {
  return {
    ...(property.listMapKeys && { 'x-kubernetes-list-map-keys': property.listMapKeys }),
    ...(property.listType && { 'x-kubernetes-list-type': property.listType }),
    ...(property.mapType && { 'x-kubernetes-map-type': property.mapType }),
    ...(property.patchMergeKey !== undefined && { 'x-kubernetes-patch-merge-key': property.patchMergeKey }),
    ...(property.patchStrategies && { 'x-kubernetes-patch-strategy': property.patchStrategies.join(',') }),
  }
}

function valueSchema(schema: Schema, refer: Refer): OpenApiSchema {
  switch (schema.type) {
    case 'object':
      return { $ref: refer(schema.name) }
    case 'array':
      return { type: 'array', items: valueSchema(schema.items, refer) }
    case 'map':
      return { type: 'object', additionalProperties: valueSchema(schema.values, refer) }
    default:
      return scalarSchema(schema, refer)
  }
}

const META = 'io.k8s.apimachinery.pkg.apis.meta.v1'

function scalarSchema({ type }: ScalarSchema, refer: Refer): OpenApiSchema {
  switch (type) {
    case 'string':
    case 'boolean':
    case 'integer':
      return { type }
    case 'int32':
    case 'int64':
      return { type: 'integer', format: type }
    case 'double':
      return { type: 'number', format: 'double' }
    case 'byte':
      return { type: 'string', format: 'byte' }
    case 'date-time':
      return { $ref: refer(`${META}.Time`) }
    case 'micro-time':
      return { $ref: refer(`${META}.MicroTime`) }
    case 'quantity':
      return { $ref: refer('io.k8s.apimachinery.pkg.api.resource.Quantity') }
    case 'int-or-string':
      return { $ref: refer('io.k8s.apimachinery.pkg.util.intstr.IntOrString') }
    case 'raw':
      return { type: 'object' }
    case 'any':
      return { 'x-kubernetes-preserve-unknown-fields': true }
  }
}

// only what holds for the field whatever its neighbours are
function defaultOf(schema: ObjectSchema, name: string): unknown {
  const rules = schema.defaults.filter((rule) => rule.path.length === 1 && rule.path[0] === name)
  return rules.length === 1 && !rules[0]?.when ? rules[0]?.value : undefined
}

const NAMED: Readonly<Record<string, OpenApiSchema>> = {
  'io.k8s.apimachinery.pkg.api.resource.Quantity': {
    description:
      'Quantity is a number with an optional suffix, exact and of fixed point: decimal (n u m k M G T P E), binary (Ki Mi Gi Ti Pi Ei) or an exponent (e3). ' +
      'It is kept in canonical form: no fraction, the largest suffix that loses nothing, so 1.5 becomes 1500m and 1024Mi becomes 1Gi.',
    oneOf: [{ type: 'string' }, { type: 'number' }],
  },
  'io.k8s.apimachinery.pkg.util.intstr.IntOrString': {
    description: 'IntOrString is a 32-bit integer or a string, such as a port number or name, or a count or percentage.',
    format: 'int-or-string',
    oneOf: [{ type: 'integer' }, { type: 'string' }],
  },
  [`${META}.Time`]: { description: 'Time is an instant in RFC 3339 with whole seconds, in UTC.', format: 'date-time', type: 'string' },
  [`${META}.MicroTime`]: {
    description: 'MicroTime is an instant in RFC 3339 with six digits of fraction, in UTC.',
    format: 'date-time',
    type: 'string',
  },
  [`${META}.FieldsV1`]: {
    description: 'FieldsV1 is a set of fields as a trie: f:name, k:{keys}, v:value and . for the field itself.',
    type: 'object',
  },
  [`${META}.Patch`]: { description: 'Patch is the body of a PATCH request; what it holds depends on the content type.', type: 'object' },
  'io.k8s.apimachinery.pkg.runtime.RawExtension': { description: 'RawExtension is an object whose fields are its own.', type: 'object' },
}
