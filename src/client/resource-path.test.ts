import { expect, test } from 'vitest'
import { deployments } from '../api/apps/v1/deployment.ts'
import { namespaces } from '../api/core/v1/namespace.ts'
import { pods } from '../api/core/v1/pod.ts'
import { clusterRoles } from '../api/rbac/v1/cluster-role.ts'
import { resourcePath } from './resource-path.ts'

test.each([
  [resourcePath(pods), '/api/v1/pods'],
  [resourcePath(pods, { namespace: 'a' }), '/api/v1/namespaces/a/pods'],
  [resourcePath(pods, { namespace: 'a', name: 'b', subresource: 'status' }), '/api/v1/namespaces/a/pods/b/status'],
  [resourcePath(deployments, { namespace: 'a', name: 'b' }), '/apis/apps/v1/namespaces/a/deployments/b'],
  [resourcePath(namespaces, { namespace: 'ignored', name: 'b' }), '/api/v1/namespaces/b'],
  [resourcePath(clusterRoles, { name: 'system:node' }), '/apis/rbac.authorization.k8s.io/v1/clusterroles/system%3Anode'],
])('%s', (got, want) => expect(got).toBe(want))

test.each([
  ['a name without namespace', { name: 'b' }],
  ['an empty name', { namespace: 'a', name: '' }],
])('refuses %s', (_what, target) => {
  expect(() => resourcePath(pods, target)).toThrow(expect.objectContaining({ reason: 'BadRequest' }))
})
