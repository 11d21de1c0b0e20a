import { expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import { closedPolicy } from '../compile/quarantine.ts'
import { MESH, translated } from '../policies/test-world.ts'
import { pluginOf } from '../policies/index.ts'
import { originOf } from './kuma-input.ts'
import { sieve } from './sieve.ts'

const object = (name: string, kind = 'Thing', spec: unknown = {}): KubeObject =>
  ({ apiVersion: 'kuma.io/v1alpha1', kind, metadata: { name, namespace: 'shop' }, spec }) as unknown as KubeObject

test('what cannot be read is found by halving, told, and all the rest translated together', () => {
  const objects = Array.from({ length: 1_000 }, (_, i) => object(`o${i}`))
  let calls = 0
  const { result, unreadable, findings } = sieve(objects, originOf, (some) => {
    calls++
    if (some.some(({ metadata }) => metadata.name === 'o7' || metadata.name === 'o900')) throw new Error('no such field')
    return some.length
  })
  expect([result, unreadable.map(({ metadata }) => metadata.name)]).toEqual([998, ['o7', 'o900']])
  expect(findings[0]).toMatchObject({
    origin: { name: 'o7' },
    reason: 'Unreadable',
    message: 'cannot be read, and is left out: no such field',
  })
  expect(calls).toBeLessThan(60)
})

test('an external service that cannot be read leaves the others as they are', () => {
  const { services, findings } = translated([
    object('one', 'MeshExternalService', { match: { port: 443, protocol: 'tls' }, endpoints: 7 }),
    object('two', 'MeshExternalService', { match: { port: 443, protocol: 'tls' }, endpoints: [{ address: 'x.org', port: 443 }] }),
  ])
  expect([...services.keys()]).toEqual(['shop/two'])
  expect(findings).toMatchObject([{ origin: { name: 'one' }, reason: 'Unreadable' }])
})

test('a mesh that cannot be read is as strict as one can be', () => {
  const { mesh, findings } = translated([object('default', 'Mesh', { mtls: { backends: 7, enabledBackend: 'x' } })], {
    ...MESH,
    defaultMode: 'permissive',
  })
  expect(mesh).toMatchObject({ mtls: true, defaultMode: 'strict', defaultPermission: 'deny' })
  expect(findings).toMatchObject([{ origin: { kind: 'Mesh' }, reason: 'Unreadable' }])
})

test('a permission that cannot be read is there, broken, for whom it targets; another policy is, too, and has no effect', () => {
  const { policies, findings } = translated([
    object('bad', 'MeshTrafficPermission', {
      targetRef: { kind: 'Dataplane', labels: { app: 'cart' } },
      rules: [{ default: { deny: 7 } }],
    }),
    object('slow', 'MeshTimeout', { to: 7 }),
  ])
  expect(policies).toMatchObject([
    {
      type: 'MeshTrafficPermission',
      broken: expect.stringContaining('cannot be read'),
      proxies: { labels: { app: 'cart' }, namespace: 'shop' },
    },
    { type: 'MeshTimeout', broken: expect.stringContaining('cannot be read') },
  ])
  expect(findings.map(({ reason, origin: { name } }) => `${reason} ${name}`)).toEqual(['Unreadable bad', 'Unreadable slow'])
  const closed = policies.map((policy) => closedPolicy(pluginOf(policy.type)!, policy)?.rules)
  expect(closed).toMatchObject([[{ matches: [], conf: { deny: [{ match: {} }] } }], undefined])
})
