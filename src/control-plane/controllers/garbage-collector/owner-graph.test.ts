import { expect, test } from 'vitest'
import { configMaps } from '../../../api/core/v1/config-map.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import type { OwnerReference } from '../../../api/generated/types.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { FOREGROUND, ORPHAN, OwnerGraph, type GraphNode } from './owner-graph.ts'
import { blockingDependents, planDeletion, type DeletionPlan, type OwnerState } from './plan-deletion.ts'

const ref = (name: string, more: Partial<OwnerReference> = {}): OwnerReference => ({
  apiVersion: 'v1',
  kind: 'ConfigMap',
  name,
  uid: name,
  ...more,
})
const object = (name: string, owners: OwnerReference[] = [], more: Partial<KubeObject['metadata']> = {}): KubeObject => ({
  metadata: { name, uid: name, namespace: 'default', ownerReferences: owners, ...more },
})
const deleting = (finalizer: string): Partial<KubeObject['metadata']> => ({
  deletionTimestamp: '2026-01-01T00:00:00Z',
  finalizers: [finalizer],
})
const names = (found: readonly GraphNode[]): string[] => found.map((node) => node.name).sort()

test('dependents may come before their owner: they are looked at, and again when it goes', () => {
  const graph = new OwnerGraph()
  expect(graph.set(configMaps, object('child', [ref('owner')])).toDelete).toEqual(['child'])
  expect(graph.set(configMaps, object('owner')).toDelete).toEqual([])
  expect(graph.set(configMaps, object('child', [ref('owner')])).toDelete).toEqual([])
  expect(names(graph.dependentsOf('owner'))).toEqual(['child'])
  expect(graph.remove('owner').toDelete).toEqual(['child'])
  graph.remove('child')
  expect([graph.size, graph.dependentsOf('owner')]).toEqual([0, []])
})

test('a foreground deletion looks at the owner and all dependents; a dependent that goes or unblocks looks at the owner', () => {
  const graph = new OwnerGraph()
  graph.set(configMaps, object('owner'))
  graph.set(configMaps, object('a', [ref('owner', { blockOwnerDeletion: true })]))
  graph.set(configMaps, object('b', [ref('owner', { blockOwnerDeletion: true })]))
  expect(graph.set(configMaps, object('owner', [], deleting(FOREGROUND))).toDelete).toEqual(['owner', 'a', 'b'])
  expect(graph.remove('a').toDelete).toEqual(['owner'])
  expect(graph.set(configMaps, object('b', [ref('owner')])).toDelete).toContain('owner')
  expect(graph.set(configMaps, object('b', [])).toDelete).toEqual(['owner'])
})

test('an orphaning deletion is told apart', () => {
  const graph = new OwnerGraph()
  expect(graph.set(configMaps, object('owner', [], deleting(ORPHAN)))).toEqual({ toDelete: [], toOrphan: ['owner'] })
  // not being deleted, the finalizer says nothing yet
  expect(graph.set(configMaps, object('other', [], { finalizers: [ORPHAN] }))).toEqual({ toDelete: [], toOrphan: [] })
})

test.each<[string, OwnerReference, boolean]>([
  ['as it is', ref('owner'), true],
  ['of another kind', ref('owner', { kind: 'Secret' }), false],
  ['of another group', ref('owner', { apiVersion: 'apps/v1' }), false],
  ['of another version', ref('owner', { apiVersion: 'v2' }), true],
  ['by another name', ref('else', { uid: 'owner' }), false],
])('a reference holds only if it names the owner: %s', (_name, reference, held) => {
  const graph = new OwnerGraph()
  graph.set(configMaps, object('owner'))
  expect(graph.set(configMaps, object('child', [reference])).toDelete).toEqual(held ? [] : ['child'])
})

test('owners hold in their namespace, those without one everywhere', () => {
  const graph = new OwnerGraph()
  graph.set(configMaps, object('far', [], { namespace: 'other' }))
  graph.set(nodes, { metadata: { name: 'n1', uid: 'n1' } })
  expect(graph.set(configMaps, object('child', [ref('far')])).toDelete).toEqual(['child'])
  expect(graph.set(configMaps, object('child', [ref('n1', { kind: 'Node' })])).toDelete).toEqual([])
})

const dependent = (uid: string, foreground: boolean, owners: OwnerReference[] = []): GraphNode => ({
  uid,
  kind: configMaps,
  namespace: 'default',
  name: uid,
  owners,
  deleting: foreground,
  foreground,
  orphan: false,
})
const [a, b] = [ref('a'), ref('b')]
const idle = dependent('d', false)
const waiting = dependent('d', true)
test.each<[string, OwnerReference[], OwnerState[], GraphNode[], string[], DeletionPlan]>([
  ['no owners', [], [], [], [], { type: 'keep' }],
  ['one solid', [a], ['solid'], [], [], { type: 'keep' }],
  ['one solid, one gone', [a, b], ['solid', 'absent'], [], [], { type: 'dropOwners', uids: ['b'] }],
  ['one solid, one waiting', [a, b], ['solid', 'waiting'], [idle], [], { type: 'dropOwners', uids: ['b'] }],
  ['all gone', [a, b], ['absent', 'absent'], [], [], { type: 'delete', policy: 'Background', unblock: false }],
  ['all gone, wants to orphan', [a], ['absent'], [], ['orphan'], { type: 'delete', policy: 'Orphan', unblock: false }],
  ['all gone, wants foreground', [a], ['absent'], [], ['foregroundDeletion'], { type: 'delete', policy: 'Foreground', unblock: false }],
  ['waited for, without dependents', [a], ['waiting'], [], [], { type: 'delete', policy: 'Background', unblock: false }],
  ['waited for, with dependents', [a], ['waiting'], [idle], [], { type: 'delete', policy: 'Foreground', unblock: false }],
  ['waited for, in a cycle', [a], ['waiting'], [waiting], [], { type: 'delete', policy: 'Foreground', unblock: true }],
  ['one gone, one waiting', [a, b], ['absent', 'waiting'], [idle], [], { type: 'delete', policy: 'Foreground', unblock: false }],
])('an object whose owners are: %s', (_name, owners, states, dependents, finalizers, plan) => {
  const byUid = new Map(owners.map((owner, i) => [owner.uid, states[i] as OwnerState]))
  expect(planDeletion(owners, byUid, { dependents, finalizers })).toEqual(plan)
})

test('only dependents that ask for it block, and nobody blocks itself', () => {
  const block = (uid: string): OwnerReference => ref('owner', { uid, blockOwnerDeletion: true })
  const owner = dependent('owner', true, [block('owner')])
  const found = blockingDependents(owner, [
    dependent('a', false, [block('owner')]),
    dependent('b', false, [ref('owner')]),
    dependent('c', false, [block('else')]),
    owner,
  ])
  expect(names(found)).toEqual(['a'])
})
