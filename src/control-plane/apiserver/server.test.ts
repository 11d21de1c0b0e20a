import { expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../../api/registry.ts'
import { FakeClock } from '../../base/fake-clock.ts'
import type { Logger } from '../../base/log.ts'
import { createMetrics } from '../../base/metrics.ts'
import type { Transport } from '../../client/transport.ts'
import type { ServerRequest, ServerResponse, ServerWatchEvent } from './contract.ts'
import { createApiServer, LOOPBACK_USER } from './server.ts'

const STORED = { metadata: { name: 'a' }, absent: undefined }
const LINE = Buffer.from('{"type":"ADDED","object":{"metadata":{"name":"a"}}}\n')

async function* oneEvent(): AsyncGenerator<ServerWatchEvent> {
  yield { type: 'ADDED', object: STORED, line: LINE }
}

function resources(request: ServerRequest): Promise<ServerResponse> {
  const { name, verb } = request.info ?? {}
  if (name === 'broken') return Promise.reject(new TypeError('secret detail'))
  if (verb === 'watch') return Promise.resolve({ status: 200, body: { type: 'events', events: oneEvent() } })
  if (verb === 'list')
    return Promise.resolve({
      status: 200,
      body: { type: 'json', chunks: [Buffer.from('{"items":'), Buffer.from('[]}')], parse: () => ({ items: [] }) },
    })
  return Promise.resolve({ status: 200, headers: { warning: ['299 - "a"', '299 - "b"'] }, body: { type: 'object', value: STORED } })
}

const logged: string[] = []
const log: Logger = { debug() {}, info() {}, warn() {}, error: (message) => void logged.push(message), child: () => log }
const metrics = createMetrics()
const server = createApiServer({
  resources,
  kinds: () => BUILT_IN_KINDS,
  clock: new FakeClock(),
  log,
  metrics,
  authentication: { tokens: [{ token: 't', user: { name: 'jane', uid: 'u', groups: ['dev'] } }] },
})
const admin: Transport = server.inProcess(LOOPBACK_USER)
const jane: Transport = server.inProcess({ name: 'jane', groups: ['dev', 'system:authenticated'] })
const CM = '/api/v1/namespaces/d/configmaps'

async function post(transport: Transport, path: string, spec: object): Promise<any> {
  return (await transport.send({ method: 'POST', path, body: { spec } })).object()
}

test('every object given out in-process is a fresh copy without undefined members', async () => {
  const first = await (await admin.send({ method: 'GET', path: `${CM}/a` })).object()
  const second = await (await admin.send({ method: 'GET', path: `${CM}/a` })).object()
  expect(first).toStrictEqual({ metadata: { name: 'a' } })
  expect(first).not.toBe(second)
  const events = []
  for await (const event of (await admin.send({ method: 'GET', path: CM, query: { watch: 'true' } })).events()) events.push(event)
  expect(events[0]?.object).toStrictEqual({ metadata: { name: 'a' } })
  expect(events[0]?.object).toBe(events[0]?.object)
  expect(events[0]?.object.metadata).not.toBe(STORED.metadata)
})

test('headers and streams come through', async () => {
  const answer = await admin.send({ method: 'GET', path: `${CM}/a` })
  expect(answer.headers).toMatchObject({ 'content-type': 'application/json', warning: '299 - "a", 299 - "b"' })
  const chunks = []
  for await (const chunk of (await admin.send({ method: 'GET', path: CM })).stream()) chunks.push(chunk)
  expect(Buffer.concat(chunks).toString()).toBe('{"items":[]}')
})

test('paths are normalized and users authorized in-process as over HTTPS', async () => {
  await expect(admin.send({ method: 'GET', path: '/api//v1/pods' })).rejects.toMatchObject({ reason: 'BadRequest' })
  await expect(jane.send({ method: 'GET', path: `${CM}/a` })).rejects.toMatchObject({
    reason: 'Forbidden',
    details: { kind: 'configmaps', name: 'a' },
    message: 'configmaps "a" is forbidden: User "jane" cannot get resource "configmaps" in API group "" in the namespace "d"',
  })
  await expect(admin.send({ method: 'GET', path: '/nothing' })).rejects.toMatchObject({ reason: 'NotFound' })
})

test('an unexpected error is logged once and keeps its text to itself', async () => {
  await expect(admin.send({ method: 'GET', path: `${CM}/broken` })).rejects.toMatchObject({
    reason: 'InternalError',
    message: expect.not.stringContaining('secret') as string,
  })
  expect(logged).toEqual(['request failed'])
})

test('a closed transport and an aborted request ask for nothing', async () => {
  const own = server.inProcess(LOOPBACK_USER)
  await own.close()
  await expect(own.send({ method: 'GET', path: '/livez' })).rejects.toThrow('closed')
  const reason = new Error('enough')
  await expect(admin.send({ method: 'GET', path: '/livez', signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('version and metrics', async () => {
  const version = (await (await jane.send({ method: 'GET', path: '/version' })).object()) as Record<string, string>
  expect(version).toMatchObject({ major: '1', minor: '34', gitVersion: 'v1.34.0+biplane.0.1.0' })
  await expect(jane.send({ method: 'GET', path: '/metrics' })).rejects.toMatchObject({ reason: 'Forbidden' })
  const text = await (await admin.send({ method: 'GET', path: '/metrics' })).object()
  expect(text).toMatch(/apiserver_request_total\{verb="GET".*code="403"\} \d/)
  // resources are counted by whoever stores them, not twice
  expect(text).not.toContain('configmaps')
})

test('kubectl auth can-i and whoami', async () => {
  const path = '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews'
  const resourceAttributes = { verb: 'delete', resource: 'pods', namespace: 'd' }
  expect((await post(admin, path, { resourceAttributes })).status).toMatchObject({ allowed: true })
  expect(await post(jane, path, { resourceAttributes })).toMatchObject({ kind: 'SelfSubjectAccessReview', status: { allowed: false } })
  expect((await post(jane, path, { nonResourceAttributes: { path: '/version', verb: 'get' } })).status).toMatchObject({ allowed: true })
  await expect(post(jane, path, {})).rejects.toMatchObject({ reason: 'BadRequest' })
  const who = await post(jane, '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
  expect(who.status.userInfo).toEqual({ username: 'jane', groups: ['dev', 'system:authenticated'] })
  const rules = await post(admin, '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews', { namespace: 'd' })
  expect(rules.status.resourceRules).toEqual([{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }])
})

test('reviews of others are for administrators', async () => {
  const sar = '/apis/authorization.k8s.io/v1/subjectaccessreviews'
  const resourceAttributes = { verb: 'get', resource: 'nodes' }
  expect((await post(admin, sar, { user: 'system:node:n', groups: ['system:nodes'], resourceAttributes })).status.allowed).toBe(true)
  expect((await post(admin, sar, { user: 'x', resourceAttributes })).status.allowed).toBe(false)
  await expect(post(jane, sar, { user: 'x', resourceAttributes })).rejects.toMatchObject({ reason: 'Forbidden' })
  const tokens = '/apis/authentication.k8s.io/v1/tokenreviews'
  expect((await post(admin, tokens, { token: 't' })).status).toEqual({
    authenticated: true,
    user: { username: 'jane', uid: 'u', groups: ['dev', 'system:authenticated'] },
  })
  expect((await post(admin, tokens, { token: 'x' })).status).toEqual({ authenticated: false })
})

test('openapi v3: an index with hashes, documents that can be kept for ever under them; v2 is there and empty', async () => {
  const index = (await (await jane.send({ method: 'GET', path: '/openapi/v3' })).object()) as {
    paths: Record<string, { serverRelativeURL: string }>
  }
  const url = new URL(index.paths['apis/apps/v1']?.serverRelativeURL ?? '', 'http://x')
  const ask = (hash?: string): Promise<any> =>
    jane.send({ method: 'GET', path: url.pathname, ...(hash === undefined ? {} : { query: { hash } }) })
  const document = await ask(url.searchParams.get('hash') ?? '')
  expect(document.headers['cache-control']).toContain('immutable')
  expect((await document.object()).paths).toHaveProperty(['/apis/apps/v1/namespaces/{namespace}/deployments'])
  expect((await ask()).headers['cache-control']).toBeUndefined()
  expect((await ask('OLD')).headers['cache-control']).toBeUndefined()
  const etag = (await ask()).headers.etag as string
  const known = await jane.send({ method: 'GET', path: url.pathname, headers: { 'if-none-match': etag } })
  expect(known.status).toBe(304)
  expect(await (await jane.send({ method: 'GET', path: '/openapi/v2' })).object()).toMatchObject({ swagger: '2.0', paths: {} })
  await expect(jane.send({ method: 'GET', path: '/openapi/v3/apis/none/v1' })).rejects.toMatchObject({ reason: 'NotFound' })
})
