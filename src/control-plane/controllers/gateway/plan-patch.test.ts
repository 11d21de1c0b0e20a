import { expect, test } from 'vitest'
import { planPatch } from './plan-patch.ts'

const object = (metadata: object, spec: object): { metadata: { name: string }; spec: object } => ({
  metadata: { name: 'x', ...metadata },
  spec,
})

test.each<[string, object, object, object | undefined]>([
  ['the same', object({}, { a: 1 }), object({}, { a: 1 }), undefined],
  [
    'defaults of the server',
    object({ uid: 'u' }, { a: 1, b: { c: 2 }, list: [{ d: 1, e: 2 }] }),
    object({}, { a: 1, list: [{ d: 1 }] }),
    undefined,
  ],
  ['another value', object({}, { a: 1 }), object({}, { a: 2 }), object({}, { a: 2 })],
  ['a longer list', object({}, { list: [1, 2] }), object({}, { list: [1] }), object({}, { list: [1] })],
  [
    'a label that is no longer wanted',
    object({ labels: { a: '1', b: '2' } }, {}),
    object({ labels: { a: '1' } }, {}),
    object({ labels: { a: '1', b: null } }, {}),
  ],
  ['annotations of others', object({ annotations: { a: '1', b: '2' } }, {}), object({ annotations: { a: '1' } }, {}), undefined],
])('%s', (_, present, wanted, patch) => {
  expect(planPatch(present as never, wanted as never)).toEqual(patch)
})
