import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { Authorizer, RequestInfo } from '../contract.ts'
import { conflict, forbidden, type AdmissionPlugin } from '../registry/index.ts'
import { parseRequestInfo } from './request-info.ts'
import { configMap, deployment, pod, testServer, type Json, type TestServer } from './test-support.ts'

const MAPS = '/api/v1/namespaces/default/configmaps'
const EVENTS = '/api/v1/namespaces/default/events'

describe('parseRequestInfo', () => {
  const info = (line: string): Partial<RequestInfo> => {
    const [method = '', target = ''] = line.split(' ')
    const [path = '', query = ''] = target.split('?')
    return parseRequestInfo({ method: method as 'GET', path, query: Object.fromEntries(new URLSearchParams(query)) })
  }

  test.each([
    ['GET /api/v1/pods', { verb: 'list', resource: 'pods', namespace: '' }],
    ['GET /api/v1/namespaces/x/pods/p', { verb: 'get', resource: 'pods', namespace: 'x', name: 'p' }],
    ['GET /api/v1/namespaces/x/pods?watch=true', { verb: 'watch', resource: 'pods', namespace: 'x' }],
    ['DELETE /apis/apps/v1/namespaces/x/deployments', { verb: 'deletecollection', group: 'apps', version: 'v1' }],
    ['POST /api/v1/namespaces/x/pods/p/binding', { verb: 'create', subresource: 'binding', name: 'p' }],
    ['PUT /api/v1/namespaces/x/finalize', { verb: 'update', resource: 'namespaces', name: 'x', subresource: 'finalize' }],
    ['GET /api/v1/watch/namespaces/x/pods', { verb: 'watch', resource: 'pods', namespace: 'x', name: '' }],
    ['GET /apis/apps/v1/watch/deployments', { verb: 'watch', group: 'apps', resource: 'deployments' }],
    ['GET /api/v1/watch/namespaces/x/pods/p', { verb: 'watch', name: 'p', fieldSelector: 'metadata.name=p' }],
    ['GET /api/v1/watch/namespaces', { verb: 'watch', resource: 'namespaces' }],
    ['GET /version', { isResourceRequest: false }],
  ])('%s', (line, expected) => {
    expect(info(line)).toMatchObject(expected)
  })
})

describe('authorization', () => {
  let server: TestServer
  const asked: RequestInfo[] = []
  const authorizer: Authorizer = {
    authorize: (_, info) => {
      asked.push(info)
      return Promise.resolve({ allowed: info.resource === 'namespaces' && info.verb === 'create', reason: '' })
    },
  }
  beforeEach(async () => {
    server = await testServer({ authorizer })
  })
  afterEach(() => server.close())

  test.each([
    [
      'GET /api/v1/namespaces/ns/pods/x',
      'pods "x" is forbidden: User "alice" cannot get resource "pods" in API group "" in the namespace "ns"',
    ],
    ['GET /api/v1/pods', 'pods is forbidden: User "alice" cannot list resource "pods" in API group "" at the cluster scope'],
    [
      'GET /api/v1/namespaces/ns/pods/x/log',
      'pods "x" is forbidden: User "alice" cannot get resource "pods/log" in API group "" in the namespace "ns"',
    ],
    [
      'POST /apis/apps/v1/namespaces/ns/deployments',
      'deployments.apps is forbidden: User "alice" cannot create resource "deployments" in API group "apps" in the namespace "ns"',
    ],
  ])('%s', async (line, text) => {
    const error = await server.refusal(line, {})
    expect([error.code, error.reason, error.message]).toEqual([403, 'Forbidden', text])
  })
})

describe('admission', () => {
  const log: string[] = []
  const plugin = (extra: Partial<AdmissionPlugin> = {}): AdmissionPlugin => ({
    name: 'Test',
    resources: ['configmaps'],
    admit: (request) => {
      const object = request.object as Json
      if (request.operation !== 'DELETE') object['data'] = { ...object['data'], seen: `${request.operation} ${request.user.name}` }
      if (object['data'].refuse) throw forbidden(request.resource, request.name, 'the plugin says no')
      request.warn('careful')
      return Promise.resolve({ commit: () => log.push('commit'), rollback: () => log.push('rollback') })
    },
    ...extra,
  })
  beforeEach(() => void log.splice(0))

  test('may change the object, warn, and is told how it ended', async () => {
    const server = await testServer({ admission: [plugin()] })
    const answer = await server.answer(`POST ${MAPS}`, configMap('a'))
    expect(answer.headers?.['warning']).toEqual(['299 - "careful"'])
    expect((await server.send(`GET ${MAPS}/a`))['data']).toEqual({ seen: 'CREATE alice' })
    expect((await server.send(`PUT ${MAPS}/a`, configMap('a', { k: 'v' })))['data']).toEqual({ k: 'v', seen: 'UPDATE alice' })
    expect(log).toEqual(['commit', 'commit'])
    await server.refusal(`POST ${MAPS}`, configMap('a'))
    await server.refusal(`POST ${MAPS}`, configMap('BAD'))
    await server.send(`POST ${MAPS}?dryRun=All`, configMap('dry'))
    expect(log.slice(2)).toEqual(['rollback', 'rollback', 'rollback'])
    await server.send(`DELETE ${MAPS}/a`)
    expect(log).toHaveLength(5)
    await server.close()
  })

  test('a refusal rolls back those before it', async () => {
    const server = await testServer({
      admission: [plugin(), plugin({ admit: (request) => Promise.reject(conflict(request.resource, 'x')) })],
    })
    expect((await server.refusal(`POST ${MAPS}`, configMap('a'))).reason).toBe('Conflict')
    expect(log).toEqual(['rollback'])
    expect((await server.refusal(`POST ${MAPS}`, configMap('b', { refuse: 'me' }))).message).toBe(
      'configmaps "b" is forbidden: the plugin says no',
    )
    await server.close()
  })

  test('what it allocates is stored if and only if the object is', async () => {
    let next = 0
    const allocator = plugin({
      admit: () => {
        const key = `/registry/test/numbers/${next++}`
        return Promise.resolve({
          compares: [{ key, op: '=' as const, revision: 0n }],
          writes: [{ type: 'put' as const, key, value: Buffer.from('taken') }],
        })
      },
    })
    const server = await testServer({ admission: [allocator] })
    await server.store.txn([], [{ type: 'put', key: '/registry/test/numbers/0', value: Buffer.from('by another') }], [])
    // 0 is taken: the request is admitted anew and gets 1
    await server.send(`POST ${MAPS}`, configMap('a'))
    expect(Buffer.from((await server.store.get('/registry/test/numbers/1'))?.value ?? []).toString()).toBe('taken')
    await server.refusal(`POST ${MAPS}`, configMap('a'))
    expect(await server.store.get('/registry/test/numbers/2')).toBeUndefined()
    await server.close()
  })
})

describe('objects that expire', () => {
  let server: TestServer
  beforeEach(async () => {
    server = await testServer()
  })
  afterEach(() => server.close())

  const event = (name: string): Json => ({
    metadata: { name },
    involvedObject: { kind: 'Pod', namespace: 'default', name: 'p' },
    reason: 'Test',
  })

  test('share a lease when they go in the same minute, and go', async () => {
    for (const name of ['a', 'b']) await server.send(`POST ${EVENTS}`, event(name))
    const [a, b] = await Promise.all(['a', 'b'].map((name) => server.store.get(`/registry/core/events/default/${name}`)))
    expect(a?.leaseId).not.toBe(0n)
    expect(a?.leaseId).toBe(b?.leaseId)
    await server.clock.advance(10 * 60_000)
    await server.send(`POST ${EVENTS}`, event('later'))
    expect((await server.store.get('/registry/core/events/default/later'))?.leaseId).not.toBe(a?.leaseId)
    await server.clock.advance(52 * 60_000)
    expect((await server.send(`GET ${EVENTS}`))['items'].map((item: Json) => item['metadata'].name)).toEqual(['later'])
  })

  test('are the same object in both event groups', async () => {
    await server.send(`POST ${EVENTS}`, event('a'))
    const other = await server.send('GET /apis/events.k8s.io/v1/namespaces/default/events/a')
    expect(other).toMatchObject({ apiVersion: 'events.k8s.io/v1', kind: 'Event', reason: 'Test', regarding: { name: 'p' } })
    const list = await server.send('GET /apis/events.k8s.io/v1/events')
    expect(list['items'][0]).toEqual(other)
    const watch = await server.watch('/apis/events.k8s.io/v1/events?watch=true')
    expect((await watch.take(1))[0]?.object).toEqual(other)
    await watch.close()
  })
})

describe('metrics', () => {
  test('have the names and labels of upstream', async () => {
    const server = await testServer()
    await server.send(`POST ${MAPS}`, configMap('a'))
    await server.refusal(`GET ${MAPS}/b`)
    await server.refusal('GET /apis/nope.io/v1/things')
    const watch = await server.watch(`${MAPS}?watch=true`)
    await watch.take(1)
    server.metrics.render()
    await server.clock.advance(1)
    const text = server.metrics.render()
    for (const line of [
      'apiserver_request_total{verb="POST",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="resource",component="apiserver",code="201"} 1',
      'apiserver_request_total{verb="GET",dry_run="",group="",version="v1",resource="configmaps",subresource="",scope="resource",component="apiserver",code="404"} 1',
      'apiserver_longrunning_requests{verb="WATCH",group="",version="v1",resource="configmaps",subresource="",scope="namespace",component="apiserver"} 1',
      'apiserver_watch_events_total{group="",version="v1",resource="configmaps"} 1',
      'apiserver_storage_objects{resource="configmaps"} 1',
      'apiserver_storage_objects{resource="namespaces"} 2',
    ]) {
      expect(text).toContain(line)
    }
    expect(text).toMatch(/apiserver_request_duration_seconds_count\{verb="POST".*\} 1/)
    expect(text).toMatch(/etcd_request_duration_seconds_count\{operation="create",type="core\/configmaps"\} 1/)
    expect(text).not.toContain('nope')
    await watch.close()
    expect(server.metrics.render()).toMatch(/apiserver_longrunning_requests\{.*\} 0/)
    await server.close()
  })
})

test('a kind may come while the server runs', async () => {
  const server = await testServer()
  server.handler.resources.add({ group: 'x.io', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true })
  const made = await server.send('POST /apis/x.io/v1/namespaces/default/things', {
    metadata: { name: 'a' },
    spec: { any: ['thing'] },
    more: 1,
  })
  expect(made).toMatchObject({ apiVersion: 'x.io/v1', kind: 'Thing', spec: { any: ['thing'] }, more: 1, metadata: { generation: 1 } })
  const error = await server.refusal(
    'PATCH /apis/x.io/v1/namespaces/default/things/a',
    {},
    { 'content-type': 'application/strategic-merge-patch+json' },
  )
  expect(error.message).toContain('accepted media types include: application/json-patch+json, application/merge-patch+json')
  await server.close()
})

test('every kind can be listed and watched', async () => {
  const server = await testServer()
  for (const { apiVersion, plural, listKind } of server.handler.resources.all()) {
    const root = apiVersion.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
    const list = await server.send(`GET ${root}/${plural}`)
    expect(list).toMatchObject({ kind: listKind, apiVersion, items: expect.any(Array) })
    const watch = await server.watch(
      `${root}/${plural}?watch=true&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`,
    )
    expect((await watch.take(list['items'].length + 1)).at(-1)?.type).toBe('BOOKMARK')
    await watch.close()
  }
  await server.close()
})

test('writers that meet never lose a write', async () => {
  const server = await testServer()
  await server.send('POST /apis/apps/v1/namespaces/default/deployments', deployment('web', 0))
  const path = '/apis/apps/v1/namespaces/default/deployments/web'
  const add = async (): Promise<void> => {
    for (;;) {
      const now = await server.send(`GET ${path}`)
      now['spec'].replicas++
      const lost = await server.answer(`PUT ${path}`, now).then(
        () => false,
        () => true,
      )
      if (!lost) return
    }
  }
  await Promise.all(Array.from({ length: 10 }, add))
  expect((await server.send(`GET ${path}`))['spec'].replicas).toBe(10)
  await server.close()
})

test('a pod created, bound, run and deleted is seen so by its watcher', async () => {
  const server = await testServer()
  const pods = '/api/v1/namespaces/default/pods'
  const { metadata } = await server.send(`GET ${pods}`)
  const watch = await server.watch(`${pods}?watch=true&resourceVersion=${metadata.resourceVersion}`)
  await server.send(`POST ${pods}`, pod('p'))
  await server.send(`POST ${pods}/p/binding`, { metadata: { name: 'p' }, target: { name: 'n1' } })
  await server.send(`PATCH ${pods}/p/status`, { status: { phase: 'Running' } }, { 'content-type': 'application/merge-patch+json' })
  await server.send(`DELETE ${pods}/p`)
  await server.send(`DELETE ${pods}/p?gracePeriodSeconds=0`)
  const seen = await watch.take(5)
  expect(
    seen.map(({ type, object }) => [type, object.spec.nodeName, object.status.phase, object.metadata.deletionGracePeriodSeconds]),
  ).toEqual([
    ['ADDED', undefined, 'Pending', undefined],
    ['MODIFIED', 'n1', 'Pending', undefined],
    ['MODIFIED', 'n1', 'Running', undefined],
    ['MODIFIED', 'n1', 'Running', 30],
    ['DELETED', 'n1', 'Running', 30],
  ])
  await watch.close()
  await server.close()
})
