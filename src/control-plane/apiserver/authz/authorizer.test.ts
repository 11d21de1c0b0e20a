import { expect, test } from 'vitest'
import type { Pod } from '../../../api/generated/types.ts'
import type { UserInfo } from '../contract.ts'
import { createAuthorizer, refusal } from './authorizer.ts'
import { requestInfo } from './request-info.ts'

const PODS: Pod[] = [
  {
    metadata: { name: 'web', namespace: 'd' },
    spec: {
      nodeName: 'n1',
      serviceAccountName: 'robot',
      imagePullSecrets: [{ name: 'pull' }],
      containers: [
        {
          name: 'c',
          envFrom: [{ configMapRef: { name: 'env' } }],
          env: [{ name: 'A', valueFrom: { secretKeyRef: { name: 'key', key: 'k' } } }],
        },
      ],
      initContainers: [{ name: 'i', envFrom: [{ secretRef: { name: 'early' } }] }],
      volumes: [
        { name: 'a', configMap: { name: 'files' } },
        { name: 'b', projected: { sources: [{ secret: { name: 'part' } }, { configMap: { name: 'part' } }] } },
      ],
    },
  },
]
const authorizer = createAuthorizer({
  podsOfNode: (node) => (node === 'n1' ? PODS : []),
  peerSecrets: () => new Set(['kube-system/bgp']),
  requestorOf: (name) => Promise.resolve(name === 'mine' ? 'system:node:n1' : 'system:bootstrap:abcdef'),
})

const USERS: Record<string, UserInfo> = {
  master: { name: 'admin', groups: ['system:masters', 'system:authenticated'] },
  node: { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
  other: { name: 'system:node:n2', groups: ['system:nodes', 'system:authenticated'] },
  pretender: { name: 'system:node:n1', groups: ['system:authenticated'] },
  joining: { name: 'system:bootstrap:abcdef', groups: ['system:bootstrappers', 'system:authenticated'] },
  robot: { name: 'system:serviceaccount:d:robot', groups: ['system:serviceaccounts', 'system:authenticated'] },
  anonymous: { name: 'system:anonymous', groups: ['system:unauthenticated'] },
}

async function who(line: string): Promise<string[]> {
  const [method = '', target = ''] = line.split(' ')
  const [path = '', query = ''] = target.split('?')
  const info = requestInfo({ method, path, query: Object.fromEntries(new URLSearchParams(query)) })
  const allowed = []
  for (const [key, user] of Object.entries(USERS)) if ((await authorizer.authorize(user, info)).allowed) allowed.push(key)
  return allowed
}

const AUTHENTICATED = ['master', 'node', 'other', 'pretender', 'joining', 'robot']
const NODES = ['master', 'node', 'other']
const SELF = ['master', 'node']
const LEASE = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
const CSR = '/apis/certificates.k8s.io/v1/certificatesigningrequests'

test.each<[string, string[]]>([
  ['GET /apis/routing.biplane.dev/v1alpha1/bgppeers', NODES],
  ['GET /apis/routing.biplane.dev/v1alpha1/routepolicies', NODES],
  ['PATCH /apis/routing.biplane.dev/v1alpha1/bgppeers/tor/status', NODES],
  ['PATCH /apis/routing.biplane.dev/v1alpha1/bgppeers/tor', ['master']],
  ['PUT /apis/routing.biplane.dev/v1alpha1/routers/default/status', ['master']],
  ['GET /api/v1/namespaces/kube-system/secrets/bgp', NODES],
  ['GET /api/v1/namespaces/kube-system/secrets/other', ['master']],
  ['GET /api/v1/namespaces/kube-system/secrets', ['master']],
  ['GET /healthz', [...AUTHENTICATED, 'anonymous']],
  ['GET /readyz/store', [...AUTHENTICATED, 'anonymous']],
  ['GET /version', [...AUTHENTICATED, 'anonymous']],
  ['GET /api', AUTHENTICATED],
  ['GET /apis/apps/v1', AUTHENTICATED],
  ['GET /openapi/v3', AUTHENTICATED],
  ['GET /apisx', ['master']],
  ['POST /api', ['master']],
  ['GET /metrics', ['master']],
  ['POST /apis/authorization.k8s.io/v1/selfsubjectaccessreviews', AUTHENTICATED],
  ['POST /apis/authorization.k8s.io/v1/subjectaccessreviews', ['master']],
  ['POST /apis/authentication.k8s.io/v1/tokenreviews', ['master']],
  // nodes
  ['GET /api/v1/nodes', NODES],
  ['GET /api/v1/nodes/n2', NODES],
  ['POST /api/v1/nodes', NODES],
  ['PUT /api/v1/nodes/n1', SELF],
  ['PATCH /api/v1/nodes/n1/status', SELF],
  ['PATCH /api/v1/nodes/n1/proxy', ['master']],
  ['DELETE /api/v1/nodes/n1', ['master']],
  ['DELETE /api/v1/nodes', ['master']],
  [`POST ${LEASE}`, NODES],
  [`PUT ${LEASE}/n1`, SELF],
  [`GET ${LEASE}`, ['master']],
  ['PUT /apis/coordination.k8s.io/v1/namespaces/kube-system/leases/n1', ['master']],
  // pods
  ['GET /api/v1/pods?fieldSelector=spec.nodeName%3Dn1', SELF],
  ['GET /api/v1/pods?watch=true&fieldSelector=spec.nodeName%3Dn1', SELF],
  ['GET /api/v1/pods?watch=true&fieldSelector=metadata.name!%3Dx%5C,spec.nodeName%3Dn1', ['master']],
  ['GET /api/v1/watch/pods', ['master']],
  ['GET /api/v1/pods', ['master']],
  ['GET /api/v1/namespaces/d/pods/web', SELF],
  ['GET /api/v1/namespaces/d/pods/db', ['master']],
  ['GET /api/v1/namespaces/e/pods/web', ['master']],
  ['PATCH /api/v1/namespaces/d/pods/web/status', SELF],
  ['PATCH /api/v1/namespaces/d/pods/web', ['master']],
  ['DELETE /api/v1/namespaces/d/pods/web', SELF],
  ['DELETE /api/v1/namespaces/d/pods', ['master']],
  ['POST /api/v1/namespaces/d/pods', ['master']],
  ['POST /api/v1/namespaces/d/pods/web/binding', ['master']],
  ['GET /api/v1/namespaces/d/pods/web/log', ['master']],
  // what its pods refer to
  ['GET /api/v1/namespaces/d/configmaps/env', SELF],
  ['GET /api/v1/namespaces/d/configmaps/files', SELF],
  ['GET /api/v1/namespaces/d/configmaps/part', SELF],
  ['GET /api/v1/namespaces/d/configmaps/kube-root-ca.crt', SELF],
  ['GET /api/v1/namespaces/d/configmaps?watch=true&fieldSelector=metadata.name%3Denv', SELF],
  ['GET /api/v1/namespaces/d/configmaps', ['master']],
  ['GET /api/v1/namespaces/kube-system/configmaps?watch=true&fieldSelector=metadata.name%3Dbiplane-dns', NODES],
  ['PUT /api/v1/namespaces/kube-system/configmaps/biplane-dns', ['master']],
  ['GET /api/v1/namespaces/e/configmaps/env', ['master']],
  ['PUT /api/v1/namespaces/d/configmaps/env', ['master']],
  ['GET /api/v1/namespaces/d/secrets/key', SELF],
  ['GET /api/v1/namespaces/d/secrets/early', SELF],
  ['GET /api/v1/namespaces/d/secrets/pull', SELF],
  ['GET /api/v1/namespaces/d/secrets/part', SELF],
  ['GET /api/v1/namespaces/d/secrets/env', ['master']],
  ['GET /api/v1/namespaces/d/serviceaccounts/robot', SELF],
  ['POST /api/v1/namespaces/d/serviceaccounts/robot/token', SELF],
  ['POST /api/v1/namespaces/d/serviceaccounts/default/token', ['master']],
  // what every node needs
  ['GET /api/v1/services?watch=true', NODES],
  ['GET /apis/discovery.k8s.io/v1/endpointslices', NODES],
  ['GET /apis/biplane.dev/v1alpha1/imagerecipes', NODES],
  ['POST /api/v1/services', ['master']],
  ['POST /api/v1/namespaces/d/events', NODES],
  ['PATCH /api/v1/namespaces/d/events/x', NODES],
  ['GET /api/v1/events', ['master']],
  // certificates
  [`POST ${CSR}`, [...NODES, 'joining']],
  [`GET ${CSR}/mine`, SELF],
  [`GET ${CSR}/theirs`, ['master', 'joining']],
  [`GET ${CSR}`, ['master']],
  [`PUT ${CSR}/mine/approval`, ['master']],
])('%s: %j', async (line, allowed) => {
  expect(await who(line)).toEqual(allowed)
})

test('a refusal says who may not do what', () => {
  const user = USERS['robot'] as UserInfo
  const info = requestInfo({ method: 'GET', path: '/apis/apps/v1/namespaces/d/deployments/web/scale' })
  expect(refusal(user, info, '').message).toBe(
    'deployments.apps "web" is forbidden: User "system:serviceaccount:d:robot" cannot get resource "deployments/scale" in API group "apps" in the namespace "d"',
  )
  expect(refusal(user, requestInfo({ method: 'GET', path: '/metrics' }), 'no').message).toBe(
    'forbidden: User "system:serviceaccount:d:robot" cannot get path "/metrics": no',
  )
})

test('where nodes judge packets, they see the pods of all nodes, and no more of them than that', async () => {
  const judging = createAuthorizer({ podsOfNode: () => [], seesAllPods: true })
  const may = async (method: string, path: string): Promise<boolean> =>
    (await judging.authorize(USERS['node'] as UserInfo, requestInfo({ method, path, query: {} }))).allowed
  expect(await may('GET', '/api/v1/pods')).toBe(true)
  expect(await may('GET', '/api/v1/namespaces/d/pods/web')).toBe(false)
  expect(await may('DELETE', '/api/v1/namespaces/d/pods/web')).toBe(false)
})
