import { expect, test } from 'vitest'
import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import { services } from '../../api/core/v1/service.ts'
import type { Pod, Secret } from '../../api/generated/types.ts'
import type { KindDefinition } from '../../api/kind.ts'
import { references } from '../../control-plane/apiserver/authz/pod-references.ts'
import { podInfo } from '../../control-plane/scheduler/pod-info.ts'
import { Interner } from './interner.ts'
import { leanPod, leanTransforms } from './lean-objects.ts'

function pod(name: string, nodeName = 'n1', more: object = {}): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid: `uid-${name}`,
      resourceVersion: '7',
      generateName: 'web-',
      labels: { app: 'web' },
      annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', 'controller.kubernetes.io/pod-deletion-cost': '5' },
      ownerReferences: [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'web', uid: 'set', controller: true }],
    },
    spec: {
      nodeName,
      containers: [
        {
          name: 'main',
          image: 'host',
          envFrom: [{ secretRef: { name: 'passwords' } }],
          resources: { requests: { cpu: '250m', memory: '64Mi' } },
          ports: [{ name: 'http', containerPort: 80, hostPort: 8080 }],
          volumeMounts: [{ name: `token-${name}`, mountPath: '/token' }],
        },
      ],
      volumes: [{ name: `token-${name}`, projected: { sources: [{ configMap: { name: 'ca' } }] } }],
      ...more,
    },
    status: {
      phase: 'Running',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      conditions: [
        { type: 'Initialized', status: 'True' },
        { type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' },
      ],
      containerStatuses: [{ name: 'main', image: 'host', imageID: 'x', containerID: `c-${name}`, ready: true, restartCount: 3 }],
    },
  } as unknown as Pod
}

test('what controllers, scheduler and authorizer read of a pod is as before', () => {
  const lean = leanPod(pod('web-1'), new Interner())
  const whole = pod('web-1')
  for (const resource of ['configmaps', 'secrets', 'serviceaccounts'])
    expect(references(lean, resource)).toEqual(references(whole, resource))
  const { pod: _lean, ...info } = { ...describe(podInfo(lean)), pod: lean }
  expect(info).toEqual(describe(podInfo(whole)))
  expect(lean.metadata).toMatchObject({
    name: 'web-1',
    namespace: 'default',
    uid: 'uid-web-1',
    resourceVersion: '7',
    labels: { app: 'web' },
  })
  expect(lean.metadata.ownerReferences).toEqual(whole.metadata.ownerReferences)
  expect(lean.metadata.annotations).toEqual({ 'controller.kubernetes.io/pod-deletion-cost': '5' })
  expect(lean.spec?.nodeName).toBe('n1')
  expect(lean.status).toMatchObject({ phase: 'Running', podIP: '10.0.0.1', podIPs: [{ ip: '10.0.0.1' }] })
  expect(lean.status?.conditions).toEqual([{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }])
  expect(lean.status?.containerStatuses).toEqual([{ name: 'main', ready: true, restartCount: 3 }])
})

const describe = ({
  uid,
  key,
  priority,
  requests,
  nonZero,
  hostPorts,
  tolerations,
  group,
  signature,
}: ReturnType<typeof podInfo>): object => ({
  uid,
  key,
  priority,
  requests,
  nonZero,
  hostPorts,
  tolerations,
  group,
  signature,
})

test('pods of one template on different nodes share what is equal, and nothing of it can be changed', () => {
  const share = new Interner()
  const [one, two] = [leanPod(pod('web-1', 'n1'), share), leanPod(pod('web-2', 'n2'), share)]
  expect(one.spec?.nodeName).toBe('n1')
  expect(two.spec?.nodeName).toBe('n2')
  expect(two.spec?.containers).toBe(one.spec?.containers)
  expect(two.spec?.volumes).toBe(one.spec?.volumes)
  expect(two.metadata.labels).toBe(one.metadata.labels)
  expect(two.metadata.ownerReferences).toBe(one.metadata.ownerReferences)
  expect(podInfo(two).requests).toBe(podInfo(one).requests)
  expect(() => Object.assign(one.spec?.containers[0] ?? {}, { image: 'other' })).toThrow(TypeError)
})

test('a sibling that differs keeps its difference', () => {
  const share = new Interner()
  leanPod(pod('web-1'), share)
  const other = leanPod(pod('web-2', 'n1', { tolerations: [{ operator: 'Exists' }], overhead: { cpu: '1' } }), share)
  expect(other.spec?.tolerations).toEqual([{ operator: 'Exists' }])
  expect(podInfo(other).requests.cpuMillis).toBe(1250)
  // and does not change what the first is taken for
  expect(leanPod(pod('web-3'), share).spec?.tolerations).toBeUndefined()
})

test('a pod without node, owner or status, and one with an integer beyond 2^53, pass', () => {
  const share = new Interner()
  const bare = leanPod({ metadata: { name: 'bare', namespace: 'default' }, spec: { containers: [] } } as unknown as Pod, share)
  expect(JSON.parse(JSON.stringify(bare))).toEqual({ metadata: { name: 'bare', namespace: 'default' }, spec: { containers: [] } })
  const big = leanPod(pod('web-1', 'n1', { securityContext: { runAsUser: 2n ** 60n } }), share)
  expect(big.spec?.nodeName).toBe('n1')
  expect(big.spec?.securityContext).toEqual({ runAsUser: 2n ** 60n })
})

test('of a secret the data is left out; other kinds are kept whole', () => {
  const transformOf = leanTransforms()
  const secret = { metadata: { name: 's', finalizers: ['f'] }, type: 'Opaque', data: { password: 'c2VjcmV0' } } as unknown as Secret
  expect(transformOf(secrets as unknown as KindDefinition)?.(secret)).toEqual({
    metadata: { name: 's', finalizers: ['f'] },
    type: 'Opaque',
  })
  expect(transformOf(pods as unknown as KindDefinition)).toBeTypeOf('function')
  expect(transformOf(services as unknown as KindDefinition)).toBeUndefined()
})
