import { expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import type { KindDefinition } from '../../../api/kind.ts'
import type { ServerResponse } from '../contract.ts'
import { createDiscoveryHandler } from './discovery-handler.ts'
import { negotiate } from './negotiate.ts'

let kinds: readonly KindDefinition[] = BUILT_IN_KINDS
const handler = createDiscoveryHandler({ kinds: () => kinds, serverAddress: () => '127.0.0.1:6443' })
const user = { name: 'x', groups: [] }

async function get(path: string, headers: Record<string, string> = {}): Promise<ServerResponse & { json: any }> {
  const answer = await handler({ method: 'GET', path, user, headers })
  return { ...answer, json: answer.body.type === 'json' ? answer.body.parse() : undefined }
}

const V2 = 'application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList'
const BETA = 'application/json;g=apidiscovery.k8s.io;v=v2beta1;as=APIGroupDiscoveryList'

test.each([
  // kubectl 1.35, client-go at HEAD, kubectl 1.27, kubectl 1.20, curl
  [`${V2},${BETA},application/json`, 'v2'],
  [`${V2};profile=nopeer,${V2},application/json`, 'v2'],
  [`${BETA},application/json`, 'v2beta1'],
  ['application/json, */*', 'legacy'],
  ['*/*', 'legacy'],
  [undefined, 'legacy'],
  [`application/json,${V2}`, 'legacy'],
  ['application/vnd.kubernetes.protobuf, application/json;g=apidiscovery.k8s.io;v=v3;as=APIGroupDiscoveryList', 'legacy'],
  ['APPLICATION/JSON; g=apidiscovery.k8s.io; v=v2; as=APIGroupDiscoveryList', 'v2'],
])('%s is answered with %s', (accept, flavour) => {
  expect(negotiate(accept)).toBe(flavour)
})

test.each(['v2', 'v2beta1'])('aggregated %s names its form in the content type', async (version) => {
  const accept = version === 'v2' ? V2 : BETA
  const { json, headers } = await get('/apis', { accept })
  expect(headers).toMatchObject({ 'content-type': accept, vary: 'Accept' })
  expect(json).toMatchObject({ kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}` })
  const apps = json.items.find((item: any) => item.metadata.name === 'apps')
  const deployments = apps.versions[0].resources.find((resource: any) => resource.resource === 'deployments')
  expect(deployments).toMatchObject({
    responseKind: { group: 'apps', version: 'v1', kind: 'Deployment' },
    scope: 'Namespaced',
    singularResource: 'deployment',
    shortNames: ['deploy'],
    categories: ['all'],
  })
  expect(deployments.verbs).toEqual(['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch'])
})

test('the core group comes alone, with subresources of other groups', async () => {
  const { json } = await get('/api', { accept: V2 })
  expect(json.items).toHaveLength(1)
  const pods = json.items[0].versions[0].resources.find((resource: any) => resource.resource === 'pods')
  const byName = Object.fromEntries(pods.subresources.map((sub: any) => [sub.subresource, sub.responseKind]))
  expect(byName).toMatchObject({
    eviction: { group: 'policy', version: 'v1', kind: 'Eviction' },
    log: { kind: 'Pod' },
    binding: { kind: 'Binding' },
  })
  expect(Object.keys(byName)).not.toContain('exec')
})

test('legacy documents', async () => {
  expect((await get('/api')).json).toMatchObject({
    kind: 'APIVersions',
    versions: ['v1'],
    serverAddressByClientCIDRs: [{ serverAddress: '127.0.0.1:6443' }],
  })
  const { json: groups } = await get('/apis')
  expect(groups.groups.map(({ name }: any) => name)).toEqual(
    expect.arrayContaining(['apps', 'authorization.k8s.io', 'coordination.k8s.io']),
  )
  expect(groups.groups.map(({ name }: any) => name)).not.toContain('')
  const { json: group } = await get('/apis/apps')
  expect(group).toMatchObject({ kind: 'APIGroup', name: 'apps', preferredVersion: { groupVersion: 'apps/v1', version: 'v1' } })
  const { json: core } = await get('/api/v1')
  expect(core).toMatchObject({ kind: 'APIResourceList', groupVersion: 'v1' })
  expect(core.resources.find(({ name }: any) => name === 'serviceaccounts/token')).toMatchObject({
    kind: 'TokenRequest',
    group: 'authentication.k8s.io',
    version: 'v1',
    namespaced: true,
    verbs: ['create'],
  })
  const { json: reviews } = await get('/apis/authorization.k8s.io/v1')
  expect(reviews.resources.find(({ kind }: any) => kind === 'SelfSubjectAccessReview')).toEqual({
    name: 'selfsubjectaccessreviews',
    singularName: 'selfsubjectaccessreview',
    namespaced: false,
    kind: 'SelfSubjectAccessReview',
    verbs: ['create'],
  })
})

test('a document that the client has is 304; unknown ones are 404; nothing can be posted', async () => {
  const { headers } = await get('/apis/apps/v1')
  expect(await get('/apis/apps/v1', { 'if-none-match': `W/"other", ${headers?.['etag'] as string}` })).toMatchObject({
    status: 304,
    body: { type: 'empty' },
  })
  expect(() => handler({ method: 'GET', path: '/apis/none', user })).toThrow(expect.objectContaining({ reason: 'NotFound' }))
  expect(() => handler({ method: 'POST', path: '/apis', user })).toThrow(expect.objectContaining({ reason: 'MethodNotAllowed' }))
})

test('a kind that comes and goes is seen at once, under another etag', async () => {
  const before = await get('/apis', { accept: V2 })
  kinds = [...BUILT_IN_KINDS, { group: 'example.com', version: 'v1', kind: 'Thing', plural: 'things', namespaced: true }]
  const after = await get('/apis', { accept: V2 })
  expect(after.json.items).toHaveLength(before.json.items.length + 1)
  expect(after.headers?.['etag']).not.toBe(before.headers?.['etag'])
  kinds = BUILT_IN_KINDS
  expect((await get('/apis', { accept: V2 })).headers?.['etag']).toBe(before.headers?.['etag'])
})
