import { expect, test } from 'vitest'
import { validateObjectMeta, validateObjectMetaUpdate } from './object-meta.ts'

const lines = (errors: readonly { field: string; message: string }[]): string[] =>
  errors.map(({ field, message }) => `${field}: ${message}`)
const check = (meta: object, rules: object = {}): string[] =>
  lines(validateObjectMeta({ namespace: 'ns', name: 'x', ...meta }, { namespaced: true, ...rules }))

const owner = { apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'u' }

test.each([
  ['plain', {}, []],
  ['no name', { name: undefined }, ['metadata.name: Required value: name or generateName is required']],
  ['no namespace', { namespace: undefined }, ['metadata.namespace: Required value']],
  ['negative generation', { generation: -1 }, ['metadata.generation: Invalid value: -1: must be greater than or equal to 0']],
  ['annotations in capitals', { annotations: { 'Example.com/A': '' } }, []],
  [
    'too many annotations',
    { annotations: { a: 'x'.repeat(262144) } },
    ['metadata.annotations: Too long: may not be more than 262144 bytes'],
  ],
  [
    'a finalizer without domain',
    { finalizers: ['mine'] },
    ['metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified'],
  ],
  ['the finalizers of Kubernetes', { finalizers: ['foregroundDeletion', 'a.b/c'] }, []],
  [
    'two propagation finalizers',
    { finalizers: ['orphan', 'foregroundDeletion'] },
    ['metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set'],
  ],
  ['an owner', { ownerReferences: [owner] }, []],
  [
    'an owner without uid',
    { ownerReferences: [{ ...owner, uid: '' }] },
    ['metadata.ownerReferences[0].uid: Required value: must not be empty'],
  ],
  [
    'an owner of no version',
    { ownerReferences: [{ ...owner, apiVersion: 'a/b/c' }] },
    ['metadata.ownerReferences[0].apiVersion: Invalid value: "a/b/c": must be <group>/<version> or <version>'],
  ],
])('%s', (_name, meta, errors) => {
  expect(check(meta)).toEqual(errors)
})

test('an object has one controller', () => {
  const both = [
    { ...owner, controller: true },
    { ...owner, name: 's', controller: true },
  ]
  const [error] = check({ ownerReferences: both })
  expect(error).toContain(
    'Only one reference can have Controller set to true. Found "true" in references for ReplicaSet/r and ReplicaSet/s',
  )
})

test('the name follows the rule of the kind', () => {
  expect(check({ name: 'a.b' }, { nameRule: 'label' })).toHaveLength(1)
  expect(check({ name: 'system:a' }, { nameRule: 'path' })).toEqual([])
  expect(check({ generateName: 'Web-' })).toHaveLength(1)
  expect(lines(validateObjectMeta({ name: 'x', namespace: 'ns' }, { namespaced: false }))).toEqual([
    'metadata.namespace: Forbidden: not allowed on this type',
  ])
})

test('an update keeps who the object is', () => {
  const previous = { name: 'x', namespace: 'ns', uid: 'u', generation: 2, deletionTimestamp: 'now', finalizers: ['a.b/c'] }
  const update = (change: object): string[] => lines(validateObjectMetaUpdate({ ...previous, ...change }, previous, { namespaced: true }))
  expect(update({ labels: { a: 'b' } })).toEqual([])
  expect(update({ name: 'y' })).toEqual(['metadata.name: Invalid value: "y": field is immutable'])
  expect(update({ generation: 1 })).toEqual(['metadata.generation: Invalid value: 1: must not be decremented'])
  expect(update({ finalizers: [] })).toEqual([])
  expect(update({ finalizers: ['a.b/c', 'd.e/f'] })).toEqual([
    'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"d.e/f"}',
  ])
})
