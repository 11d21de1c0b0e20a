import { expect, test } from 'vitest'
import type { NamedMeta } from '../api/meta/object.ts'
import {
  allOf,
  annotationsChanged,
  anyOf,
  deletionStarted,
  generationChanged,
  labelsChanged,
  resourceVersionChanged,
  type Predicate,
} from './predicates.ts'

const of = (metadata: Partial<NamedMeta>): { metadata: NamedMeta } => ({ metadata: { name: 'a', ...metadata } })
const never: Predicate = () => false

test.each<[string, boolean, boolean]>([
  ['a new generation', generationChanged(of({ generation: 2 }), of({ generation: 1 })), true],
  ['the same generation', generationChanged(of({ generation: 1, labels: { a: 'b' } }), of({ generation: 1 })), false],
  ['an add', generationChanged(of({})), true],
  ['a relist', resourceVersionChanged(of({ resourceVersion: '5' }), of({ resourceVersion: '5' })), false],
  ['a newer revision', resourceVersionChanged(of({ resourceVersion: '6' }), of({ resourceVersion: '5' })), true],
  ['another label value', labelsChanged(of({ labels: { a: '2' } }), of({ labels: { a: '1' } })), true],
  ['another label name', labelsChanged(of({ labels: { b: '1' } }), of({ labels: { a: '1' } })), true],
  ['a label less', labelsChanged(of({}), of({ labels: { a: '1' } })), true],
  ['equal labels', labelsChanged(of({ labels: { a: '1' } }), of({ labels: { a: '1' } })), false],
  ['another annotation', annotationsChanged(of({ annotations: { a: '1' } }), of({})), true],
  ['the beginning of a deletion', deletionStarted(of({ deletionTimestamp: 't' }), of({})), true],
  ['its going on', deletionStarted(of({ deletionTimestamp: 't' }), of({ deletionTimestamp: 't' })), false],
  ['any of', anyOf(never, generationChanged)(of({})), true],
  ['all of', allOf(never, generationChanged)(of({})), false],
])('%s', (_what, got, want) => expect(got).toBe(want))
