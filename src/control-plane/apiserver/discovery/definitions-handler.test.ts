import { expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import { requestInfo } from '../authz/request-info.ts'
import { createDefinitionsHandler, isDefinition } from './definitions-handler.ts'

const handler = createDefinitionsHandler(() => BUILT_IN_KINDS)
const PATH = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'

async function ask(path: string, method: 'GET' | 'POST' = 'GET'): Promise<any> {
  const info = requestInfo({ method, path })
  expect(isDefinition(info)).toBe(true)
  const { body } = await handler({ method, path, info, user: { name: 'a', groups: [] } })
  return body.type === 'object' ? body.value : undefined
}

test('there is one definition for each kind of Gateway API, all of one release and channel', async () => {
  const { kind, items } = await ask(PATH)
  expect(kind).toBe('CustomResourceDefinitionList')
  expect(items.map((item: any) => item.metadata.name).toSorted()).toEqual([
    'backendtlspolicies.gateway.networking.k8s.io',
    'gatewayclasses.gateway.networking.k8s.io',
    'gateways.gateway.networking.k8s.io',
    'grpcroutes.gateway.networking.k8s.io',
    'httproutes.gateway.networking.k8s.io',
    'listenersets.gateway.networking.k8s.io',
    'referencegrants.gateway.networking.k8s.io',
    'tcproutes.gateway.networking.k8s.io',
    'tlsroutes.gateway.networking.k8s.io',
  ])
  const releases = items.map((item: any) => Object.values(item.metadata.annotations).join(' '))
  expect(new Set(releases)).toEqual(new Set(['v1.7.0 standard']))
})

test('a definition names its versions, the stored one first, and its scope', async () => {
  const { spec, status } = await ask(`${PATH}/gatewayclasses.gateway.networking.k8s.io`)
  expect(spec).toMatchObject({
    group: 'gateway.networking.k8s.io',
    scope: 'Cluster',
    names: { kind: 'GatewayClass', listKind: 'GatewayClassList' },
  })
  expect(spec.versions.map(({ name, storage }: any) => [name, storage])).toEqual([
    ['v1', true],
    ['v1beta1', false],
  ])
  expect(status.storedVersions).toEqual(['v1'])
})

test('what is not there is not found, and nothing can be written', async () => {
  await expect(ask(`${PATH}/pods.`)).rejects.toThrow('customresourcedefinitions.apiextensions.k8s.io "pods." not found')
  await expect(ask(PATH, 'POST')).rejects.toThrow('can only be read')
})
