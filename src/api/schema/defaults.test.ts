import { describe, expect, test } from 'vitest'
import { admit, applyDefaults, resolveSchema, type Schema } from './index.ts'

const schemaOf = (name: string): Schema => {
  const schema = resolveSchema(`io.k8s.api.${name}`)
  if (!schema) throw new Error(`no schema ${name}`)
  return schema
}
const podSpecDefaults = {
  dnsPolicy: 'ClusterFirst',
  restartPolicy: 'Always',
  schedulerName: 'default-scheduler',
  securityContext: {},
  terminationGracePeriodSeconds: 30,
}
const containerDefaults = { resources: {}, terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File' }
const podSpec = () => ({ containers: [{ name: 'c', image: 'nginx' }] })
const fullPodSpec = { ...podSpecDefaults, containers: [{ name: 'c', image: 'nginx', ...containerDefaults }] }
const template = () => ({ metadata: { labels: { app: 'x' } }, spec: podSpec() })
const fullTemplate = { metadata: { labels: { app: 'x' } }, spec: fullPodSpec }
const selector = { matchLabels: { app: 'x' } }

// exactly what upstream's API server adds to a minimal object, less what depends on other fields (strategies set that)
const minimal: readonly [string, object, object][] = [
  ['core.v1.Pod', { spec: podSpec() }, { spec: { ...fullPodSpec, enableServiceLinks: true } }],
  [
    'apps.v1.Deployment',
    { spec: { selector, template: template() } },
    {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        progressDeadlineSeconds: 600,
        strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '25%', maxUnavailable: '25%' } },
        selector,
        template: fullTemplate,
      },
    },
  ],
  ['apps.v1.ReplicaSet', { spec: { selector, template: template() } }, { spec: { replicas: 1, selector, template: fullTemplate } }],
  [
    'apps.v1.DaemonSet',
    { spec: { selector, template: template() } },
    {
      spec: {
        revisionHistoryLimit: 10,
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: 0, maxUnavailable: 1 } },
        selector,
        template: fullTemplate,
      },
    },
  ],
  [
    'apps.v1.StatefulSet',
    { spec: { selector, template: template(), volumeClaimTemplates: [{ spec: { accessModes: ['ReadWriteOnce'] } }] } },
    {
      spec: {
        replicas: 1,
        revisionHistoryLimit: 10,
        podManagementPolicy: 'OrderedReady',
        persistentVolumeClaimRetentionPolicy: { whenDeleted: 'Retain', whenScaled: 'Retain' },
        updateStrategy: { type: 'RollingUpdate', rollingUpdate: { partition: 0 } },
        volumeClaimTemplates: [
          { spec: { accessModes: ['ReadWriteOnce'], volumeMode: 'Filesystem', resources: {} }, status: { phase: 'Pending' } },
        ],
        selector,
        template: fullTemplate,
      },
    },
  ],
  [
    'batch.v1.Job',
    { spec: { template: template() } },
    {
      spec: {
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        completions: 1,
        parallelism: 1,
        podReplacementPolicy: 'TerminatingOrFailed',
        suspend: false,
        template: fullTemplate,
      },
    },
  ],
  [
    'batch.v1.CronJob',
    { spec: { schedule: '* * * * *', jobTemplate: { spec: { template: template() } } } },
    {
      spec: {
        concurrencyPolicy: 'Allow',
        failedJobsHistoryLimit: 1,
        successfulJobsHistoryLimit: 3,
        suspend: false,
        schedule: '* * * * *',
        jobTemplate: { spec: { template: fullTemplate } },
      },
    },
  ],
  [
    'core.v1.Service',
    { spec: { ports: [{ port: 80 }] } },
    {
      spec: { internalTrafficPolicy: 'Cluster', ports: [{ port: 80, protocol: 'TCP' }], sessionAffinity: 'None', type: 'ClusterIP' },
      status: { loadBalancer: {} },
    },
  ],
  ['core.v1.Secret', {}, { type: 'Opaque' }],
  ['core.v1.Namespace', {}, { spec: {}, status: { phase: 'Active' } }],
  ['core.v1.ConfigMap', { data: {} }, { data: {} }],
  [
    'core.v1.PersistentVolume',
    { spec: { hostPath: { path: '/x' } } },
    {
      spec: { hostPath: { path: '/x', type: '' }, persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' },
      status: { phase: 'Pending' },
    },
  ],
  ['networking.v1.NetworkPolicy', { spec: {} }, { spec: { podSelector: {}, policyTypes: ['Ingress'] } }],
  ['discovery.v1.EndpointSlice', { ports: [{ port: 1 }] }, { endpoints: [], ports: [{ name: '', port: 1, protocol: 'TCP' }] }],
  ['scheduling.v1.PriorityClass', { value: 1 }, { value: 1, preemptionPolicy: 'PreemptLowerPriority' }],
  ['storage.v1.StorageClass', { provisioner: 'x' }, { provisioner: 'x', reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' }],
]

describe('a minimal object gets exactly upstream’s defaults', () => {
  test.each(minimal)('%s', (name, value, want) => {
    const alone = structuredClone(value)
    applyDefaults(schemaOf(name), alone)
    expect(alone).toEqual(want)
    const { value: admitted, errors, unknown } = admit(schemaOf(name), structuredClone(value), { unknownFields: 'strict' })
    expect({ admitted, errors, unknown }).toEqual({ admitted: want, errors: [], unknown: [] })
  })
})

// [schema, given, what is expected of it at least]
const conditional: readonly [string, string, object, object][] = [
  ['recreate needs no rolling update', 'apps.v1.DeploymentStrategy', { type: 'Recreate' }, { type: 'Recreate' }],
  [
    'half of a rolling update',
    'apps.v1.DeploymentStrategy',
    { rollingUpdate: { maxSurge: 1 } },
    { type: 'RollingUpdate', rollingUpdate: { maxSurge: 1, maxUnavailable: '25%' } },
  ],
  ['on delete needs no partition', 'apps.v1.StatefulSetUpdateStrategy', { type: 'OnDelete' }, { type: 'OnDelete' }],
  [
    'an explicit rolling update stays as written',
    'apps.v1.StatefulSetUpdateStrategy',
    { type: 'RollingUpdate' },
    { type: 'RollingUpdate' },
  ],
  [
    'a work queue has no completions',
    'batch.v1.Job',
    { spec: { parallelism: 3 } },
    {
      spec: { parallelism: 3, backoffLimit: 6, completionMode: 'NonIndexed', suspend: false, podReplacementPolicy: 'TerminatingOrFailed' },
    },
  ],
  [
    'completions alone',
    'batch.v1.Job',
    { spec: { completions: 3 } },
    {
      spec: {
        completions: 3,
        parallelism: 1,
        backoffLimit: 6,
        completionMode: 'NonIndexed',
        suspend: false,
        podReplacementPolicy: 'TerminatingOrFailed',
      },
    },
  ],
  [
    'a limit per index lifts the limit',
    'batch.v1.Job',
    { spec: { completions: 1, parallelism: 1, backoffLimitPerIndex: 2, podFailurePolicy: { rules: [] } } },
    {
      spec: {
        completions: 1,
        parallelism: 1,
        backoffLimitPerIndex: 2,
        podFailurePolicy: { rules: [] },
        backoffLimit: 2147483647,
        completionMode: 'NonIndexed',
        suspend: false,
        podReplacementPolicy: 'Failed',
      },
    },
  ],
  [
    'load balancers',
    'core.v1.ServiceSpec',
    { type: 'LoadBalancer' },
    {
      type: 'LoadBalancer',
      sessionAffinity: 'None',
      externalTrafficPolicy: 'Cluster',
      internalTrafficPolicy: 'Cluster',
      allocateLoadBalancerNodePorts: true,
    },
  ],
  ['external names', 'core.v1.ServiceSpec', { type: 'ExternalName' }, { type: 'ExternalName', sessionAffinity: 'None' }],
  [
    'client affinity',
    'core.v1.ServiceSpec',
    { sessionAffinity: 'ClientIP' },
    {
      type: 'ClusterIP',
      internalTrafficPolicy: 'Cluster',
      sessionAffinity: 'ClientIP',
      sessionAffinityConfig: { clientIP: { timeoutSeconds: 10800 } },
    },
  ],
  [
    'egress rules imply the egress type',
    'networking.v1.NetworkPolicySpec',
    { egress: [{}] },
    { egress: [{}], podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
  ],
  [
    'zero probe periods are absent',
    'core.v1.Probe',
    { periodSeconds: 0, httpGet: { port: 1 } },
    { timeoutSeconds: 1, periodSeconds: 10, successThreshold: 1, failureThreshold: 3, httpGet: { port: 1, path: '/', scheme: 'HTTP' } },
  ],
  ['zero replicas are meant', 'apps.v1.ReplicaSetSpec', { replicas: 0 }, { replicas: 0 }],
  ['empty strings are absent', 'core.v1.ContainerPort', { protocol: '' }, { protocol: 'TCP' }],
  [
    'users belong to a group',
    'rbac.v1.Subject',
    { kind: 'User', name: 'jo' },
    { kind: 'User', name: 'jo', apiGroup: 'rbac.authorization.k8s.io' },
  ],
  ['service accounts do not', 'rbac.v1.Subject', { kind: 'ServiceAccount', name: 'jo' }, { kind: 'ServiceAccount', name: 'jo' }],
  [
    'autoscaling watches the processor',
    'autoscaling.v2.HorizontalPodAutoscalerSpec',
    { maxReplicas: 3, metrics: [] },
    {
      minReplicas: 1,
      maxReplicas: 3,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
    },
  ],
  [
    'one scaling rule brings the other',
    'autoscaling.v2.HorizontalPodAutoscalerBehavior',
    { scaleDown: { stabilizationWindowSeconds: 5 } },
    {
      scaleDown: { stabilizationWindowSeconds: 5, selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [
          { type: 'Pods', value: 4, periodSeconds: 15 },
          { type: 'Percent', value: 100, periodSeconds: 15 },
        ],
      },
    },
  ],
  [
    'volumes',
    'core.v1.Volume',
    { secret: {}, projected: { sources: [{ serviceAccountToken: { path: 't' } }] } },
    {
      secret: { defaultMode: 420 },
      projected: { defaultMode: 420, sources: [{ serviceAccountToken: { path: 't', expirationSeconds: 3600 } }] },
    },
  ],
  ['field references', 'core.v1.EnvVarSource', { fieldRef: { fieldPath: 'x' } }, { fieldRef: { fieldPath: 'x', apiVersion: 'v1' } }],
]

describe('defaults that look at their neighbours', () => {
  test.each(conditional)('%s', (_, name, value, want) => {
    expect(admit(schemaOf(name), structuredClone(value)).value).toEqual(want)
  })
})

test('defaults are copies: changing one object leaves the next alone', () => {
  const behavior = (): { scaleUp: { policies: { value: number }[] } } => {
    const value = {} as { scaleUp: { policies: { value: number }[] } }
    applyDefaults(schemaOf('autoscaling.v2.HorizontalPodAutoscalerBehavior'), value)
    return value
  }
  const first = behavior()
  first.scaleUp.policies[0]!.value = 99
  first.scaleUp.policies.length = 1
  expect(behavior().scaleUp.policies).toEqual([
    { type: 'Pods', value: 4, periodSeconds: 15 },
    { type: 'Percent', value: 100, periodSeconds: 15 },
  ])
})
