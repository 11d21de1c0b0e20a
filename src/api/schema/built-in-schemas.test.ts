import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { apiVersionOf } from '../meta/object.ts'
import { BUILT_IN_KINDS } from '../registry.ts'
import { parseManifests } from '../yaml.ts'
import { admit, resolveSchema, schemaNames, validateSchema, type ObjectSchema, type Schema } from './index.ts'

describe('every schema', () => {
  const objects = schemaNames()
    .map((name) => resolveSchema(name) as Schema)
    .filter((schema): schema is ObjectSchema => schema.type === 'object')

  test('can be read, with all it refers to', () => {
    expect(objects.length).toBeGreaterThan(500)
    const properties = objects.flatMap((schema) => [...schema.properties.values()])
    expect(properties.length).toBeGreaterThan(2000)
  })

  test('has map keys and merge keys that its elements have, or only defaults to', () => {
    const wrong = objects.flatMap((schema) =>
      [...schema.properties.values()].flatMap((property) => {
        const keys = [...(property.listMapKeys ?? []), ...(property.patchMergeKey === undefined ? [] : [property.patchMergeKey])]
        if (keys.length === 0) return []
        const items = property.schema.type === 'array' ? property.schema.items : undefined
        return keys
          .filter((key) => items?.type !== 'object' || !items.properties.has(key))
          .map((key) => `${schema.name}.${property.name}: ${key}`)
      }),
    )
    expect(wrong).toEqual([])
  })

  test('has enums on strings and list types on lists only', () => {
    for (const schema of objects) {
      for (const property of schema.properties.values()) {
        const element = property.schema.type === 'array' ? property.schema.items : property.schema
        if (property.enum) expect([schema.name, property.name, element.type]).toEqual([schema.name, property.name, 'string'])
        if (property.listType) expect([schema.name, property.name, property.schema.type]).toEqual([schema.name, property.name, 'array'])
      }
    }
  })
})

describe('every built-in kind', () => {
  test.each(BUILT_IN_KINDS.map((kind) => [`${apiVersionOf(kind)} ${kind.kind}`, kind] as const))(
    '%s has a schema and takes a bare object',
    (_, kind) => {
      const schema = resolveSchema(kind.schema ?? '')
      expect(schema?.type).toBe('object')
      expect(resolveSchema(`${kind.schema}List`)?.type).toBe('object')
      const object = { apiVersion: apiVersionOf(kind), kind: kind.kind, metadata: { name: 'x', creationTimestamp: null } }
      expect(admit(schema as Schema, object, { unknownFields: 'strict' })).toMatchObject({ errors: [], unknown: [] })
    },
  )

  test('the kinds of the API machinery have one too', () => {
    const names = ['Status', 'DeleteOptions', 'Patch', 'WatchEvent', 'PartialObjectMetadata', 'PartialObjectMetadataList', 'Table'].map(
      (kind) => `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}`,
    )
    const others = ['policy.v1.Eviction', 'core.v1.Binding', 'autoscaling.v1.Scale', 'authentication.v1.TokenRequest'].map(
      (name) => `io.k8s.api.${name}`,
    )
    for (const name of [...names, ...others]) expect(resolveSchema(name), name).toBeDefined()
  })
})

const manifests = new URL('../../../../shared/manifests/', import.meta.url)
describe.skipIf(!existsSync(manifests))('well-known manifests (skipped where ../shared/manifests is absent)', () => {
  const files = existsSync(manifests)
    ? readdirSync(manifests, { recursive: true, encoding: 'utf8' })
        .filter((file) => file.endsWith('.yaml'))
        .sort()
    : []
  test.each(files)('%s is admitted strictly', (file) => {
    let seen = 0
    for (const { object, line } of parseManifests(readFileSync(fileURLToPath(new URL(file, manifests)), 'utf8'), file)) {
      const kind = BUILT_IN_KINDS.find((one) => apiVersionOf(one) === object['apiVersion'] && one.kind === object['kind'])
      if (!kind) continue
      seen++
      const schema = resolveSchema(kind.schema ?? '') as Schema
      const { value, errors, unknown } = admit(schema, object, { unknownFields: 'strict' })
      expect({ line, errors, unknown, invalid: validateSchema(schema, value) }).toEqual({ line, errors: [], unknown: [], invalid: [] })
    }
    // the Istio routes of bookinfo are of kinds that are not built in
    if (!/gateway|route-/.test(file)) expect(seen).toBeGreaterThan(0)
  })
})
