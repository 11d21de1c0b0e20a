import { describe, expect, test } from 'vitest'
import { deployments } from '../apps/v1/deployment.ts'
import { pods } from '../core/v1/pod.ts'
import type { KindDefinition } from '../kind.ts'
import { BUILT_IN_KINDS } from '../registry.ts'
import { gvkOfSchemaName, openApiDocument, openApiHash, openApiIndex, type OpenApiDocument } from './index.ts'

interface Operation {
  readonly operationId: string
  readonly parameters?: readonly { readonly name: string; readonly in: string }[]
  readonly requestBody?: { readonly content: Readonly<Record<string, unknown>> }
  readonly 'x-kubernetes-action': string
  readonly 'x-kubernetes-group-version-kind': object
}

const paths = Object.keys(openApiIndex(BUILT_IN_KINDS).paths)
const documents = new Map<string, OpenApiDocument>()
for (const path of paths) documents.set(path, (await openApiDocument(path, BUILT_IN_KINDS)) as OpenApiDocument)
const documentAt = (path: string): OpenApiDocument => documents.get(path) as OpenApiDocument
const scalable: KindDefinition = {
  ...(deployments as KindDefinition),
  status: true,
  scale: { specReplicasPath: '.spec.replicas', statusReplicasPath: '.status.replicas' },
}
const operations = (document: OpenApiDocument): [string, Operation][] =>
  Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => method !== 'parameters')
      .map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation as Operation]),
  )

describe('the index', () => {
  test('names one document per group version', () => {
    expect(paths).toEqual([...paths].sort())
    for (const kind of BUILT_IN_KINDS)
      expect(paths).toContain(kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`)
  })

  test('carries a hash that is the same each time and follows the kinds', () => {
    expect(openApiIndex([pods])).toEqual({
      paths: { 'api/v1': { serverRelativeURL: `/openapi/v3/api/v1?hash=${openApiHash('api/v1', [pods])}` } },
    })
    expect(openApiHash('apis/apps/v1', [deployments, pods])).toBe(openApiHash('apis/apps/v1', [deployments]))
    expect(openApiHash('apis/apps/v1', [scalable])).not.toBe(openApiHash('apis/apps/v1', [{ ...scalable, status: false }]))
    expect(openApiHash('api/v1', [pods])).toMatch(/^[0-9A-F]{32}$/)
  })

  test('there is no document where nothing is served', async () => {
    expect(await openApiDocument('apis/nothing/v1', BUILT_IN_KINDS)).toBeUndefined()
  })
})

describe.each(paths)('%s', (path) => {
  const document = documentAt(path)
  const kinds = BUILT_IN_KINDS.filter((kind) => path === (kind.group === '' ? `api/${kind.version}` : `apis/${kind.group}/${kind.version}`))

  test('is JSON in which every $ref leads somewhere and every schema is used', () => {
    const text = JSON.stringify(document)
    const refs = new Set([...text.matchAll(/"\$ref":"#\/components\/schemas\/([^"]+)"/g)].map((match) => match[1] as string))
    const present = Object.keys(document.components.schemas)
    expect([...refs].filter((ref) => !present.includes(ref))).toEqual([])
    expect(present.filter((name) => !refs.has(name) && !name.startsWith('io.k8s.apimachinery.'))).toEqual([])
    expect(JSON.parse(text)).toEqual(document)
  })

  test('describes each kind, with its group and version', () => {
    for (const { group, version, kind, schema } of kinds) {
      for (const [name, of] of [
        [schema, kind],
        [`${schema}List`, `${kind}List`],
      ] as const) {
        expect(document.components.schemas[name ?? '']).toMatchObject({ 'x-kubernetes-group-version-kind': [{ group, version, kind: of }] })
        expect(document.components.schemas[name ?? '']).toHaveProperty('description')
      }
    }
  })

  test('operation ids are unique, and every path variable is declared', () => {
    const all = operations(document)
    const ids = all.map(([, operation]) => operation.operationId)
    expect(ids.filter((id, index) => ids.indexOf(id) !== index)).toEqual([])
    for (const [template, item] of Object.entries(document.paths)) {
      const shared = item['parameters'] as { name: string; in: string }[]
      const declared = shared.filter((parameter) => parameter.in === 'path').map((parameter) => parameter.name)
      expect(new Set(declared)).toEqual(new Set([...template.matchAll(/\{(\w+)\}/g)].map((match) => match[1])))
    }
  })
})

describe('what kubectl looks for', () => {
  const patchOf = async (path: string): Promise<Operation> => {
    const document = (await openApiDocument('apis/apps/v1', [scalable])) as OpenApiDocument
    return (document.paths[path] as { patch: Operation }).patch
  }
  const object = '/apis/apps/v1/namespaces/{namespace}/deployments/{name}'

  test.each(['', '/status'])('PATCH of a deployment%s', async (subresource) => {
    const patch = await patchOf(`${object}${subresource}`)
    expect(patch).toMatchObject({
      'x-kubernetes-action': 'patch',
      'x-kubernetes-group-version-kind': { group: 'apps', version: 'v1', kind: 'Deployment' },
    })
    expect(Object.keys(patch.requestBody?.content ?? {}).sort()).toEqual([
      'application/apply-patch+yaml',
      'application/json-patch+json',
      'application/merge-patch+json',
      'application/strategic-merge-patch+json',
    ])
    expect(patch.parameters?.map((parameter) => parameter.name).sort()).toEqual(['dryRun', 'fieldManager', 'fieldValidation', 'force'])
  })

  test('PATCH of a scale is of kind Scale', async () => {
    expect(await patchOf(`${object}/scale`)).toMatchObject({
      operationId: 'patchAppsV1NamespacedDeploymentScale',
      'x-kubernetes-group-version-kind': { group: 'autoscaling', version: 'v1', kind: 'Scale' },
    })
  })

  test('verbs, and the paths of all namespaces', async () => {
    const document = (await openApiDocument('api/v1', [{ ...pods, status: false, verbs: ['get', 'list', 'watch'] }])) as OpenApiDocument
    expect(operations(document).map(([name, operation]) => `${name} ${operation['x-kubernetes-action']}`)).toEqual([
      'get /api/v1/namespaces/{namespace}/pods list',
      'get /api/v1/namespaces/{namespace}/pods/{name} get',
      'post /api/v1/namespaces/{namespace}/pods/{name}/binding post',
      'get /api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers get',
      'put /api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers put',
      'patch /api/v1/namespaces/{namespace}/pods/{name}/ephemeralcontainers patch',
      'post /api/v1/namespaces/{namespace}/pods/{name}/eviction post',
      'get /api/v1/namespaces/{namespace}/pods/{name}/log get',
      'get /api/v1/pods list',
    ])
  })

  test('merge keys, list types, enums, defaults and descriptions in the schemas', () => {
    const { schemas } = documentAt('api/v1').components
    expect(schemas['io.k8s.api.core.v1.PodSpec']).toMatchObject({
      required: ['containers'],
      properties: {
        containers: {
          type: 'array',
          items: { $ref: '#/components/schemas/io.k8s.api.core.v1.Container' },
          'x-kubernetes-list-map-keys': ['name'],
          'x-kubernetes-list-type': 'map',
          'x-kubernetes-patch-merge-key': 'name',
          'x-kubernetes-patch-strategy': 'merge',
        },
        volumes: { 'x-kubernetes-patch-strategy': 'merge,retainKeys' },
        nodeSelector: { type: 'object', additionalProperties: { type: 'string' }, 'x-kubernetes-map-type': 'atomic' },
        restartPolicy: { type: 'string', enum: ['Always', 'OnFailure', 'Never'], default: 'Always' },
        securityContext: { allOf: [{ $ref: '#/components/schemas/io.k8s.api.core.v1.PodSecurityContext' }], default: {} },
        hostname: { type: 'string', description: expect.stringContaining('hostname of the Pod') },
        activeDeadlineSeconds: { type: 'integer', format: 'int64' },
      },
    })
    expect(schemas['io.k8s.api.core.v1.ServicePort']).toMatchObject({
      properties: { targetPort: { allOf: [{ $ref: '#/components/schemas/io.k8s.apimachinery.pkg.util.intstr.IntOrString' }] } },
    })
    expect(schemas['io.k8s.apimachinery.pkg.util.intstr.IntOrString']).toMatchObject({ format: 'int-or-string' })
    expect(schemas['io.k8s.api.core.v1.ConfigMapKeySelector']).toMatchObject({ 'x-kubernetes-map-type': 'atomic' })
  })
})

test.each([
  ['io.k8s.api.core.v1.Pod', { group: '', version: 'v1', kind: 'Pod' }],
  ['io.k8s.api.rbac.v1.RoleList', { group: 'rbac.authorization.k8s.io', version: 'v1', kind: 'RoleList' }],
  ['io.k8s.apimachinery.pkg.apis.meta.v1.Status', { group: '', version: 'v1', kind: 'Status' }],
  [
    'io.k8s.api.networkpolicy.v1alpha2.ClusterNetworkPolicy',
    { group: 'policy.networking.k8s.io', version: 'v1alpha2', kind: 'ClusterNetworkPolicy' },
  ],
  ['dev.biplane.v1alpha1.ImageRecipe', { group: 'biplane.dev', version: 'v1alpha1', kind: 'ImageRecipe' }],
  [
    'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.CustomResourceDefinition',
    { group: 'apiextensions.k8s.io', version: 'v1', kind: 'CustomResourceDefinition' },
  ],
  ['io.k8s.apimachinery.pkg.version.Info', undefined],
])('group, version and kind of %s', (name, want) => {
  expect(gvkOfSchemaName(name)).toEqual(want)
})
