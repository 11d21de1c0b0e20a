import { expect, test } from 'vitest'
import type { Deployment, ReplicaSet } from '../../../api/generated/types.ts'
import { findNewSet, sameTemplate, setAnnotations, setsToForget } from './revisions.ts'

const template = (image: string, labels: Record<string, string> = {}): NonNullable<Deployment['spec']>['template'] => ({
  metadata: { labels: { app: 'web', ...labels } },
  spec: { containers: [{ name: 'c', image }] },
})
const deployment = (more: Partial<NonNullable<Deployment['spec']>> = {}, annotations: Record<string, string> = {}): Deployment => ({
  metadata: { name: 'web', annotations },
  spec: { selector: {}, template: template('v1'), ...more },
})
const set = (
  name: string,
  revision: number,
  { replicas = 0, left = 0, image = 'v1', created = '2026-01-01T00:00:00Z', observed = 1, history = '' } = {},
): ReplicaSet => ({
  metadata: {
    name,
    generation: 1,
    creationTimestamp: created,
    annotations: {
      'deployment.kubernetes.io/revision': String(revision),
      ...(history ? { 'deployment.kubernetes.io/revision-history': history } : {}),
    },
  },
  spec: { replicas, selector: {}, template: template(image, { 'pod-template-hash': 'x' }) },
  status: { replicas: left, observedGeneration: observed },
})

test('templates are equal but for the hash label', () => {
  expect(sameTemplate(template('v1'), template('v1', { 'pod-template-hash': 'abc' }))).toBe(true)
  expect(sameTemplate(template('v1'), template('v2'))).toBe(false)
  expect(sameTemplate(template('v1'), template('v1', { tier: 'a' }))).toBe(false)
})

test('of several sets with the template the oldest is the new one', () => {
  const sets = [set('b', 2, { created: '2026-01-02T00:00:00Z' }), set('a', 1), set('c', 3, { image: 'v2' })]
  expect(findNewSet(deployment(), sets)?.metadata.name).toBe('a')
  expect(findNewSet(deployment({ template: template('v3') }), sets)).toBeUndefined()
})

test('annotations: inherited but for our own, with the revision and those it replaced', () => {
  const wanted = deployment(
    {},
    { note: 'x', 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'deployment.kubernetes.io/revision': '7' },
  )
  expect(setAnnotations(wanted, undefined, 3)).toEqual({ note: 'x', 'deployment.kubernetes.io/revision': '3' })
  expect(setAnnotations(wanted, set('a', 3), 3)).toEqual({ note: 'x', 'deployment.kubernetes.io/revision': '3' })
  expect(setAnnotations(wanted, set('a', 1), 3)).toMatchObject({
    'deployment.kubernetes.io/revision': '3',
    'deployment.kubernetes.io/revision-history': '1',
  })
  expect(setAnnotations(wanted, set('a', 3, { history: '1' }), 5)).toMatchObject({
    'deployment.kubernetes.io/revision': '5',
    'deployment.kubernetes.io/revision-history': '1,3',
  })
  // never back
  expect(setAnnotations(wanted, set('a', 9), 5)).toMatchObject({ 'deployment.kubernetes.io/revision': '9' })
})

test.each<[string, number | undefined, ReplicaSet[], string[]]>([
  ['oldest revisions first', 1, [set('c', 3), set('a', 1), set('b', 2)], ['a', 'b']],
  ['ten are kept by default', undefined, Array.from({ length: 12 }, (_, i) => set(`s${i}`, i)), ['s0', 's1']],
  ['none', 0, [set('a', 1)], ['a']],
  [
    'what still has pods, or has not said so, stays and counts',
    1,
    [set('a', 1, { left: 1 }), set('b', 2, { observed: 0 }), set('c', 3)],
    [],
  ],
  ['what is not empty stays', 0, [set('a', 1, { replicas: 2 })], []],
])('history: %s', (_name, limit, old, gone) => {
  expect(
    setsToForget(deployment(limit === undefined ? {} : { revisionHistoryLimit: limit }), old).map(({ metadata }) => metadata.name),
  ).toEqual(gone)
})
