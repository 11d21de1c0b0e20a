import { expect, test } from 'vitest'
import { deployments } from '../api/apps/v1/deployment.ts'
import { configMaps } from '../api/core/v1/config-map.ts'
import { namespaces } from '../api/core/v1/namespace.ts'
import { pods } from '../api/core/v1/pod.ts'
import { StatusError } from '../base/errors.ts'
import { createClient } from './create-client.ts'
import type { Client } from './client.ts'
import type { ApiRequest, ApiResponse } from './transport.ts'

/** Answers each request with the next of `answers`; an Error is thrown. */
function recorder(...answers: unknown[]): { client: Client; sent: ApiRequest[] } {
  const sent: ApiRequest[] = []
  const client = createClient({
    async send(request) {
      sent.push(request)
      const answer = answers.length > 1 ? answers.shift() : answers[0]
      if (answer instanceof Error) throw answer
      return { status: 200, headers: {}, object: async () => structuredClone(answer) } as ApiResponse
    },
    close: async () => {},
  })
  return { client, sent }
}

const web = { metadata: { name: 'web', namespace: 'shop' } }

test('a write carries the type, the namespace of the object and its options', async () => {
  const { client, sent } = recorder({})
  await client.of(configMaps).create({ ...web, data: { a: '1' } }, { fieldManager: 'me', dryRun: true, fieldValidation: 'Strict' })
  expect(sent[0]).toMatchObject({
    method: 'POST',
    path: '/api/v1/namespaces/shop/configmaps',
    query: { fieldManager: 'me', dryRun: 'All', fieldValidation: 'Strict' },
    body: { apiVersion: 'v1', kind: 'ConfigMap', data: { a: '1' } },
  })
})

test('namespaces of options win, and cluster-scoped kinds have none', async () => {
  const { client, sent } = recorder({})
  await client.of(configMaps).update(web, { namespace: 'other' })
  await client.of(namespaces).create(web)
  expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
    'PUT /api/v1/namespaces/other/configmaps/web',
    'POST /api/v1/namespaces',
  ])
})

test('creating in no namespace is refused before anything is sent', async () => {
  const { client, sent } = recorder({})
  await expect(client.of(pods).create({ metadata: { name: 'a' } } as never)).rejects.toMatchObject({ reason: 'BadRequest' })
  await expect(client.of(pods).get('a')).rejects.toMatchObject({ reason: 'BadRequest' })
  expect(sent).toEqual([])
})

test.each([
  ['json', 'application/json-patch+json'],
  ['merge', 'application/merge-patch+json'],
  ['strategic', 'application/strategic-merge-patch+json'],
  ['apply', 'application/apply-patch+yaml'],
] as const)('a %s patch is sent as %s', async (type, contentType) => {
  const { client, sent } = recorder({})
  await client.of(deployments).patch('web', { a: 1 }, { type, namespace: 'shop', force: true, subresource: 'status' })
  expect(sent[0]).toMatchObject({
    method: 'PATCH',
    path: '/apis/apps/v1/namespaces/shop/deployments/web/status',
    headers: { 'content-type': contentType },
    query: { force: 'true' },
    body: { a: 1 },
  })
})

test('options of a delete are its body; a plain delete has none', async () => {
  const { client, sent } = recorder({})
  await client.of(pods).delete('web', { namespace: 'shop' })
  await client.of(pods).delete('web', {
    namespace: 'shop',
    gracePeriodSeconds: 0,
    propagationPolicy: 'Foreground',
    preconditions: { uid: 'u' },
    dryRun: true,
  })
  await client.of(pods).deleteCollection({ namespace: 'shop', labelSelector: 'a=b' })
  expect(sent.map(({ body }) => body)).toEqual([
    undefined,
    {
      kind: 'DeleteOptions',
      apiVersion: 'v1',
      gracePeriodSeconds: 0,
      propagationPolicy: 'Foreground',
      preconditions: { uid: 'u' },
      dryRun: ['All'],
    },
    undefined,
  ])
  expect(sent[2]).toMatchObject({ method: 'DELETE', path: '/api/v1/namespaces/shop/pods', query: { labelSelector: 'a=b' } })
})

test('subresources are posted below their object', async () => {
  const { client, sent } = recorder({})
  await client.of(pods).createSubresource('web', 'binding', { target: { name: 'n1' } }, { namespace: 'shop' })
  expect(sent[0]).toMatchObject({ method: 'POST', path: '/api/v1/namespaces/shop/pods/web/binding', body: { target: { name: 'n1' } } })
})

const page = (names: string[], next?: string): object => ({
  metadata: { resourceVersion: '7', ...(next ? { continue: next, remainingItemCount: 1 } : {}) },
  items: names.map((name) => ({ metadata: { name } })),
})

test('items of a list get back their type', async () => {
  const { client } = recorder(page(['a']))
  expect((await client.of(pods).list()).items).toEqual([{ metadata: { name: 'a' }, apiVersion: 'v1', kind: 'Pod' }])
})

test('listAll follows continue tokens, which pin the revision', async () => {
  const { client, sent } = recorder(page(['a', 'b'], 'next'), page(['c']))
  const list = await client.of(pods).listAll({ labelSelector: 'x=y', resourceVersion: '5', resourceVersionMatch: 'NotOlderThan' })
  expect(list.items.map(({ metadata }) => metadata.name)).toEqual(['a', 'b', 'c'])
  expect(list.metadata).toEqual({ resourceVersion: '7' })
  expect(sent.map(({ query }) => JSON.parse(JSON.stringify(query)))).toEqual([
    { labelSelector: 'x=y', limit: '500', resourceVersion: '5', resourceVersionMatch: 'NotOlderThan' },
    { labelSelector: 'x=y', limit: '500', continue: 'next' },
  ])
})

test('listAll lists in one piece when a page has expired', async () => {
  const { client, sent } = recorder(page(['a'], 'next'), new StatusError('Expired', 'compacted'), page(['a', 'b']))
  const list = await client.of(pods).listAll()
  expect(list.items.length).toBe(2)
  expect(sent[2]?.query?.['limit']).toBeUndefined()
})

test('WatchList says which revision it may not be older than', async () => {
  const { client, sent } = recorder(new StatusError('Forbidden', 'no'))
  const events = client.of(pods).watch({ sendInitialEvents: true, allowWatchBookmarks: true, timeoutSeconds: 5 })
  await expect(events[Symbol.asyncIterator]().next()).rejects.toMatchObject({ reason: 'Forbidden' })
  expect(JSON.parse(JSON.stringify(sent[0]?.query))).toEqual({
    watch: 'true',
    sendInitialEvents: 'true',
    resourceVersionMatch: 'NotOlderThan',
    allowWatchBookmarks: 'true',
    timeoutSeconds: '5',
  })
})
