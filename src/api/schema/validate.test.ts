import { expect, test } from 'vitest'
import { resolveSchema, validateSchema, type Schema } from './index.ts'

const cases: readonly [string, string, object, readonly string[]][] = [
  ['nothing is missing', 'core.v1.Pod', { spec: { containers: [{ name: 'a' }] } }, []],
  [
    'required fields at any depth',
    'core.v1.Pod',
    { spec: { containers: [{ name: 'a' }, { ports: [{}] }] } },
    ['spec.containers[1].name: Required value', 'spec.containers[1].ports[0].containerPort: Required value'],
  ],
  ['required objects', 'apps.v1.Deployment', { spec: {} }, ['spec.selector: Required value', 'spec.template: Required value']],
  ['null is missing', 'core.v1.PodSpec', { containers: null }, ['containers: Required value']],
  [
    'one of a few',
    'core.v1.PodSpec',
    { containers: [], restartPolicy: 'Sometimes' },
    ['restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
  ],
  [
    'elements of a list',
    'networking.v1.NetworkPolicySpec',
    { policyTypes: ['Egress', 'Both'] },
    ['policyTypes[1]: Unsupported value: "Both": supported values: "Egress", "Ingress"'],
  ],
  ['an empty string is absent', 'core.v1.Toleration', { effect: '' }, []],
  [
    'the status of the object is its component’s',
    'core.v1.Pod',
    { spec: { containers: [] }, status: { phase: 'Odd', conditions: [{}] } },
    [],
  ],
  ['wrong types are not looked into', 'core.v1.Pod', { spec: { containers: 'none', volumes: [3] } }, []],
]
test.each(cases)('%s', (_, name, value, want) => {
  const errors = validateSchema(resolveSchema(`io.k8s.api.${name}`) as Schema, value)
  expect(errors.map(({ field, message }) => `${field}: ${message}`)).toEqual(want)
})

test('the types are the causes on the wire', () => {
  const schema = resolveSchema('io.k8s.api.core.v1.ServiceSpec') as Schema
  expect(validateSchema(schema, { type: 'Odd', ports: [{}] }).map(({ type }) => type)).toEqual([
    'FieldValueNotSupported',
    'FieldValueRequired',
  ])
})

test('at most a hundred are reported', () => {
  const containers = Array.from({ length: 500 }, () => ({}))
  expect(validateSchema(resolveSchema('io.k8s.api.core.v1.PodSpec') as Schema, { containers })).toHaveLength(100)
})
