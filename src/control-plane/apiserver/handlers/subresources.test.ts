import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { deployment, pod, testServer, type Json, type TestServer } from './test-support.ts'

const PODS = '/api/v1/namespaces/default/pods'
const DEPLOYMENTS = '/apis/apps/v1/namespaces/default/deployments'
const BUDGETS = '/apis/policy/v1/namespaces/default/poddisruptionbudgets'
const MERGE = { 'content-type': 'application/merge-patch+json' }

let server: TestServer
beforeEach(async () => {
  server = await testServer()
})
afterEach(() => server.close())

describe('scale', () => {
  beforeEach(async () => {
    await server.send(`POST ${DEPLOYMENTS}`, deployment('web', 2))
  })

  test('GET shows replicas and selector', async () => {
    const { metadata } = await server.send(`GET ${DEPLOYMENTS}/web`)
    const { name, namespace, uid, resourceVersion, creationTimestamp } = metadata
    expect(await server.send(`GET ${DEPLOYMENTS}/web/scale`)).toEqual({
      kind: 'Scale',
      apiVersion: 'autoscaling/v1',
      metadata: { name, namespace, uid, resourceVersion, creationTimestamp },
      spec: { replicas: 2 },
      status: { replicas: 0, selector: 'app=web' },
    })
  })

  test('PUT and PATCH change spec.replicas and count a generation', async () => {
    const scale = await server.send(`GET ${DEPLOYMENTS}/web/scale`)
    const put = await server.send(`PUT ${DEPLOYMENTS}/web/scale`, { ...scale, spec: { replicas: 4 } })
    expect(put['spec']).toEqual({ replicas: 4 })
    await server.send(`PATCH ${DEPLOYMENTS}/web/scale`, { spec: { replicas: 5 } }, MERGE)
    const now = await server.send(`GET ${DEPLOYMENTS}/web`)
    expect([now['spec'].replicas, now['metadata'].generation]).toEqual([5, 3])
  })

  test('a stale Scale is a 409', async () => {
    const scale = await server.send(`GET ${DEPLOYMENTS}/web/scale`)
    await server.send(`PATCH ${DEPLOYMENTS}/web/scale`, { spec: { replicas: 5 } }, MERGE)
    expect((await server.refusal(`PUT ${DEPLOYMENTS}/web/scale`, { ...scale, spec: { replicas: 1 } })).reason).toBe('Conflict')
  })

  test('replicas below zero are a 422', async () => {
    const error = await server.refusal(`PATCH ${DEPLOYMENTS}/web/scale`, { spec: { replicas: -1 } }, MERGE)
    expect(error.message).toBe('Scale.autoscaling "web" is invalid: spec.replicas: Invalid value: -1: must be greater than or equal to 0')
  })

  test('is not there for kinds that do not scale', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    expect((await server.refusal(`GET ${PODS}/p/scale`)).reason).toBe('NotFound')
  })
})

describe('binding', () => {
  const binding = (name: string, node = 'n1', metadata: Json = {}): Json => ({
    apiVersion: 'v1',
    kind: 'Binding',
    metadata: { name, ...metadata },
    target: { apiVersion: 'v1', kind: 'Node', name: node },
  })

  test('puts a pod on a node', async () => {
    const made = await server.send(`POST ${PODS}`, pod('p'))
    const answer = await server.answer(`POST ${PODS}/p/binding`, binding('p', 'n1', { uid: made['metadata'].uid, annotations: { a: 'b' } }))
    expect(answer.status).toBe(201)
    const bound = await server.send(`GET ${PODS}/p`)
    expect(bound['spec'].nodeName).toBe('n1')
    expect(bound['metadata']).toMatchObject({ annotations: { a: 'b' }, generation: 1 })
    expect(bound['status'].conditions).toEqual([{ type: 'PodScheduled', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }])
  })

  test('the old path does the same', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    await server.send('POST /api/v1/namespaces/default/bindings', binding('p'))
    expect((await server.send(`GET ${PODS}/p`))['spec'].nodeName).toBe('n1')
  })

  test('is for once', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    await server.send(`POST ${PODS}/p/binding`, binding('p'))
    const error = await server.refusal(`POST ${PODS}/p/binding`, binding('p', 'n2'))
    expect(error.message).toBe('Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"')
    expect(error.reason).toBe('Conflict')
  })

  test('of another pod of that name, of one that goes or is gated, is a 409', async () => {
    await server.send(`POST ${PODS}`, pod('p', {}, { finalizers: ['x.io/one'] }))
    expect((await server.refusal(`POST ${PODS}/p/binding`, binding('p', 'n1', { uid: 'other' }))).reason).toBe('Conflict')
    await server.send(`DELETE ${PODS}/p`)
    expect((await server.refusal(`POST ${PODS}/p/binding`, binding('p'))).message).toContain(
      'pod p is being deleted, cannot be assigned to a host',
    )
    await server.send(`POST ${PODS}`, pod('gated', { schedulingGates: [{ name: 'wait' }] }))
    expect((await server.refusal(`POST ${PODS}/gated/binding`, binding('gated'))).message).toContain('non-empty .spec.schedulingGates')
  })

  test('needs a node and a pod', async () => {
    await server.send(`POST ${PODS}`, pod('p'))
    expect((await server.refusal(`POST ${PODS}/p/binding`, binding('p', ''))).details?.causes?.[0]?.field).toBe('target.name')
    expect((await server.refusal(`POST ${PODS}/q/binding`, binding('q'))).reason).toBe('NotFound')
  })
})

describe('eviction', () => {
  const evict = `${PODS}/p/eviction`
  const eviction = { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name: 'p', namespace: 'default' } }

  const runningPod = async (ready: boolean): Promise<void> => {
    await server.send(`POST ${PODS}`, pod('p', { nodeName: 'n1' }, { labels: { app: 'x' } }))
    const conditions = [{ type: 'Ready', status: ready ? 'True' : 'False' }]
    await server.send(`PATCH ${PODS}/p/status`, { status: { phase: 'Running', conditions } }, MERGE)
  }

  const budget = async (status: Json, spec: Json = {}): Promise<void> => {
    const full = { minAvailable: 1, selector: { matchLabels: { app: 'x' } }, ...spec }
    await server.send(`POST ${BUDGETS}`, { metadata: { name: 'keep' }, spec: full })
    const defaults = { observedGeneration: 1, disruptionsAllowed: 0, currentHealthy: 1, desiredHealthy: 1, expectedPods: 1 }
    await server.send(`PATCH ${BUDGETS}/keep/status`, { status: { ...defaults, ...status } }, MERGE)
  }

  test('without a budget is a deletion with grace', async () => {
    await runningPod(true)
    const answer = await server.answer(`POST ${evict}`, { ...eviction, deleteOptions: { gracePeriodSeconds: 12 } })
    expect(answer.status).toBe(201)
    expect((await server.send(`GET ${PODS}/p`))['metadata'].deletionGracePeriodSeconds).toBe(12)
  })

  test('a budget with nothing left is a 429', async () => {
    await runningPod(true)
    await budget({})
    const error = await server.refusal(`POST ${evict}`, eviction)
    expect([error.code, error.message]).toEqual([429, "Cannot evict pod as it would violate the pod's disruption budget."])
    expect(error.details?.causes).toEqual([
      { reason: 'DisruptionBudget', message: 'The disruption budget keep needs 1 healthy pods and has 1 currently' },
    ])
    expect((await server.send(`GET ${PODS}/p`))['metadata'].deletionTimestamp).toBeUndefined()
  })

  test('takes one from a budget that has some', async () => {
    await runningPod(true)
    await budget({ disruptionsAllowed: 1, currentHealthy: 2 })
    await server.send(`POST ${evict}`, eviction)
    const { status } = await server.send(`GET ${BUDGETS}/keep`)
    expect(status).toMatchObject({ disruptionsAllowed: 0, disruptedPods: { p: '2026-01-01T00:00:00Z' } })
  })

  test('a budget its controller has not looked at yet is a 429 with a time to retry', async () => {
    await runningPod(true)
    await budget({ observedGeneration: 0, disruptionsAllowed: 5 })
    const error = await server.refusal(`POST ${evict}`, eviction)
    expect(error.details).toMatchObject({ retryAfterSeconds: 10, causes: [{ reason: 'DisruptionBudget' }] })
  })

  test('dryRun asks the budget and takes nothing', async () => {
    await runningPod(true)
    await budget({ disruptionsAllowed: 1 })
    await server.send(`POST ${evict}?dryRun=All`, eviction)
    expect((await server.send(`GET ${BUDGETS}/keep`))['status'].disruptionsAllowed).toBe(1)
  })

  test.each([
    ['a healthy application', {}, { currentHealthy: 1 }],
    ['the policy AlwaysAllow', { unhealthyPodEvictionPolicy: 'AlwaysAllow' }, { currentHealthy: 0 }],
  ])('a pod that is not ready costs nothing with %s', async (_, spec, status) => {
    await runningPod(false)
    await budget(status, spec)
    await server.send(`POST ${evict}`, eviction)
    expect((await server.send(`GET ${PODS}/p`))['metadata'].deletionTimestamp).toBeDefined()
  })

  test('a pod that is over or has not begun needs no budget', async () => {
    await server.send(`POST ${PODS}`, pod('p', {}, { labels: { app: 'x' } }))
    await budget({})
    await server.send(`POST ${evict}`, eviction)
    expect((await server.refusal(`GET ${PODS}/p`)).reason).toBe('NotFound')
  })
})

test('hooks answer what is not stored', async () => {
  const hooked = await testServer({
    subresources: {
      'pods/log': (request) => Promise.resolve({ status: 200, body: { type: 'object', value: { path: request.path } } }),
      'selfsubjectaccessreviews.authorization.k8s.io': () => Promise.resolve({ status: 201, body: { type: 'object', value: {} } }),
    },
  })
  expect(await hooked.send(`GET ${PODS}/p/log?container=c`)).toEqual({ path: `${PODS}/p/log` })
  expect((await hooked.answer('POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {})).status).toBe(201)
  expect((await hooked.refusal(`GET ${PODS}/p/attach`)).reason).toBe('NotFound')
  await hooked.close()
})
