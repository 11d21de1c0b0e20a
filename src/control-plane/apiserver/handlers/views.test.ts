import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { parseYaml } from '../../../api/yaml.ts'
import { negotiate } from './accept.ts'
import { configMap, pod, testServer, textOf, type Json, type TestServer } from './test-support.ts'

const PODS = '/api/v1/namespaces/default/pods'
const MAPS = '/api/v1/namespaces/default/configmaps'
const TABLE = 'application/json;as=Table;v=v1;g=meta.k8s.io'
/** What kubectl 1.35 sends with `get`. */
const KUBECTL = `${TABLE},application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json`

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

describe('negotiate', () => {
  test.each([
    [undefined, 'object', false],
    ['*/*', 'object', false],
    ['application/json', 'object', false],
    ['application/vnd.kubernetes.protobuf,application/json', 'object', false],
    [KUBECTL, 'table', false],
    ['application/json;as=Table;v=v9;g=meta.k8s.io,application/json', 'object', false],
    ['application/json;as=Table;v=v1;g=other.io,application/json', 'object', false],
    ['application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io', 'partial', false],
    ['application/yaml', 'object', true],
    ['application/json;q=0.1,application/yaml;q=0.9', 'object', true],
    ['application/cbor, application/json;q=0.5', 'object', false],
  ])('%s is answered with %s', (accept, as, yaml) => {
    const { view, yaml: isYaml } = negotiate(accept, true)
    expect([view.as, isYaml]).toEqual([as, yaml])
  })

  test.each(['application/vnd.kubernetes.protobuf', 'text/html', 'application/json;as=Table;v=v9;g=meta.k8s.io', 'application/json;q=0'])(
    '%s is a 406',
    (accept) => {
      expect(() => negotiate(accept, true)).toThrow('only the following media types are accepted: application/json, application/yaml')
    },
  )
})

test('protobuf alone is a 406, with JSON beside it JSON', async () => {
  await server.send(`POST ${MAPS}`, configMap('a'))
  const refused = await server.refusal(`GET ${MAPS}/a`, undefined, { accept: 'application/vnd.kubernetes.protobuf' })
  expect([refused.code, refused.reason]).toEqual([406, 'NotAcceptable'])
  const both = await server.send(`GET ${MAPS}/a`, undefined, { accept: 'application/vnd.kubernetes.protobuf,application/json' })
  expect(both['kind']).toBe('ConfigMap')
})

describe('tables', () => {
  const cells = (table: Json): unknown[] => table['rows'].map((row: Json) => row['cells'])

  test('of a list, as kubectl asks for it', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    await server.clock.advance(90_000)
    const table = await server.send(`GET ${PODS}?limit=500`, undefined, { accept: KUBECTL })
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    expect(table['metadata'].resourceVersion).toBe(String((await server.store.status()).revision))
    const columns = table['columnDefinitions'] as Json[]
    const shown = columns.filter((column) => column['priority'] === 0).map((column) => column['name'])
    expect(shown).toEqual(['Name', 'Ready', 'Status', 'Restarts', 'Age'])
    expect(columns[0]).toMatchObject({ type: 'string', format: 'name', priority: 0 })
    expect((cells(table)[0] as unknown[]).slice(0, 5)).toEqual(['p', '0/1', 'Pending', expect.anything(), '90s'])
  })

  test.each([
    ['', { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: { name: 'a' } }],
    ['?includeObject=Metadata', { kind: 'PartialObjectMetadata' }],
    ['?includeObject=Object', { kind: 'ConfigMap', data: { k: 'v' } }],
  ])('rows carry what includeObject says: %j', async (query, expected) => {
    await server.send(`POST ${MAPS}`, configMap('a', { k: 'v' }))
    const table = await server.send(`GET ${MAPS}${query}`, undefined, { accept: TABLE })
    expect(table['rows'][0].object).toMatchObject(expected)
  })

  test('rows carry no object with includeObject=None, and nothing else is known', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    expect((await server.send(`GET ${MAPS}?includeObject=None`, undefined, { accept: TABLE }))['rows'][0]).not.toHaveProperty('object')
    expect((await server.refusal(`GET ${MAPS}?includeObject=All`, undefined, { accept: TABLE })).reason).toBe('BadRequest')
  })

  test('of one object, and of the version asked for', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', { x: '1', y: '2' }))
    const table = await server.send(`GET ${MAPS}/a`, undefined, { accept: 'application/json;as=Table;v=v1beta1;g=meta.k8s.io' })
    expect(table).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1beta1' })
    expect(table['rows']).toHaveLength(1)
    expect(table['rows'][0].object.apiVersion).toBe('meta.k8s.io/v1beta1')
  })

  test('of every kind there is', async () => {
    for (const { kind, apiVersion, plural } of server.handler.resources.all()) {
      const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
      const table = await server.send(`GET ${root}/${plural}`, undefined, { accept: TABLE })
      expect([kind.kind, table['columnDefinitions'].length > 1]).toEqual([kind.kind, true])
    }
  })
})

describe('metadata alone', () => {
  const accept =
    'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1,application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1'

  test('of lists and of objects', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a', { k: 'v' }))
    const partial = { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: made['metadata'] }
    expect(await server.send(`GET ${MAPS}/a`, undefined, { accept })).toEqual(partial)
    const list = await server.send(`GET ${MAPS}`, undefined, { accept })
    expect(list).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1', items: [partial] })
  })

  test('pages like any list', async () => {
    for (const name of ['a', 'b']) await server.send(`POST ${MAPS}`, configMap(name))
    const page = await server.send(`GET ${MAPS}?limit=1`, undefined, { accept })
    expect(page['metadata']).toMatchObject({ remainingItemCount: 1, continue: expect.any(String) })
  })
})

test('whoever takes nothing but YAML gets YAML', async () => {
  await server.send(`POST ${MAPS}`, configMap('a'))
  const answer = await server.answer(`GET ${MAPS}/a`, undefined, { accept: 'application/yaml' })
  expect(answer.headers).toEqual({ 'content-type': 'application/yaml' })
  const text = textOf(answer)
  expect(parseYaml(text)[0]?.value).toEqual(await server.send(`GET ${MAPS}/a`))
  expect(text).toContain('\nkind: ConfigMap\n')
})
