import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { configMap, deployment, jsonOf, pod, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const PODS = '/api/v1/namespaces/default/pods'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

const isGone = async (path: string): Promise<boolean> =>
  server.send(`GET ${path}`).then(
    () => false,
    () => true,
  )

test('answers a Status with what was deleted', async () => {
  const made = await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
  const answer = await server.answer(`DELETE ${DEPLOYMENTS}/web`)
  expect(answer.status).toBe(200)
  expect(jsonOf(answer)).toEqual({
    kind: 'Status',
    apiVersion: 'v1',
    metadata: {},
    status: 'Success',
    details: { name: 'web', group: 'apps', kind: 'deployments', uid: made['metadata'].uid },
  })
  expect(await isGone(`${DEPLOYMENTS}/web`)).toBe(true)
})

test('what is not there is a 404', async () => {
  expect((await server.refusal(`DELETE ${MAPS}/a`)).message).toBe('configmaps "a" not found')
})

test('dryRun deletes nothing', async () => {
  await server.send(`POST ${MAPS}`, configMap('a'))
  await server.send(`DELETE ${MAPS}/a?dryRun=All`)
  await server.send(`DELETE ${MAPS}/a`, { kind: 'DeleteOptions', apiVersion: 'v1', dryRun: ['All'] })
  expect(await isGone(`${MAPS}/a`)).toBe(false)
})

describe('preconditions', () => {
  test('a wrong uid or resourceVersion is a 409', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    const uid = await server.refusal(`DELETE ${MAPS}/a`, { preconditions: { uid: 'other' } })
    expect(uid).toMatchObject({ reason: 'Conflict' })
    expect(uid.message).toContain('the UID in the precondition (other) does not match the UID in record')
    const revision = await server.refusal(`DELETE ${MAPS}/a`, { preconditions: { resourceVersion: '1' } })
    expect(revision.message).toContain('the ResourceVersion in the precondition (1) does not match')
  })

  test('the right ones let it through', async () => {
    const { metadata } = await server.send(`POST ${MAPS}`, configMap('a'))
    await server.send(`DELETE ${MAPS}/a`, { preconditions: { uid: metadata.uid, resourceVersion: metadata.resourceVersion } })
    expect(await isGone(`${MAPS}/a`)).toBe(true)
  })
})

describe('finalizers', () => {
  test('keep an object until the last one is taken', async () => {
    await server.send(`POST ${MAPS}`, { metadata: { name: 'a', finalizers: ['x.io/one', 'x.io/two'] } })
    const marked = await server.send(`DELETE ${MAPS}/a`)
    expect(marked['metadata']).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 })
    const merge = { 'content-type': 'application/merge-patch+json' }
    await server.send(`PATCH ${MAPS}/a`, { metadata: { finalizers: ['x.io/two'] } }, merge)
    expect(await isGone(`${MAPS}/a`)).toBe(false)
    await server.send(`PATCH ${MAPS}/a`, { metadata: { finalizers: null } }, merge)
    expect(await isGone(`${MAPS}/a`)).toBe(true)
  })

  test('a second delete changes nothing', async () => {
    await server.send(`POST ${MAPS}`, { metadata: { name: 'a', finalizers: ['x.io/one'] } })
    const first = await server.send(`DELETE ${MAPS}/a`)
    await server.clock.advance(5000)
    const second = await server.send(`DELETE ${MAPS}/a`)
    expect(second).toEqual(first)
  })

  test('none can be added to what is being deleted', async () => {
    await server.send(`POST ${MAPS}`, { metadata: { name: 'a', finalizers: ['x.io/one'] } })
    const marked = await server.send(`DELETE ${MAPS}/a`)
    marked['metadata'].finalizers.push('x.io/more')
    expect((await server.refusal(`PUT ${MAPS}/a`, marked)).message).toContain(
      'no new finalizers can be added if the object is being deleted',
    )
  })
})

describe('propagation', () => {
  const finalizers = async (options: Json): Promise<unknown> => {
    await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    await server.send(`DELETE ${DEPLOYMENTS}/web`, options)
    return (await isGone(`${DEPLOYMENTS}/web`)) ? 'gone' : (await server.send(`GET ${DEPLOYMENTS}/web`))['metadata'].finalizers
  }

  test.each([
    [{ propagationPolicy: 'Foreground' }, ['foregroundDeletion']],
    [{ propagationPolicy: 'Orphan' }, ['orphan']],
    [{ orphanDependents: true }, ['orphan']],
    [{ propagationPolicy: 'Background' }, 'gone'],
    [{ orphanDependents: false }, 'gone'],
    [{}, 'gone'],
  ])('%j', async (options, expected) => {
    expect(await finalizers(options)).toEqual(expected)
  })

  test('may be said in the query', async () => {
    await server.send(`POST ${DEPLOYMENTS}`, deployment('web'))
    const answer = await server.answer(`DELETE ${DEPLOYMENTS}/web?propagationPolicy=Foreground`)
    expect(answer.status).toBe(202)
  })

  test('of no known name, or said twice, is a 422', async () => {
    await server.send(`POST ${MAPS}`, configMap('a'))
    const unknown = await server.refusal(`DELETE ${MAPS}/a`, { propagationPolicy: 'Sideways' })
    expect(unknown.message).toContain('DeleteOptions.meta.k8s.io "" is invalid: propagationPolicy: Unsupported value: "Sideways"')
    const twice = await server.refusal(`DELETE ${MAPS}/a`, { propagationPolicy: 'Orphan', orphanDependents: true })
    expect(twice.message).toContain('orphanDependents and deletionPropagation cannot be both set')
  })
})

describe('pods go in two phases', () => {
  const make = (spec: Json = {}): Promise<Json> => server.send(`POST ${PODS}`, pod('p', { nodeName: 'n1', ...spec }))

  test('first marked, with their grace, and gone with the second delete', async () => {
    await make({ terminationGracePeriodSeconds: 45 })
    const marked = await server.send(`DELETE ${PODS}/p`)
    expect(marked['metadata']).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:45Z', deletionGracePeriodSeconds: 45, generation: 2 })
    const done = await server.send(`DELETE ${PODS}/p`, { gracePeriodSeconds: 0 })
    expect(done['status']).toBe('Success')
    expect(await isGone(`${PODS}/p`)).toBe(true)
  })

  test('a later delete may only shorten the grace', async () => {
    await make()
    await server.send(`DELETE ${PODS}/p`)
    const longer = await server.send(`DELETE ${PODS}/p?gracePeriodSeconds=60`)
    expect(longer['metadata'].deletionGracePeriodSeconds).toBe(30)
    const shorter = await server.send(`DELETE ${PODS}/p?gracePeriodSeconds=10`)
    expect(shorter['metadata']).toMatchObject({ deletionGracePeriodSeconds: 10, deletionTimestamp: '2026-01-01T00:00:10Z' })
    const unsaid = await server.send(`DELETE ${PODS}/p`)
    expect(unsaid['metadata'].resourceVersion).toBe(shorter['metadata'].resourceVersion)
  })

  test('without a node there is nobody to wait for', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    await server.send(`DELETE ${PODS}/p`)
    expect(await isGone(`${PODS}/p`)).toBe(true)
  })

  test('grace 0 with a finalizer: the pod waits for the finalizer alone', async () => {
    await server.send(`POST ${PODS}`, pod('p', { nodeName: 'n1' }, { finalizers: ['x.io/one'] }))
    await server.send(`DELETE ${PODS}/p`)
    const forced = await server.send(`DELETE ${PODS}/p?gracePeriodSeconds=0`)
    expect(forced['metadata']).toMatchObject({ deletionTimestamp: '2026-01-01T00:00:00Z', deletionGracePeriodSeconds: 0 })
    const merge = { 'content-type': 'application/merge-patch+json' }
    await server.send(`PATCH ${PODS}/p`, { metadata: { finalizers: null } }, merge)
    expect(await isGone(`${PODS}/p`)).toBe(true)
  })
})

describe('namespaces', () => {
  test('stay, Terminating, until /finalize takes the last of their own finalizers', async () => {
    await server.send('POST /api/v1/namespaces', { metadata: { name: 'x' } })
    const marked = await server.send('DELETE /api/v1/namespaces/x')
    expect(marked).toMatchObject({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Terminating' } })
    expect(marked['metadata'].deletionTimestamp).toBe('2026-01-01T00:00:00Z')
    await server.send('PUT /api/v1/namespaces/x/finalize', { ...marked, spec: { finalizers: [] }, metadata: { name: 'x' } })
    expect(await isGone('/api/v1/namespaces/x')).toBe(true)
  })

  test('of the system may not be deleted', async () => {
    const error = await server.refusal('DELETE /api/v1/namespaces/kube-system')
    expect(error).toMatchObject({
      reason: 'Forbidden',
      message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
    })
  })
})

describe('deletecollection', () => {
  test('deletes what the selector selects, in one namespace', async () => {
    await server.send('POST /api/v1/namespaces/kube-system/configmaps', configMap('other', {}, { app: 'x' }))
    for (const name of ['a', 'b', 'c']) await server.send(`POST ${MAPS}`, configMap(name, {}, name === 'c' ? {} : { app: 'x' }))
    const deleted = await server.send(`DELETE ${MAPS}?labelSelector=app%3Dx`)
    expect(deleted['kind']).toBe('ConfigMapList')
    expect(deleted['items'].map((item: Json) => item['metadata'].name)).toEqual(['a', 'b'])
    const left = await server.send('GET /api/v1/configmaps')
    expect(left['items'].map((item: Json) => item['metadata'].name)).toEqual(['c', 'other'])
  })

  test('takes DeleteOptions in its body', async () => {
    await server.send(`POST ${PODS}`, pod('p', { nodeName: 'n1' }))
    await server.send(`DELETE ${PODS}`, { kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds: 7 })
    expect((await server.send(`GET ${PODS}/p`))['metadata'].deletionGracePeriodSeconds).toBe(7)
  })

  test('across all namespaces is not allowed', async () => {
    expect((await server.refusal('DELETE /api/v1/pods')).reason).toBe('MethodNotAllowed')
  })
})
