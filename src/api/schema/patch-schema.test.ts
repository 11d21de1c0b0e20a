import { expect, test } from 'vitest'
import { patchSchemaOf, propertyAt, resolveSchema, type Schema } from './index.ts'

// `*` steps into a list or a map
function at(schemaName: string, path: string): { mergeKey: string | undefined; strategies: readonly string[] } | undefined {
  let schema = patchSchemaOf(schemaName)
  for (const step of path.split('.')) schema = step === '*' ? schema?.items() : schema?.property(step)
  return schema && { mergeKey: schema.mergeKey, strategies: schema.strategies }
}

const pod = 'io.k8s.api.core.v1.Pod'
const deployment = 'io.k8s.api.apps.v1.Deployment'
const cases: readonly [string, string, readonly string[], string | undefined][] = [
  [pod, 'spec.containers', ['merge'], 'name'],
  [pod, 'spec.containers.*.ports', ['merge'], 'containerPort'],
  [pod, 'spec.containers.*.env', ['merge'], 'name'],
  [pod, 'spec.containers.*.volumeMounts', ['merge'], 'mountPath'],
  [pod, 'spec.containers.*.args', [], undefined],
  [pod, 'spec.volumes', ['merge', 'retainKeys'], 'name'],
  [pod, 'spec.tolerations', [], undefined],
  [pod, 'spec.nodeSelector', [], undefined],
  [pod, 'spec.nodeSelector.anything', [], undefined],
  [pod, 'metadata.finalizers', ['merge'], undefined],
  [pod, 'metadata.ownerReferences', ['merge'], 'uid'],
  [pod, 'status.conditions', ['merge'], 'type'],
  [deployment, 'spec.strategy', ['retainKeys'], undefined],
  [deployment, 'spec.template.spec.imagePullSecrets', ['merge'], 'name'],
  ['io.k8s.api.core.v1.Service', 'spec.ports', ['merge'], 'port'],
  ['io.k8s.api.core.v1.ServiceAccount', 'secrets', ['merge'], 'name'],
  ['io.k8s.api.policy.v1.PodDisruptionBudget', 'spec.selector', ['replace'], undefined],
]
test.each(cases)('%s %s', (name, path, strategies, mergeKey) => {
  expect(at(name, path)).toEqual({ mergeKey, strategies })
})

test('where nothing is known there is no schema', () => {
  expect(patchSchemaOf('io.k8s.api.core.v1.Nothing')).toBeUndefined()
  expect(at(pod, 'spec.nothing')).toBeUndefined()
  expect(at(pod, 'spec.*')).toBeUndefined()
  expect(at('io.k8s.api.apps.v1.ControllerRevision', 'data.spec')).toBeUndefined()
})

test('server-side apply finds list types and map keys', () => {
  const schema = resolveSchema(deployment) as Schema
  const path = (text: string) => propertyAt(schema, text.split('.'))
  expect(path('spec.template.spec.containers.ports')).toMatchObject({ listType: 'map', listMapKeys: ['containerPort', 'protocol'] })
  expect(path('spec.template.spec.tolerations')).toMatchObject({ listType: 'atomic' })
  expect(path('metadata.finalizers')).toMatchObject({ listType: 'set' })
  expect(path('spec.template.spec.nodeSelector')).toMatchObject({ mapType: 'atomic' })
  expect(path('spec.selector')?.schema).toMatchObject({ atomic: true })
  expect(path('spec.nothing')).toBeUndefined()
})
