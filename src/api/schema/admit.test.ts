import { describe, expect, test } from 'vitest'
import { admit, decodeErrorText, fieldWarnings, resolveSchema, strictDecodingText, type Schema } from './index.ts'

const schemaOf = (name: string): Schema => {
  const schema = resolveSchema(name)
  if (!schema) throw new Error(`no schema ${name}`)
  return schema
}
const core = (kind: string): Schema => schemaOf(`io.k8s.api.core.v1.${kind}`)
const bare = { defaults: false, unknownFields: 'strict' } as const

describe('values of the wrong type', () => {
  const cases: readonly [string, Schema, unknown, string, string][] = [
    [
      'string for a number',
      core('ReplicationControllerSpec'),
      { replicas: 'three' },
      'replicas',
      'cannot unmarshal string into a value of type int32',
    ],
    [
      'fraction for an integer',
      core('ReplicationControllerSpec'),
      { replicas: 1.5 },
      'replicas',
      'cannot unmarshal number 1.5 into a value of type int32',
    ],
    [
      'beyond int32',
      core('ReplicationControllerSpec'),
      { replicas: 2 ** 31 },
      'replicas',
      'cannot unmarshal number 2147483648 into a value of type int32',
    ],
    [
      'number for a string',
      core('ConfigMap'),
      { data: { port: 80 } },
      'data.port',
      'cannot unmarshal number 80 into a value of type string',
    ],
    ['string for a bool', core('PodSpec'), { hostNetwork: 'true' }, 'hostNetwork', 'cannot unmarshal string into a value of type bool'],
    ['object for a list', core('PodSpec'), { containers: {} }, 'containers', 'cannot unmarshal object into a value of type array'],
    ['list for an object', core('Pod'), { spec: [] }, 'spec', 'cannot unmarshal array into a value of type object'],
    ['list for a map', core('ConfigMap'), { data: ['a'] }, 'data', 'cannot unmarshal array into a value of type object'],
    ['element of a list', core('Container'), { args: ['-v', 3] }, 'args[1]', 'cannot unmarshal number 3 into a value of type string'],
    ['port as bool', core('ServicePort'), { targetPort: true }, 'targetPort', 'cannot unmarshal bool into a value of type int32'],
    [
      'beyond int64',
      core('PodSpec'),
      { activeDeadlineSeconds: 2n ** 63n },
      'activeDeadlineSeconds',
      'cannot unmarshal number 9223372036854775808 into a value of type int64',
    ],
    ['no base64', core('Secret'), { data: { a: 'a b=' } }, 'data.a', 'illegal base64 data at input byte 1'],
    ['base64 without padding', core('Secret'), { data: { a: 'YQ' } }, 'data.a', 'illegal base64 data at input byte 2'],
    [
      'no quantity',
      core('ResourceRequirements'),
      { limits: { cpu: 'lots' } },
      'limits.cpu',
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      'no time',
      core('ContainerStateRunning'),
      { startedAt: 'yesterday' },
      'startedAt',
      'parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse',
    ],
    [
      'no such month',
      core('ContainerStateRunning'),
      { startedAt: '2024-13-01T00:00:00Z' },
      'startedAt',
      'parsing time "2024-13-01T00:00:00Z" as "2006-01-02T15:04:05Z07:00": cannot parse',
    ],
  ]
  test.each(cases)('%s', (_, schema, value, field, reason) => {
    const { errors, unknown } = admit(schema, value, bare)
    expect(errors).toMatchObject([{ type: 'FieldValueTypeInvalid', field, reason }])
    expect(unknown).toEqual([])
  })

  test('the whole object', () => {
    for (const value of [null, undefined, 'x', 3, true, [], 7n]) expect(admit(core('Pod'), value).errors).toHaveLength(1)
  })

  test('many are reported up to a bound', () => {
    const args = Array.from({ length: 1000 }, () => 0)
    expect(admit(core('Container'), { args }).errors).toHaveLength(100)
  })

  test('the message names kind, version, fields and reasons', () => {
    const { errors } = admit(core('Pod'), { spec: { hostNetwork: 1, containers: 2 } })
    expect(decodeErrorText({ kind: 'Pod', version: 'v1' }, errors)).toBe(
      'Pod in version "v1" cannot be handled as a Pod: ' +
        'json: spec.hostNetwork: cannot unmarshal number 1 into a value of type bool; ' +
        'json: spec.containers: cannot unmarshal number into a value of type array',
    )
  })
})

describe('unknown fields', () => {
  const pod = () => ({
    foo: 1,
    spec: { foo: null, containers: [{ name: 'a' }, { name: 'b', imagee: 'x', env: [{ nam: 'e' }] }], nodeSelector: { anything: 'goes' } },
  })

  test('are removed and, when asked for, reported with their paths', () => {
    const { value, unknown } = admit<unknown>(core('Pod'), pod(), bare)
    expect(unknown).toEqual(['foo', 'spec.foo', 'spec.containers[1].imagee', 'spec.containers[1].env[0].nam'])
    expect(value).toEqual({ spec: { containers: [{ name: 'a' }, { name: 'b', env: [{}] }], nodeSelector: { anything: 'goes' } } })
    expect(admit(core('Pod'), pod(), { unknownFields: 'warn' }).unknown).toHaveLength(4)
    expect(admit(core('Pod'), pod(), { unknownFields: 'drop' }).unknown).toEqual([])
    expect(admit(core('Pod'), pod()).unknown).toEqual([])
  })

  test('bad input case 7: the texts of Strict and Warn', () => {
    const { unknown } = admit(core('Pod'), pod(), bare)
    const duplicates = ['spec.hostname']
    expect(strictDecodingText({ kind: 'Pod', version: 'v1' }, unknown.slice(1, 3), duplicates)).toBe(
      'Pod in version "v1" cannot be handled as a Pod: strict decoding error: ' +
        'unknown field "spec.foo", unknown field "spec.containers[1].imagee", duplicate field "spec.hostname"',
    )
    expect(fieldWarnings(['spec.foo'], duplicates)).toEqual(['unknown field "spec.foo"', 'duplicate field "spec.hostname"'])
  })

  test('case matters', () => {
    expect(admit(core('Pod'), { Spec: {} }, bare).unknown).toEqual(['Spec'])
    expect(admit(core('NodeStatus'), { daemonEndpoints: { kubeletEndpoint: { Port: 1 } } }, bare).unknown).toEqual([])
  })

  test('objects that carry what they like are left alone', () => {
    const data = { a: { b: null, c: [null, 1.5] } }
    const revision = { revision: 1, data }
    expect(admit(schemaOf('io.k8s.api.apps.v1.ControllerRevision'), structuredClone(revision), bare)).toMatchObject({
      value: revision,
      unknown: [],
    })
  })
})

describe('nulls', () => {
  const cases: readonly [string, Schema, unknown, unknown][] = [
    ['fields vanish', core('PodAffinityTerm'), { topologyKey: 'x', namespaces: null, labelSelector: null }, { topologyKey: 'x' }],
    ['an unset field gets its default', core('ReplicationControllerSpec'), { replicas: null }, { replicas: 1 }],
    ['values of a map become zero', core('ConfigMap'), { data: { a: null } }, { data: { a: '' } }],
    ['elements of a list become zero', core('EndpointSubset'), { ports: [null] }, { ports: [{ protocol: 'TCP' }] }],
    ['primitive elements too', core('ExecAction'), { command: ['a', null] }, { command: ['a', ''] }],
    ['quantities become zero', core('ResourceRequirements'), { limits: { cpu: null } }, { limits: { cpu: '0' } }],
  ]
  test.each(cases)('%s', (_, schema, value, want) => {
    expect(admit(schema, value, { unknownFields: 'strict' })).toEqual({ value: want, errors: [], unknown: [] })
  })
})

describe('canonical forms', () => {
  const quantity = (value: unknown) => admit(core('ResourceRequirements'), { limits: { x: value } }, bare).value
  test.each([
    ['1', '1'],
    [1, '1'],
    [0.5, '500m'],
    ['0.5', '500m'],
    ['1000m', '1'],
    ['1024Mi', '1Gi'],
    ['100Mi', '100Mi'],
    ['1e3', '1e3'],
    [9007199254740993n, '9007199254740993'],
    [' 2 ', '2'],
  ])('quantity %s is %s', (given, want) => {
    expect(quantity(given)).toEqual({ limits: { x: want } })
  })

  const time = (name: string, field: string, value: string) =>
    (admit(schemaOf(name), { [field]: value }, bare).value as Record<string, string>)[field]
  test.each([
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z', '2024-02-29T12:00:00.000000Z'],
    ['2024-02-29T12:00:00+02:00', '2024-02-29T10:00:00Z', '2024-02-29T10:00:00.000000Z'],
    ['2024-02-29t12:00:00.123456789z', '2024-02-29T12:00:00Z', '2024-02-29T12:00:00.123456Z'],
    ['1969-12-31T23:59:59.5Z', '1969-12-31T23:59:59Z', '1969-12-31T23:59:59.500000Z'],
  ])('time %s', (given, seconds, micros) => {
    expect(time('io.k8s.api.core.v1.ContainerStateRunning', 'startedAt', given)).toBe(seconds)
    expect(time('io.k8s.api.coordination.v1.LeaseSpec', 'renewTime', given)).toBe(micros)
  })

  test('base64 loses its line breaks', () => {
    expect(admit(core('Secret'), { data: { a: 'YWJj\nZGVm\r\n', b: '' } }, bare).value).toEqual({ data: { a: 'YWJjZGVm', b: '' } })
  })

  test('bad input case 8: integers of 64 bits are kept exactly', () => {
    const value = { terminationGracePeriodSeconds: 9223372036854775807n, activeDeadlineSeconds: -9223372036854775808n }
    const admitted = admit(core('PodSpec'), { ...value }, bare)
    expect(admitted.errors).toEqual([])
    expect(admitted.value).toEqual(value)
  })

  test('ports may be numbers or names', () => {
    expect(admit(core('ServicePort'), { port: 80, targetPort: 'http' }, bare).errors).toEqual([])
    expect(admit(core('ServicePort'), { port: 80, targetPort: 8080 }, bare).errors).toEqual([])
  })
})

describe('hostile input', () => {
  test('bad input case 4: __proto__ and constructor are names like any other', () => {
    const text =
      '{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, ' +
      '"data": {"__proto__": "own", "constructor": "own", "toString": "own"}, "metadata": {"labels": {"__proto__": null}}}'
    const { value, errors, unknown } = admit<Record<string, Record<string, unknown>>>(core('ConfigMap'), JSON.parse(text), bare)
    expect(errors).toEqual([])
    expect(unknown).toEqual(['__proto__', 'constructor'])
    expect(Object.keys(value['data'] ?? {}).sort()).toEqual(['__proto__', 'constructor', 'toString'])
    expect(Object.getOwnPropertyDescriptor(value['data'], '__proto__')?.value).toBe('own')
    expect(Object.getPrototypeOf(value)).toBe(Object.prototype)
    expect(Object.getPrototypeOf(value['data'])).toBe(Object.prototype)
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined()
  })

  test('bad input case 3: depth ends in an error, not in a full stack', () => {
    let deep: Record<string, unknown> = {}
    for (let level = 0; level < 100_000; level++) deep = { not: deep }
    const { errors } = admit(schemaOf('io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps'), deep)
    expect(errors).toMatchObject([{ reason: 'exceeded max depth' }])
  })
})
