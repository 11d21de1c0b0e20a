import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { admit, applyDefaults, resolveSchema, validateSchema, type Schema } from './index.ts'

const KINDS = [
  'core.v1.Pod',
  'core.v1.Service',
  'core.v1.Node',
  'core.v1.Secret',
  'apps.v1.Deployment',
  'apps.v1.StatefulSet',
  'batch.v1.Job',
  'autoscaling.v2.HorizontalPodAutoscaler',
  'networking.v1.NetworkPolicy',
  'storage.v1.CSIDriver',
].map((name) => resolveSchema(`io.k8s.api.${name}`) as Schema)

const junk = fc.oneof(
  { weight: 3, arbitrary: fc.jsonValue({ maxDepth: 2 }) },
  { weight: 1, arbitrary: fc.constantFrom(null, '', 0, {}, [], '__proto__', 2n ** 62n) },
)
const SCALARS: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
  string: fc.constantFrom('', 'a', 'ClientIP', 'RollingUpdate', 'LoadBalancer', 'Always'),
  boolean: fc.boolean(),
  integer: fc.integer(),
  int32: fc.integer({ min: -3, max: 3 }),
  int64: fc.oneof(fc.integer(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })),
  double: fc.double(),
  byte: fc.base64String(),
  'date-time': fc.constantFrom('2024-01-01T00:00:00Z', '2024-01-01T00:00:00.5+01:00'),
  'micro-time': fc.constantFrom('2024-01-01T00:00:00.123456Z', '2024-01-01T00:00:00Z'),
  quantity: fc.constantFrom('1', '0.5', '1024Ki', 3, '1e9'),
  'int-or-string': fc.constantFrom(0, 8080, '25%', ''),
}

// a value that mostly fits: now and then a field is junk, null or unknown
function valueOf(schema: Schema, depth: number, wild: boolean): fc.Arbitrary<unknown> {
  const fitting = fittingValue(schema, depth, wild)
  return wild ? fc.oneof({ weight: 30, arbitrary: fitting }, { weight: 1, arbitrary: junk }) : fitting
}

function fittingValue(schema: Schema, depth: number, wild: boolean): fc.Arbitrary<unknown> {
  if (schema.type === 'array') return depth > 9 ? fc.constant([]) : fc.array(valueOf(schema.items, depth + 1, wild), { maxLength: 2 })
  if (schema.type === 'map')
    return fc.dictionary(fc.constantFrom('a', 'b', '__proto__', 'constructor'), valueOf(schema.values, depth + 1, wild), { maxKeys: 2 })
  if (schema.type !== 'object') return SCALARS[schema.type] ?? junk
  if (depth > 9) return fc.constant({})
  const names = [...schema.properties.keys()]
  return fc.subarray(names, { maxLength: Math.min(names.length, 5) }).chain((chosen) => {
    const fields = Object.fromEntries(chosen.map((name) => [name, valueOf(schema.properties.get(name)?.schema as Schema, depth + 1, wild)]))
    return wild ? fc.record({ ...fields, unknownField: junk }) : fc.record(fields)
  })
}

const anyValue = (wild: boolean): fc.Arbitrary<readonly [Schema, unknown]> =>
  fc.constantFrom(...KINDS).chain((schema) => fc.tuple(fc.constant(schema), valueOf(schema, 0, wild)))

test('no JSON value makes admit, applyDefaults or validateSchema throw', () => {
  fc.assert(
    fc.property(fc.constantFrom(...KINDS), fc.jsonValue(), (schema, value) => {
      applyDefaults(schema, structuredClone(value))
      validateSchema(schema, admit(schema, value, { unknownFields: 'strict' }).value)
    }),
    { numRuns: 500 },
  )
})

test('nor do nearly right objects, and prototypes stay as they are', () => {
  fc.assert(
    fc.property(anyValue(true), ([schema, value]) => {
      applyDefaults(schema, structuredClone(value))
      const admitted = admit(schema, value, { unknownFields: 'strict' })
      validateSchema(schema, admitted.value)
      expect(({} as Record<string, unknown>)['unknownField']).toBeUndefined()
      expect(Object.keys(Object.prototype)).toEqual([])
    }),
    { numRuns: 500 },
  )
})

test('what was admitted once is admitted again without any change', () => {
  fc.assert(
    fc.property(anyValue(false), ([schema, value]) => {
      const once = admit(schema, value, { unknownFields: 'strict' })
      expect(once.errors).toEqual([])
      expect(once.unknown).toEqual([])
      const before = structuredClone(once.value)
      expect(admit(schema, once.value, { unknownFields: 'strict' }).value).toEqual(before)
    }),
    { numRuns: 500 },
  )
})

test('defaults set twice are defaults set once, in the same pass or in one of their own', () => {
  fc.assert(
    fc.property(anyValue(false), ([schema, value]) => {
      const together = admit(schema, structuredClone(value)).value
      const apart = admit(schema, value, { defaults: false }).value
      applyDefaults(schema, apart)
      expect(apart).toEqual(together)
      applyDefaults(schema, apart)
      expect(apart).toEqual(together)
    }),
    { numRuns: 500 },
  )
})
