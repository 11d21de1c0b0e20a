import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMap, deployment, pod, testServer, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

test('answers 201 with what the server fills in, and stores it', async () => {
  const response = await server.answer(`POST ${MAPS}`, configMap('a', { k: 'v' }))
  expect(response.status).toBe(201)
  const made = await server.send(`GET ${MAPS}/a`)
  expect(made).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', data: { k: 'v' } })
  expect(made['metadata']).toMatchObject({ name: 'a', namespace: 'default', creationTimestamp: '2026-01-01T00:00:00Z' })
  expect(made['metadata'].uid).toMatch(/^[0-9a-f-]{36}$/)
  expect(made['metadata'].resourceVersion).toMatch(/^[1-9]\d*$/)
  expect(made['metadata'].generation).toBeUndefined()
})

test('the server decides uid, timestamps and generation, whatever the client sends', async () => {
  const system = { uid: 'mine', creationTimestamp: '2000-01-01T00:00:00Z', deletionTimestamp: '2000-01-01T00:00:00Z', generation: 7 }
  const managedFields = [{ manager: 'me', operation: 'Apply', apiVersion: 'v1' }]
  const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web', 1, { ...system, managedFields, selfLink: '/x' }))
  expect(made['metadata']).toMatchObject({ generation: 1, creationTimestamp: '2026-01-01T00:00:00Z' })
  expect(made['metadata'].uid).not.toBe('mine')
  for (const gone of ['deletionTimestamp', 'managedFields', 'selfLink']) expect(made['metadata']).not.toHaveProperty(gone)
})

test('sets defaults before it answers', async () => {
  const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
  expect(made['spec']).toMatchObject({ progressDeadlineSeconds: 600, revisionHistoryLimit: 10, strategy: { type: 'RollingUpdate' } })
})

test('an existing name is a 409 AlreadyExists', async () => {
  await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
  const error = await server.refusal(`POST ${DEPLOYMENTS}`, deployment('web'))
  expect(error.toBody()).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Failure',
    message: 'deployments.apps "web" already exists',
    reason: 'AlreadyExists',
    details: { name: 'web', group: 'apps', kind: 'deployments' },
    code: 409,
  })
})

test('resourceVersion is refused', async () => {
  const error = await server.refusal(`POST ${MAPS}`, { ...configMap('a'), metadata: { name: 'a', resourceVersion: '5' } })
  expect(error).toMatchObject({ reason: 'BadRequest', message: 'resourceVersion should not be set on objects to be created' })
})

test('a name is needed', async () => {
  const error = await server.refusal(`POST ${MAPS}`, { data: {} })
  expect(error.reason).toBe('Invalid')
  expect(error.message).toBe('ConfigMap "" is invalid: metadata.name: Required value: name or generateName is required')
  expect(error.details?.causes).toEqual([
    { reason: 'FieldValueRequired', field: 'metadata.name', message: 'Required value: name or generateName is required' },
  ])
})

test.each(['..', 'a/b', 'A', 'a'.repeat(254)])('the name %j is a 422 that names its field', async (name) => {
  const error = await server.refusal(`POST ${MAPS}`, configMap(name))
  expect(error.reason).toBe('Invalid')
  expect(error.details?.causes?.[0]?.field).toBe('metadata.name')
})

test('several wrong fields come in one message, in brackets', async () => {
  const wrong = deployment('web')
  wrong['spec'].replicas = -1
  wrong['spec'].template.metadata.labels = { app: 'other' }
  const error = await server.refusal(`POST ${DEPLOYMENTS}`, wrong)
  expect(error.message).toMatch(/^Deployment\.apps "web" is invalid: \[spec\..*, spec\..*\]$/)
  expect(error.details).toMatchObject({ name: 'web', group: 'apps', kind: 'Deployment' })
  expect(error.details?.causes?.length).toBeGreaterThan(1)
})

describe('generateName', () => {
  test('is followed by five characters', async () => {
    const made = await server.send(`POST ${MAPS}`, { metadata: { generateName: 'job-' } })
    expect(made['metadata'].name).toMatch(/^job-[bcdfghjklmnpqrstvwxz2456789]{5}$/)
    expect(made['metadata'].generateName).toBe('job-')
  })

  test('a name that is taken is replaced by another', async () => {
    const draws = [...Array<number>(5).fill(0), ...Array<number>(5).fill(0), ...Array<number>(5).fill(0.5)]
    const other = await testServer({ random: () => draws.shift() ?? 0 })
    const first = await other.send(`POST ${MAPS}`, { metadata: { generateName: 'x-' } })
    const second = await other.send(`POST ${MAPS}`, { metadata: { generateName: 'x-' } })
    expect([first['metadata'].name, draws.length]).toEqual(['x-bbbbb', 0])
    expect(second['metadata'].name).not.toBe('x-bbbbb')
    await other.close()
  })

  test('gives up after eight names', async () => {
    const other = await testServer({ random: () => 0 })
    await other.send(`POST ${MAPS}`, { metadata: { generateName: 'x-' } })
    const error = await other.refusal(`POST ${MAPS}`, { metadata: { generateName: 'x-' } })
    expect(error.message).toBe('configmaps "x-bbbbb" already exists, the server was not able to generate a unique name for the object')
    expect(error.details?.retryAfterSeconds).toBe(1)
    await other.close()
  })
})

describe('namespaces', () => {
  test('one that does not exist is a 404', async () => {
    const error = await server.refusal('POST /api/v1/namespaces/nope/configmaps', configMap('a'))
    expect(error).toMatchObject({
      reason: 'NotFound',
      message: 'namespaces "nope" not found',
      details: { name: 'nope', kind: 'namespaces' },
    })
  })

  test('the object must not name another', async () => {
    const error = await server.refusal(`POST ${MAPS}`, { metadata: { name: 'a', namespace: 'kube-system' } })
    expect(error.message).toBe('the namespace of the provided object does not match the namespace sent on the request')
  })

  test('one that is being deleted takes nothing new', async () => {
    await server.send('POST /api/v1/namespaces', { metadata: { name: 'going' } })
    await server.send('POST /api/v1/namespaces/going/configmaps', configMap('before'))
    const gone = await server.send('DELETE /api/v1/namespaces/going')
    expect(gone['status'].phase).toBe('Terminating')
    const error = await server.refusal('POST /api/v1/namespaces/going/configmaps', configMap('a'))
    expect(error.reason).toBe('Forbidden')
    expect(error.message).toBe(
      'configmaps "a" is forbidden: unable to create new content in namespace going because it is being terminated',
    )
    expect(error.details?.causes).toEqual([
      { reason: 'NamespaceTerminating', message: 'namespace going is being terminated', field: 'metadata.namespace' },
    ])
  })

  test('a namespaced object cannot be created outside of one, nor a cluster-scoped one inside', async () => {
    expect((await server.refusal('POST /api/v1/configmaps', configMap('a'))).reason).toBe('MethodNotAllowed')
    expect((await server.refusal('POST /api/v1/namespaces/default/nodes', { metadata: { name: 'n' } })).reason).toBe('NotFound')
  })
})

describe('what the body says it is', () => {
  test('apiVersion and kind may be left out', async () => {
    expect(await server.send(`POST ${MAPS}`, { metadata: { name: 'a' } })).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap' })
  })

  test('but must fit the path', async () => {
    const kind = await server.refusal(`POST ${MAPS}`, { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' } })
    expect(kind).toMatchObject({ reason: 'BadRequest', message: 'Pod in version "v1" cannot be handled as a ConfigMap' })
    const version = await server.refusal(`POST ${MAPS}`, { apiVersion: 'apps/v1', kind: 'ConfigMap', metadata: { name: 'a' } })
    expect(version.message).toBe('the API version in the data (apps/v1) does not match the expected API version (v1)')
  })
})

describe('dryRun', () => {
  test('does everything but store', async () => {
    const before = (await server.store.status()).revision
    const answer = await server.answer(`POST ${MAPS}?dryRun=All`, configMap('a'))
    expect(answer.status).toBe(201)
    expect((await server.store.status()).revision).toBe(before)
    expect((await server.refusal(`GET ${MAPS}/a`)).reason).toBe('NotFound')
  })

  test('finds what is wrong', async () => {
    expect((await server.refusal(`POST ${MAPS}?dryRun=All`, configMap('A'))).reason).toBe('Invalid')
    await server.send(`POST ${MAPS}`, configMap('a'))
    expect((await server.refusal(`POST ${MAPS}?dryRun=All`, configMap('a'))).reason).toBe('AlreadyExists')
  })

  test('knows no other value', async () => {
    const error = await server.refusal(`POST ${MAPS}?dryRun=Some`, configMap('a'))
    expect(error.message).toBe('CreateOptions.meta.k8s.io "" is invalid: dryRun: Unsupported value: "Some": supported values: "All"')
  })
})

test('a pod gets its status from the server', async () => {
  const made = await server.send('POST /api/v1/namespaces/default/pods', { ...pod('p'), status: { phase: 'Running' } })
  expect(made['status']).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' })
})

test('an unknown resource is a 404', async () => {
  expect((await server.refusal('GET /apis/nope.io/v1/things')).message).toBe('the server could not find the requested resource')
  expect((await server.refusal('GET /api/v1/namespaces/default/pods/p/nope')).reason).toBe('NotFound')
})

test('a query parameter nobody knows is refused', async () => {
  const error = await server.refusal(`POST ${MAPS}?shardSelector=1`, configMap('a'))
  expect(error).toMatchObject({ reason: 'BadRequest', message: 'query parameter "shardSelector" is not supported for create: remove it' })
})
