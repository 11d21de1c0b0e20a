import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { StatusError } from '../../../base/errors.ts'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import { configMap, deployment, testServer, textOf, type Json, type TestServer } from './test-support.ts'

// The decoding cases of the bad-input list; what HTTP itself can do wrong is tested with the shell.

const MAPS = '/api/v1/namespaces/default/configmaps'
const CLASSES = '/apis/scheduling.k8s.io/v1/priorityclasses'
const YAML = { 'content-type': 'application/yaml' }

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

test('case 1: YAML that expands a billion times is a 400 at once', async () => {
  const lines = ['a: &a [x,x,x,x,x,x,x,x,x]']
  for (const [of, name] of ['ab', 'bc', 'cd', 'de', 'ef', 'fg', 'gh', 'hi'].map((pair) => pair.split('')))
    lines.push(`${name}: &${name} [${Array(9).fill(`*${of}`).join(',')}]`)
  const start = performance.now()
  const error = await server.refusal(`POST ${MAPS}`, lines.join('\n'), YAML)
  expect(error.reason).toBe('BadRequest')
  expect(performance.now() - start).toBeLessThan(500)
})

test('case 2: deep YAML is a 400', async () => {
  for (let i = 0; i < 5; i++) expect((await server.refusal(`POST ${MAPS}`, '['.repeat(3000), YAML)).reason).toBe('BadRequest')
})

test('case 3: deep JSON is a 400 that says so', async () => {
  const error = await server.refusal(`POST ${MAPS}`, `{"metadata":${'{"a":'.repeat(5000)}1${'}'.repeat(5000)}}`)
  expect(error.reason).toBe('BadRequest')
  expect(error.message).toMatch(/depth|deep|nest/)
})

test('case 4: __proto__ and constructor in a body are data or nothing', async () => {
  const body =
    '{"metadata":{"name":"a","__proto__":{"polluted":1}},"data":{"__proto__":"x","constructor":"y"},"constructor":{"prototype":{"polluted":1}}}'
  await server.send(`POST ${MAPS}`, body)
  expect(({} as Json)['polluted']).toBeUndefined()
  expect(textOf(await server.answer(`GET ${MAPS}/a`))).toContain('"constructor":"y"')
})

test('case 5: a body above 3 MiB is a 413', async () => {
  const error = await server.refusal(`POST ${MAPS}`, Buffer.alloc(3 * 1024 * 1024 + 1, ' '))
  expect([error.code, error.message]).toEqual([413, 'Request entity too large: limit is 3145728'])
})

test('case 5: an object above what the store takes is a 413', async () => {
  const error = await server.refusal(`POST ${CLASSES}`, { metadata: { name: 'a' }, value: 1, description: 'x'.repeat(2 * 1024 * 1024) })
  expect(error.code).toBe(413)
})

test('case 6: a patch of 10,001 operations is a 413', async () => {
  await server.send(`POST ${MAPS}`, configMap('a'))
  const operations = Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }))
  const error = await server.refusal(`PATCH ${MAPS}/a`, operations, { 'content-type': 'application/json-patch+json' })
  expect(error.code).toBe(413)
})

describe('case 7: fieldValidation', () => {
  const body =
    '{"metadata":{"name":"web","nope":1},"spec":{"replicas":1,"replicas":2,"selector":{"matchLabels":{"app":"web"}},' +
    '"template":{"metadata":{"labels":{"app":"web"}},"spec":{"containers":[{"name":"main","image":"x","imagee":"y"}]}}}}'
  const path = '/apis/apps/v1/namespaces/default/deployments'

  test('Strict is a 400 that lists all, with their paths', async () => {
    const error = await server.refusal(`POST ${path}?fieldValidation=Strict`, body)
    expect(error.reason).toBe('BadRequest')
    expect(error.message).toContain('strict decoding error: ')
    for (const text of [
      'unknown field "metadata.nope"',
      'unknown field "spec.template.spec.containers[0].imagee"',
      'duplicate field "spec.replicas"',
    ]) {
      expect(error.message).toContain(text)
    }
  })

  test.each(['', '?fieldValidation=Warn'])('Warn (%j) says the same in Warning headers', async (query) => {
    const answer = await server.answer(`POST ${path}${query}`, body)
    expect(answer.status).toBe(201)
    expect(answer.headers?.['warning']).toEqual(
      expect.arrayContaining([
        '299 - "unknown field \\"metadata.nope\\""',
        '299 - "unknown field \\"spec.template.spec.containers[0].imagee\\""',
        '299 - "duplicate field \\"spec.replicas\\""',
      ]),
    )
    expect((await server.send(`GET ${path}/web`))['spec'].replicas).toBe(2)
  })

  test('Ignore drops them', async () => {
    const answer = await server.answer(`POST ${path}?fieldValidation=Ignore`, body)
    expect(answer.headers?.['warning']).toBeUndefined()
    expect(textOf(answer)).not.toContain('nope')
  })

  test('nothing else is known', async () => {
    const error = await server.refusal(`POST ${path}?fieldValidation=Maybe`, body)
    expect(error.message).toContain('fieldValidation: Unsupported value: "Maybe": supported values: "Ignore", "Strict", "Warn"')
  })

  test('a name that no header can carry does no harm', async () => {
    const answer = await server.answer(`POST ${MAPS}`, '{"metadata":{"name":"a"},"a\\r\\nset-cookie: x\\u2028ü":1}')
    const warning = answer.headers?.['warning']?.[0]
    expect(warning).toMatch(/^299 - "[ -~]*"$/)
  })
})

test('case 8: an int64 comes back exactly as it was sent', async () => {
  const body = '{"metadata":{"name":"p"},"spec":{"terminationGracePeriodSeconds":9007199254740993,"containers":[{"name":"c","image":"x"}]}}'
  const sent = await server.answer('POST /api/v1/namespaces/default/pods', body)
  expect(textOf(sent)).toContain('9007199254740993')
  expect(textOf(await server.answer('GET /api/v1/namespaces/default/pods/p'))).toContain('"terminationGracePeriodSeconds":9007199254740993')
  const merge = { 'content-type': 'application/merge-patch+json' }
  expect(textOf(await server.answer('PATCH /api/v1/namespaces/default/pods/p', { metadata: { labels: { a: 'b' } } }, merge))).toContain(
    '9007199254740993',
  )
})

describe('case 9: characters', () => {
  test.each([
    ['invalid UTF-8', Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d])],
    ['a byte order mark', Buffer.concat([Buffer.from([0xef, 0xbb, 0xbf]), Buffer.from('{"metadata":{"name":"a"}}')])],
    ['half a character', Buffer.from('{"metadata":{"name":"a"},"data":{"k":"\\ud800"}}')],
  ])('%s is a 400', async (_, body) => {
    expect((await server.refusal(`POST ${MAPS}`, body)).reason).toBe('BadRequest')
  })

  test('everything else comes back as it went in', async () => {
    const data = { nul: 'a\0b', emoji: '😀', line: 'a\u2028b', quote: '"\\' }
    await server.send(`POST ${MAPS}`, configMap('a', data))
    expect((await server.send(`GET ${MAPS}/a`))['data']).toEqual(data)
    expect((await server.send(`GET ${MAPS}`))['items'][0].data).toEqual(data)
  })
})

describe('case 11: content types', () => {
  test('protobuf that is none is a 400', async () => {
    const error = await server.refusal(`POST ${MAPS}`, 'k8s\0', { 'content-type': 'application/vnd.kubernetes.protobuf' })
    expect([error.code, error.message]).toEqual([
      400,
      'the request body is not acceptable protobuf: kind "" of "" has no known protobuf form; send JSON',
    ])
  })

  test.each(['application/cbor', 'text/plain'])('a body of %s is a 415', async (type) => {
    const error = await server.refusal(`POST ${MAPS}`, 'k8s\0', { 'content-type': type })
    expect([error.code, error.message]).toEqual([
      415,
      'the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf',
    ])
  })

  test.each(['application/json', 'application/json; charset=utf-8', 'Application/JSON', ''])('JSON as %j is read', async (type) => {
    await server.send(`POST ${MAPS}`, configMap('a'), { 'content-type': type })
  })

  test('YAML is read', async () => {
    const made = await server.send(`POST ${MAPS}`, 'metadata:\n  name: a\ndata:\n  k: v\n', YAML)
    expect(made['data']).toEqual({ k: 'v' })
  })

  test.each(['a: [', '- 1', 'a: 1\n---\nb: 2', 'a: 1\na: 2'])('YAML such as %j is a 400', async (text) => {
    expect((await server.refusal(`POST ${MAPS}`, text, YAML)).reason).toBe('BadRequest')
  })
})

test.each(['', 'null', '[]', '1', '"x"', '{', '{"metadata":[]}', '{"metadata":{"name":1}}', '{"spec":{}} {}'])(
  'the body %j is a 400',
  async (body) => {
    expect((await server.refusal('POST /api/v1/namespaces/default/pods', body)).reason).toBe('BadRequest')
  },
)

test('wrong JSON types are a 400 that names the field', async () => {
  const error = await server.refusal('POST /apis/apps/v1/namespaces/default/deployments', {
    ...deployment('web'),
    spec: { replicas: 'many' },
  })
  expect(error.message).toContain('spec.replicas')
})

test('undefined in a patch handed over in-process is absent, not null', async () => {
  await server.send(`POST ${MAPS}`, configMap('a', { k: 'v' }, { app: 'x' }))
  const headers = { 'content-type': 'application/merge-patch+json' }
  const body = { metadata: { labels: undefined }, data: { k: undefined, other: 'w' } }
  await server.handler.handle({ method: 'PATCH', path: `${MAPS}/a`, headers, body, user: { name: 'alice', groups: [] } })
  expect(await server.send(`GET ${MAPS}/a`)).toMatchObject({ metadata: { labels: { app: 'x' } }, data: { k: 'v', other: 'w' } })
})

test('a value handed over in-process is not changed', async () => {
  const body = { metadata: { name: 'a' }, data: { k: 'v' }, unknown: 1 }
  const before = structuredClone(body)
  await server.handler.handle({ method: 'POST', path: MAPS, body, user: { name: 'alice', groups: [] } })
  expect(body).toEqual(before)
})

describe('no body is an internal error', () => {
  const bodies = [
    '{}',
    '{"spec":null}',
    '{"spec":{}}',
    '{"spec":{"template":{}},"rules":[{}],"subsets":[{}],"endpoints":[{}]}',
    '{"status":{"conditions":[{}]}}',
  ]

  test.each(BUILT_IN_KINDS.map((kind) => [`${kind.plural}.${kind.group}`, kind] as const))('%s', async (_, kind) => {
    const root = kind.group === '' ? '/api/v1' : `/apis/${kind.group}/${kind.version}`
    const path = `${root}${kind.namespaced ? '/namespaces/default' : ''}/${kind.plural}`
    for (const text of bodies) {
      const body = { ...(JSON.parse(text) as Json), metadata: { generateName: 'x-' } }
      const outcome = await server.answer(`POST ${path}`, body).then(
        (answer) => answer.status,
        (error: StatusError) => error.code,
      )
      expect([text, outcome]).toEqual([text, expect.toBeOneOf([201, 400, 422])])
    }
  })
})
