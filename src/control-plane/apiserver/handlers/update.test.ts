import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMap, deployment, jsonOf, pod, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const LEASES = '/apis/coordination.k8s.io/v1/namespaces/default/leases'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

const revision = async (): Promise<bigint> => (await server.store.status()).revision

describe('PUT', () => {
  test('replaces the object and keeps what only the server decides', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a', { k: '1', gone: 'x' }))
    const next = { ...configMap('a', { k: '2' }), metadata: { name: 'a', creationTimestamp: '1999-01-01T00:00:00Z', generateName: 'x' } }
    const changed = await server.send(`PUT ${MAPS}/a`, next)
    expect(changed['data']).toEqual({ k: '2' })
    expect(changed['metadata'].uid).toBe(made['metadata'].uid)
    expect(changed['metadata'].creationTimestamp).toBe(made['metadata'].creationTimestamp)
    expect(changed['metadata']).not.toHaveProperty('generateName')
    expect(BigInt(changed['metadata'].resourceVersion)).toBeGreaterThan(BigInt(made['metadata'].resourceVersion))
  })

  test('a stale resourceVersion is a 409 in upstream words', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a'))
    await server.send(`PUT ${MAPS}/a`, { ...made, data: { k: '1' } })
    const error = await server.refusal(`PUT ${MAPS}/a`, { ...made, data: { k: '2' } })
    expect(error.reason).toBe('Conflict')
    expect(error.message).toBe(
      'Operation cannot be fulfilled on configmaps "a": the object has been modified; please apply your changes to the latest version and try again',
    )
  })

  test('the uid of another object is a 409', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    const error = await server.refusal(`PUT ${MAPS}/a`, { metadata: { name: 'a', uid: 'other' } })
    expect(error).toMatchObject({ reason: 'Conflict' })
    expect(error.message).toContain('Precondition failed: UID in precondition: other, UID in object meta:')
  })

  test('the name in the body must be that of the path', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    const error = await server.refusal(`PUT ${MAPS}/a`, configMap('b'))
    expect(error.message).toBe('the name of the object (b) does not match the name on the URL (a)')
  })

  test('what does not exist is a 404, but a Lease is created', async () => {
    expect((await server.refusal(`PUT ${MAPS}/a`, configMap('a'))).message).toBe('configmaps "a" not found')
    const made = await server.answer(`PUT ${LEASES}/l`, { metadata: { name: 'l' }, spec: { holderIdentity: 'me' } })
    expect(made.status).toBe(201)
    const { metadata } = jsonOf(made)
    const again = await server.answer(`PUT ${LEASES}/l`, { metadata, spec: { holderIdentity: 'you' } })
    expect(again.status).toBe(200)
  })

  test('where a blind update is not allowed, resourceVersion must be given', async () => {
    await server.send(`POST ${LEASES}`, { metadata: { name: 'l' } })
    const error = await server.refusal(`PUT ${LEASES}/l`, { metadata: { name: 'l' } })
    expect(error.message).toBe(
      'Lease.coordination.k8s.io "l" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update',
    )
  })

  test('nothing changed: nothing is written', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a', { x: '1', y: '2' }))
    const before = await revision()
    const shuffled = { metadata: { name: 'a' }, data: { y: '2', x: '1' } }
    const same = await server.send(`PUT ${MAPS}/a`, shuffled)
    expect(same['metadata'].resourceVersion).toBe(made['metadata'].resourceVersion)
    expect(await revision()).toBe(before)
  })

  test('a change of spec counts a generation, a change of labels does not', async () => {
    const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    const labelled = await server.send(`PUT ${DEPLOYMENTS}/web`, { ...made, metadata: { ...made['metadata'], labels: { a: 'b' } } })
    expect(labelled['metadata'].generation).toBe(1)
    const scaled = await server.send(`PUT ${DEPLOYMENTS}/web`, { ...labelled, spec: { ...labelled['spec'], replicas: 3 } })
    expect(scaled['metadata'].generation).toBe(2)
  })

  test('status is left alone', async () => {
    const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    const changed = await server.send(`PUT ${DEPLOYMENTS}/web`, { ...made, status: { replicas: 9 } })
    expect(changed['status']?.replicas).toBeUndefined()
  })

  test('dryRun shows the result and stores nothing', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', { k: '1' }))
    const before = await revision()
    const shown = await server.send(`PUT ${MAPS}/a?dryRun=All`, configMap('a', { k: '2' }))
    expect(shown['data']).toEqual({ k: '2' })
    expect(await revision()).toBe(before)
  })

  test('immutable fields are a 422', async () => {
    const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    const other = structuredClone(made)
    other['spec'].selector.matchLabels = { app: 'web', more: 'x' }
    other['spec'].template.metadata.labels = { app: 'web', more: 'x' }
    const error = await server.refusal(`PUT ${DEPLOYMENTS}/web`, other)
    expect(error.reason).toBe('Invalid')
    expect(error.details?.causes?.[0]).toMatchObject({ field: 'spec.selector' })
  })
})

describe('PUT status', () => {
  test('changes status, labels and annotations, and nothing else', async () => {
    const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    const metadata = { ...made['metadata'], labels: { seen: 'yes' }, finalizers: ['a.io/b'] }
    const sent = { ...made, metadata, spec: { ...made['spec'], replicas: 5 }, status: { replicas: 1, observedGeneration: 1 } }
    const changed = await server.send(`PUT ${DEPLOYMENTS}/web/status`, sent)
    expect(changed['status']).toEqual({ replicas: 1, observedGeneration: 1 })
    expect(changed['spec'].replicas).toBe(1)
    expect(changed['metadata']).toMatchObject({ labels: { seen: 'yes' }, generation: 1 })
    expect(changed['metadata']).not.toHaveProperty('finalizers')
  })

  test('is not there for kinds without status', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    expect((await server.refusal(`PUT ${MAPS}/a/status`, configMap('a'))).reason).toBe('NotFound')
  })

  test('GET reads the object', async () => {
    await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    expect(await server.send(`GET ${DEPLOYMENTS}/web/status`)).toMatchObject({ kind: 'Deployment' })
  })
})

describe('PATCH', () => {
  const patch = (path: string, type: string, body: unknown): Promise<Json> => server.send(`PATCH ${path}`, body, { 'content-type': type })
  const MERGE = 'application/merge-patch+json'
  const STRATEGIC = 'application/strategic-merge-patch+json'

  test('merge', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', { x: '1', y: '2' }))
    expect((await patch(`${MAPS}/a`, MERGE, { data: { x: null, z: '3' } }))['data']).toEqual({ y: '2', z: '3' })
  })

  test('json', async () => {
    await server.send(`POST ${MAPS}`, configMap('a', { x: '1' }))
    const operations = [
      { op: 'test', path: '/data/x', value: '1' },
      { op: 'replace', path: '/data/x', value: '2' },
    ]
    expect((await patch(`${MAPS}/a`, 'application/json-patch+json', operations))['data']).toEqual({ x: '2' })
  })

  test('strategic merge follows the merge keys of the schema', async () => {
    const base = deployment('web')
    base['spec'].template.spec.containers.push({ name: 'side', image: 'busybox' })
    await server.send(`POST ${DEPLOYMENTS}`, base)
    const body = { spec: { template: { spec: { containers: [{ name: 'main', image: 'nginx:2' }] } } } }
    const { containers } = (await patch(`${DEPLOYMENTS}/web`, STRATEGIC, body))['spec'].template.spec
    expect(containers.map((container: Json) => [container['name'], container['image']])).toEqual([
      ['main', 'nginx:2'],
      ['side', 'busybox'],
    ])
  })

  test('server-side apply is a 415 that says what to do instead', async () => {
    const error = await server.refusal(`PATCH ${MAPS}/a?fieldManager=me`, '{}', { 'content-type': 'application/apply-patch+yaml' })
    expect(error.reason).toBe('UnsupportedMediaType')
    expect(error.message).toContain('server-side apply')
  })

  test('an unknown type is a 415', async () => {
    const error = await server.refusal(`PATCH ${MAPS}/a`, '{}', { 'content-type': 'application/json' })
    expect(error.code).toBe(415)
    expect(error.message).toContain('application/json-patch+json, application/merge-patch+json, application/strategic-merge-patch+json')
  })

  test('a resourceVersion in the patch is a precondition', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a'))
    const { resourceVersion } = made['metadata']
    await patch(`${MAPS}/a`, MERGE, { metadata: { resourceVersion }, data: { k: '1' } })
    const error = await server.refusal(`PATCH ${MAPS}/a`, { metadata: { resourceVersion }, data: { k: '2' } }, { 'content-type': MERGE })
    expect(error.reason).toBe('Conflict')
  })

  test('without one, patches that meet are all applied', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    await Promise.all(['u', 'v', 'w', 'x'].map((key) => patch(`${MAPS}/a`, MERGE, { data: { [key]: '1' } })))
    expect((await server.send(`GET ${MAPS}/a`))['data']).toEqual({ u: '1', v: '1', w: '1', x: '1' })
  })

  test('system fields in a patch are put back', async () => {
    const made = await server.send(`POST ${MAPS}`, configMap('a'))
    const changed = await patch(`${MAPS}/a`, MERGE, { metadata: { creationTimestamp: '1999-01-01T00:00:00Z', labels: { a: 'b' } } })
    expect(changed['metadata']).toMatchObject({ creationTimestamp: made['metadata'].creationTimestamp, labels: { a: 'b' } })
  })

  test('of status leaves spec alone', async () => {
    await server.send(`POST ${DEPLOYMENTS}`, deployment('web', 2))
    const changed = await patch(`${DEPLOYMENTS}/web/status`, MERGE, { spec: { replicas: 9 }, status: { replicas: 2 } })
    expect([changed['spec'].replicas, changed['status'].replicas]).toEqual([2, 2])
  })

  test('what it makes invalid is a 422, an unknown field follows fieldValidation', async () => {
    await server.send(`POST /api/v1/namespaces/default/pods`, pod('p'))
    const path = '/api/v1/namespaces/default/pods/p'
    const error = await server.refusal(`PATCH ${path}`, { spec: { restartPolicy: 'Never' } }, { 'content-type': MERGE })
    expect(error.reason).toBe('Invalid')
    const strict = await server.refusal(`PATCH ${path}?fieldValidation=Strict`, { metadata: { nope: 1 } }, { 'content-type': MERGE })
    expect(strict.message).toContain('strict decoding error: unknown field "metadata.nope"')
  })

  test('__proto__ in a patch harms nobody', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    await server
      .send(`PATCH ${MAPS}/a`, '{"__proto__":{"polluted":1},"data":{"__proto__":{"polluted":1}}}', { 'content-type': MERGE })
      .catch(() => {})
    const operations = '[{"op":"add","path":"/__proto__/polluted","value":1}]'
    await server.refusal(`PATCH ${MAPS}/a`, operations, { 'content-type': 'application/json-patch+json' })
    expect(({} as Json)['polluted']).toBeUndefined()
  })
})
