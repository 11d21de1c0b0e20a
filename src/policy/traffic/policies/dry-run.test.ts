import { expect, test } from 'vitest'
import type { KubeObject } from '../../../api/meta/object.ts'
import { dryRun, type ObservedCall } from './dry-run.ts'
import { PROXIES, translated, worldOf } from './test-world.ts'

const ID = 'spiffe://default.mesh.local/ns/'
const permission = (name: string, conf: object): KubeObject =>
  ({
    apiVersion: 'kuma.io/v1alpha1',
    kind: 'MeshTrafficPermission',
    metadata: { name, namespace: 'shop' },
    spec: { rules: [{ default: conf }] },
  }) as unknown as KubeObject
const calls: ObservedCall[] = [
  { caller: `${ID}shop/sa/web`, service: { namespace: 'shop', name: 'cart' }, port: 80, method: 'GET', path: '/', count: 10 },
  { caller: `${ID}ops/sa/admin`, service: { namespace: 'shop', name: 'cart' }, port: 80, method: 'POST', path: '/admin/x', count: 3 },
  { caller: `${ID}shop/sa/web`, service: { namespace: 'shop', name: 'gone' }, port: 80, count: 1 },
]
const allowShop = permission('one', { allow: [{ spiffeID: { type: 'Prefix', value: `${ID}shop/` } }] })

test('a permission that takes and gives', () => {
  const world = worldOf(translated([allowShop]))
  const [next] = translated([permission('one', { allow: [{ spiffeID: { type: 'Exact', value: `${ID}ops/sa/admin` } }] })]).policies
  const report = dryRun(next!, calls, world, PROXIES)
  expect(report.counts).toEqual({ stillAllowed: 0, stillDenied: 0, newlyAllowed: 3, newlyDenied: 10, unknown: 1 })
  expect(report.changes).toEqual([
    { call: calls[0], previously: 'allow', would: 'deny', rule: 'none' },
    { call: calls[1], previously: 'deny', would: 'allow', rule: 'MeshTrafficPermission/shop/one' },
  ])
})

test('a policy under trial is judged as it would be in force; one that says nothing of permission changes nothing', () => {
  const all = permission('one', { allow: [{ spiffeID: { type: 'Prefix', value: ID } }] })
  const world = worldOf(translated([all]))
  const authorization = {
    apiVersion: 'biplane.dev/v1alpha1',
    kind: 'MeshAuthorizationPolicy',
    metadata: { name: 'no-admin', namespace: 'shop' },
    spec: { action: 'Deny', dryRun: true, rules: [{ to: [{ paths: [{ prefix: '/admin' }] }] }] },
  } as unknown as KubeObject
  const [policy] = translated([authorization]).policies
  expect(dryRun(policy!, calls, world, PROXIES)).toEqual({
    changes: [{ call: calls[1], previously: 'allow', would: 'deny', rule: 'MeshAuthorizationPolicy/shop/no-admin' }],
    counts: { stillAllowed: 10, stillDenied: 0, newlyAllowed: 0, newlyDenied: 3, unknown: 1 },
  })
  const timeout = {
    apiVersion: 'kuma.io/v1alpha1',
    kind: 'MeshTimeout',
    metadata: { name: 't', namespace: 'shop' },
    spec: { rules: [{ default: { idleTimeout: '1s' } }] },
  } as unknown as KubeObject
  expect(dryRun(translated([timeout]).policies[0]!, calls, world, PROXIES).changes).toEqual([])
})
