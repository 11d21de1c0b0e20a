import { expect, test } from 'vitest'
import { StatusError } from '../base/errors.ts'
import { createDiscovery, resolveKind } from './discovery.ts'
import type { ApiResponse, Transport } from './transport.ts'

function serve(paths: Record<string, unknown>): Transport & { asked: string[] } {
  const asked: string[] = []
  return {
    asked,
    async send({ path }) {
      asked.push(path)
      if (!(path in paths)) throw new StatusError('NotFound', path)
      return { status: 200, headers: {}, object: async () => paths[path] } as ApiResponse
    },
    close: async () => {},
  }
}

const pods = {
  resource: 'pods',
  responseKind: { kind: 'Pod' },
  scope: 'Namespaced',
  singularResource: 'pod',
  shortNames: ['po'],
  verbs: ['get'],
}
const widgets = {
  resource: 'widgets',
  responseKind: { kind: 'Widget' },
  scope: 'Cluster',
  singularResource: 'widget',
  subresources: [{ subresource: 'status' }],
}
const aggregated = {
  '/api': { kind: 'APIGroupDiscoveryList', items: [{ versions: [{ version: 'v1', resources: [pods] }] }] },
  '/apis': {
    kind: 'APIGroupDiscoveryList',
    items: [
      {
        metadata: { name: 'acme.io' },
        versions: [
          { version: 'v2', resources: [widgets] },
          { version: 'v1', resources: [widgets] },
        ],
      },
    ],
  },
}

test('finds kinds by manifest and by what users type, and asks once', async () => {
  const transport = serve(aggregated)
  const discovery = createDiscovery(transport)
  expect(await discovery.byKind({ apiVersion: 'acme.io/v1', kind: 'Widget' })).toEqual({
    group: 'acme.io',
    version: 'v1',
    kind: 'Widget',
    plural: 'widgets',
    singular: 'widget',
    namespaced: false,
    status: true,
  })
  for (const [text, want] of [
    ['po', 'v1 Pod'],
    ['Pod', 'v1 Pod'],
    ['pods', 'v1 Pod'],
    ['widget', 'v2 Widget'],
    ['widgets.acme.io', 'v2 Widget'],
    ['widgets.v1.acme.io', 'v1 Widget'],
  ] as const) {
    const kind = await discovery.byResource(text)
    expect(`${kind?.version} ${kind?.kind}`).toBe(want)
  }
  expect(transport.asked).toEqual(['/api', '/apis'])
})

test('what is not there is asked for once more, since it may be new', async () => {
  const paths: Record<string, unknown> = { ...aggregated, '/apis': { kind: 'APIGroupDiscoveryList', items: [] } }
  const transport = serve(paths)
  expect(await resolveKind(transport, { apiVersion: 'acme.io/v1', kind: 'Widget' })).toBeUndefined()
  paths['/apis'] = aggregated['/apis']
  expect(await resolveKind(transport, { apiVersion: 'acme.io/v1', kind: 'Widget' })).toMatchObject({ plural: 'widgets' })
  expect(await resolveKind(transport, { apiVersion: 'acme.io/v9', kind: 'Widget' })).toBeUndefined()
  expect(transport.asked.length).toBe(6)
})

test('a failure is not remembered', async () => {
  const paths: Record<string, unknown> = {}
  const discovery = createDiscovery(serve(paths))
  await expect(discovery.kinds()).rejects.toMatchObject({ reason: 'NotFound' })
  Object.assign(paths, aggregated)
  expect((await discovery.kinds()).length).toBe(3)
})

test('servers without aggregated discovery are walked, and a broken group hides no other', async () => {
  const transport = serve({
    '/api': { kind: 'APIVersions', versions: ['v1'] },
    '/apis': { kind: 'APIGroupList', groups: [{ versions: [{ groupVersion: 'acme.io/v1' }, { groupVersion: 'broken/v1' }] }] },
    '/api/v1': {
      resources: [
        { name: 'pods', kind: 'Pod', namespaced: true, shortNames: ['po'] },
        { name: 'pods/status', kind: 'Pod' },
      ],
    },
    '/apis/acme.io/v1': { resources: [{ name: 'widgets', kind: 'Widget', namespaced: false }] },
  })
  const kinds = await createDiscovery(transport).kinds()
  expect(kinds).toEqual([
    { group: '', version: 'v1', kind: 'Pod', plural: 'pods', namespaced: true, shortNames: ['po'], status: true },
    { group: 'acme.io', version: 'v1', kind: 'Widget', plural: 'widgets', namespaced: false, status: false },
  ])
})
