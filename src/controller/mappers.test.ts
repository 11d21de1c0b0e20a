import { expect, test } from 'vitest'
import { replicaSets } from '../api/apps/v1/replica-set.ts'
import { nodes } from '../api/core/v1/node.ts'
import type { OwnerReference } from '../api/generated/types.ts'
import { controllerOf } from '../api/meta/owner.ts'
import { enqueueOwner, ownedBy, parseRequestKey, requestKey, requestOf } from './mappers.ts'

const web: OwnerReference = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: '1', controller: true }
const guest: OwnerReference = { ...web, name: 'guest', uid: '2', controller: false }
const node: OwnerReference = { apiVersion: 'v1', kind: 'Node', name: 'n1', uid: '3', controller: true }
const foreign: OwnerReference = { ...web, apiVersion: 'acme.io/v1' }

const owned = (
  ...ownerReferences: OwnerReference[]
): { metadata: { name: string; namespace: string; ownerReferences: OwnerReference[] } } => ({
  metadata: { name: 'p', namespace: 'shop', ownerReferences },
})

test.each([
  ['its managing owner', ownedBy(replicaSets)(owned(guest, web)), [{ namespace: 'shop', name: 'web' }]],
  ['by kind name alone', ownedBy('ReplicaSet')(owned(foreign)), [{ namespace: 'shop', name: 'web' }]],
  ['not an owner that does not manage it', ownedBy(replicaSets)(owned(guest)), []],
  ['not a kind of the same name in another group', ownedBy(replicaSets)(owned(foreign)), []],
  ['a cluster-scoped owner without namespace', ownedBy(nodes)(owned(node)), [{ namespace: '', name: 'n1' }]],
  ['every owner, managing or not', enqueueOwner(replicaSets)(owned(guest, node, web)).map(({ name }) => name), ['guest', 'web']],
  ['nothing without owners', ownedBy(replicaSets)({ metadata: { name: 'p' } }), []],
])('maps to %s', (_what, got, want) => expect(got).toEqual(want))

test('keys and requests say the same', () => {
  for (const metadata of [{ name: 'a', namespace: 'b' }, { name: 'n1' }]) {
    const request = requestOf({ metadata })
    expect(parseRequestKey(requestKey(request))).toEqual(request)
  }
  expect(requestKey({ namespace: '', name: 'n1' })).toBe('n1')
  expect(controllerOf(owned(guest, web))).toBe(web)
})
