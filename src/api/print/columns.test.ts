import { expect, test } from 'vitest'
import { BUILT_IN_KINDS } from '../registry.ts'
import { formatLabelSelector, tableColumns } from './columns.ts'

const NOW = Date.parse('2026-01-01T01:00:00Z')
const MADE = '2026-01-01T00:00:00Z'

function table(kind: string, object: object, group?: string): Record<string, unknown> {
  const definition = BUILT_IN_KINDS.find((one) => one.kind === kind && (group === undefined || one.group === group))!
  const whole = { metadata: { name: 'x', namespace: 'ns', creationTimestamp: MADE, ...(object as { metadata?: object }).metadata } }
  const columns = tableColumns(definition)
  return Object.fromEntries(columns.map((column) => [column.name, column.value({ ...object, ...whole }, NOW)]))
}

const template = {
  metadata: { labels: { app: 'x' } },
  spec: {
    containers: [
      { name: 'a', image: 'ia' },
      { name: 'b', image: 'ib' },
    ],
  },
}
const selector = { matchLabels: { app: 'x' }, matchExpressions: [{ key: 'tier', operator: 'In', values: ['b', 'a'] }] }
const wide = { Containers: 'a,b', Images: 'ia,ib', Selector: 'app=x,tier in (a,b)' }

const rows: [string, object, object][] = [
  [
    'Deployment',
    { spec: { replicas: 3, selector, template }, status: { readyReplicas: 2, updatedReplicas: 3, availableReplicas: 1 } },
    { Name: 'x', Ready: '2/3', 'Up-to-date': 3, Available: 1, Age: '60m', ...wide },
  ],
  [
    'ReplicaSet',
    { spec: { replicas: 3, selector, template }, status: { replicas: 2 } },
    { Name: 'x', Desired: 3, Current: 2, Ready: 0, Age: '60m', ...wide },
  ],
  [
    'StatefulSet',
    { spec: { replicas: 3, template }, status: { readyReplicas: 1 } },
    { Name: 'x', Ready: '1/3', Age: '60m', Containers: 'a,b', Images: 'ia,ib' },
  ],
  [
    'DaemonSet',
    { spec: { selector, template }, status: { desiredNumberScheduled: 2, currentNumberScheduled: 2, numberReady: 1, numberAvailable: 1 } },
    { Name: 'x', Desired: 2, Current: 2, Ready: 1, 'Up-to-date': 0, Available: 1, 'Node Selector': '<none>', Age: '60m', ...wide },
  ],
  [
    'Service',
    {
      spec: {
        type: 'NodePort',
        clusterIPs: ['10.0.0.1'],
        ports: [
          { port: 80, nodePort: 30080, protocol: 'TCP' },
          { port: 53, protocol: 'UDP' },
        ],
        selector: { b: '2', a: '1' },
      },
    },
    {
      Name: 'x',
      Type: 'NodePort',
      'Cluster-IP': '10.0.0.1',
      'External-IP': '<none>',
      'Port(s)': '80:30080/TCP,53/UDP',
      Age: '60m',
      Selector: 'a=1,b=2',
    },
  ],
  [
    'Node',
    {
      metadata: { labels: { 'node-role.kubernetes.io/worker': '', 'node-role.kubernetes.io/edge': '' } },
      spec: { unschedulable: true },
      status: {
        conditions: [{ type: 'Ready', status: 'True' }],
        addresses: [{ type: 'InternalIP', address: '10.0.0.2' }],
        nodeInfo: { kubeletVersion: 'v1.34.0', osImage: 'Debian' },
      },
    },
    {
      Name: 'x',
      Status: 'Ready,SchedulingDisabled',
      Roles: 'edge,worker',
      Age: '60m',
      Version: 'v1.34.0',
      'Internal-IP': '10.0.0.2',
      'External-IP': '<none>',
      'OS-Image': 'Debian',
      'Kernel-Version': '<unknown>',
      'Container-Runtime': '<unknown>',
    },
  ],
  ['Namespace', { status: { phase: 'Active' } }, { Name: 'x', Status: 'Active', Age: '60m' }],
  ['ConfigMap', { data: { a: '1' }, binaryData: { b: '' } }, { Name: 'x', Data: 2, Age: '60m' }],
  ['Secret', { type: 'Opaque', data: { a: '' } }, { Name: 'x', Type: 'Opaque', Data: 1, Age: '60m' }],
  ['ServiceAccount', {}, { Name: 'x', Secrets: 0, Age: '60m' }],
  [
    'Endpoints',
    { subsets: [{ addresses: ['1', '2', '3', '4'].map((last) => ({ ip: `10.0.0.${last}` })), ports: [{ port: 80 }] }] },
    { Name: 'x', Endpoints: '10.0.0.1:80,10.0.0.2:80,10.0.0.3:80 + 1 more...', Age: '60m' },
  ],
  [
    'EndpointSlice',
    { addressType: 'IPv4', ports: [{ port: 80 }, { name: 'x' }], endpoints: [{ addresses: ['10.0.0.1'] }] },
    { Name: 'x', AddressType: 'IPv4', Ports: '80,x', Endpoints: '10.0.0.1', Age: '60m' },
  ],
  [
    'Job',
    { spec: { completions: 3, template, selector }, status: { succeeded: 1, startTime: '2026-01-01T00:50:00Z' } },
    { Name: 'x', Status: 'Running', Completions: '1/3', Duration: '10m', Age: '60m', ...wide },
  ],
  [
    'CronJob',
    {
      spec: { schedule: '* * * * *', suspend: false, jobTemplate: { spec: { template } } },
      status: { active: [{}], lastScheduleTime: '2026-01-01T00:59:00Z' },
    },
    {
      Name: 'x',
      Schedule: '* * * * *',
      Timezone: '<none>',
      Suspend: 'False',
      Active: 1,
      'Last Schedule': '60s',
      Age: '60m',
      Containers: 'a,b',
      Images: 'ia,ib',
      Selector: '<none>',
    },
  ],
  [
    'HorizontalPodAutoscaler',
    {
      spec: {
        scaleTargetRef: { kind: 'Deployment', name: 'web' },
        minReplicas: 1,
        maxReplicas: 5,
        metrics: [
          { type: 'Resource', resource: { name: 'cpu', target: { averageUtilization: 80 } } },
          { type: 'Pods', pods: { target: { averageValue: '10' } } },
          { type: 'External', external: { target: { value: '1' } } },
        ],
      },
      status: { currentReplicas: 2, currentMetrics: [{ type: 'Resource', resource: { current: { averageUtilization: 42 } } }] },
    },
    {
      Name: 'x',
      Reference: 'Deployment/web',
      Targets: 'cpu: 42%/80%, <unknown>/10 + 1 more...',
      MinPods: '1',
      MaxPods: 5,
      Replicas: 2,
      Age: '60m',
    },
  ],
  [
    'Ingress',
    {
      spec: { ingressClassName: 'nginx', rules: [{ host: 'a.b' }, { host: 'c.d' }], tls: [{}] },
      status: { loadBalancer: { ingress: [{ ip: '10.0.0.9' }] } },
    },
    { Name: 'x', Class: 'nginx', Hosts: 'a.b,c.d', Address: '10.0.0.9', Ports: '80, 443', Age: '60m' },
  ],
  ['IngressClass', { spec: { controller: 'acme.io/foo' } }, { Name: 'x', Controller: 'acme.io/foo', Parameters: '<none>', Age: '60m' }],
  ['NetworkPolicy', { spec: { podSelector: {} } }, { Name: 'x', 'Pod-Selector': '<none>', Age: '60m' }],
  [
    'PodDisruptionBudget',
    { spec: { minAvailable: '50%' }, status: { disruptionsAllowed: 1 } },
    { Name: 'x', 'Min Available': '50%', 'Max Unavailable': 'N/A', 'Allowed Disruptions': 1, Age: '60m' },
  ],
  ['Lease', { spec: { holderIdentity: 'me' } }, { Name: 'x', Holder: 'me', Age: '60m' }],
  ['ClusterRole', {}, { Name: 'x', 'Created At': MADE }],
  [
    'RoleBinding',
    {
      roleRef: { kind: 'Role', name: 'r' },
      subjects: [
        { kind: 'User', name: 'u1' },
        { kind: 'User', name: 'u2' },
        { kind: 'ServiceAccount', name: 's', namespace: 'n' },
      ],
    },
    { Name: 'x', Role: 'Role/r', Age: '60m', Users: 'u1, u2', Groups: '', ServiceAccounts: 'n/s' },
  ],
  [
    'PersistentVolume',
    {
      spec: {
        capacity: { storage: '1Gi' },
        accessModes: ['ReadWriteMany', 'ReadWriteOnce'],
        persistentVolumeReclaimPolicy: 'Retain',
        claimRef: { namespace: 'n', name: 'c' },
        storageClassName: 'fast',
        volumeMode: 'Filesystem',
      },
      status: { phase: 'Bound' },
    },
    {
      Name: 'x',
      Capacity: '1Gi',
      'Access Modes': 'RWO,RWX',
      'Reclaim Policy': 'Retain',
      Status: 'Bound',
      Claim: 'n/c',
      StorageClass: 'fast',
      VolumeAttributesClass: '<unset>',
      Reason: '',
      Age: '60m',
      VolumeMode: 'Filesystem',
    },
  ],
  [
    'PersistentVolumeClaim',
    { spec: { volumeName: 'v' }, status: { phase: 'Bound', capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'] } },
    {
      Name: 'x',
      Status: 'Bound',
      Volume: 'v',
      Capacity: '1Gi',
      'Access Modes': 'RWO',
      StorageClass: '',
      VolumeAttributesClass: '<unset>',
      Age: '60m',
      VolumeMode: '<unset>',
    },
  ],
  [
    'StorageClass',
    { metadata: { annotations: { 'storageclass.kubernetes.io/is-default-class': 'true' } }, provisioner: 'p' },
    {
      Name: 'x (default)',
      Provisioner: 'p',
      ReclaimPolicy: 'Delete',
      VolumeBindingMode: 'Immediate',
      AllowVolumeExpansion: false,
      Age: '60m',
    },
  ],
  [
    'CertificateSigningRequest',
    {
      spec: { signerName: 's', username: 'u', expirationSeconds: 3600 },
      status: { conditions: [{ type: 'Approved', status: 'True' }], certificate: 'x' },
    },
    { Name: 'x', Age: '60m', SignerName: 's', Requestor: 'u', RequestedDuration: '60m', Condition: 'Approved,Issued' },
  ],
  ['PriorityClass', { value: 7 }, { Name: 'x', Value: 7, 'Global-Default': false, Age: '60m', PreemptionPolicy: '' }],
  [
    'ResourceQuota',
    { status: { hard: { pods: '5', 'limits.cpu': '2', 'requests.cpu': '1' }, used: { pods: '3' } } },
    { Name: 'x', Request: 'pods: 3/5, requests.cpu: 0/1', Limit: 'limits.cpu: 0/2', Age: '60m' },
  ],
  [
    'ReplicationController',
    { spec: { selector: { a: 'b' }, template } },
    { Name: 'x', Desired: 0, Current: 0, Ready: 0, Age: '60m', ...wide, Selector: 'a=b' },
  ],
  ['PodTemplate', { template }, { Name: 'x', Containers: 'a,b', Images: 'ia,ib', 'Pod Labels': 'app=x' }],
  ['RuntimeClass', { handler: 'h' }, { Name: 'x', Handler: 'h', Age: '60m' }],
  ['ClusterNetworkPolicy', { spec: { tier: 'Admin', priority: 5 } }, { Name: 'x', Tier: 'Admin', Priority: '5', Age: '60m' }],
  [
    'ImageRecipe',
    { spec: { images: ['*redis:*'], command: ['redis-server'] } },
    { Name: 'x', Images: '*redis:*', Command: 'redis-server', Age: '60m', Priority: 0 },
  ],
]

test.each(rows)('the row of a %s, in the order of the columns', (kind, object, row) => {
  const got = table(kind, object)
  expect(got).toEqual(row)
  expect(Object.keys(got)).toEqual(Object.keys(row))
})

test.each([
  ['', { involvedObject: { kind: 'Pod', name: 'p', fieldPath: 'spec' }, message: 'm\n', source: { component: 'kubelet', host: 'n' } }],
  [
    'events.k8s.io',
    { regarding: { kind: 'Pod', name: 'p', fieldPath: 'spec' }, note: 'm\n', deprecatedSource: { component: 'kubelet', host: 'n' } },
  ],
])('an event is shown alike in group %j', (group, parts) => {
  const times = group === '' ? { lastTimestamp: '2026-01-01T00:59:00Z', firstTimestamp: MADE, count: 3 } : {}
  const later = group === '' ? {} : { deprecatedLastTimestamp: '2026-01-01T00:59:00Z', deprecatedFirstTimestamp: MADE, deprecatedCount: 3 }
  expect(table('Event', { type: 'Warning', reason: 'Failed', ...parts, ...times, ...later }, group)).toEqual({
    'Last Seen': '60s',
    Type: 'Warning',
    Reason: 'Failed',
    Object: 'pod/p',
    Subobject: 'spec',
    Source: 'kubelet, n',
    Message: 'm',
    'First Seen': '60m',
    Count: 3,
    Name: 'x',
  })
})

test('a series tells when an event was last seen and how often', () => {
  const event = { eventTime: MADE, series: { count: 9, lastObservedTime: '2026-01-01T00:58:00.000000Z' } }
  expect(table('Event', event, '')).toMatchObject({ 'Last Seen': '2m', 'First Seen': '60m', Count: 9 })
})

test('the address of a load balancer is pending until there is one', () => {
  const spec = { type: 'LoadBalancer' }
  expect(table('Service', { spec })).toMatchObject({ 'External-IP': '<pending>', 'Port(s)': '<none>' })
  const status = { loadBalancer: { ingress: [{ ip: '10.0.0.2' }, { hostname: 'a.b' }] } }
  expect(table('Service', { spec: { ...spec, externalIPs: ['10.0.0.1'] }, status })).toMatchObject({
    'External-IP': '10.0.0.2,a.b,10.0.0.1',
  })
})

test('every column can be computed for an object that has metadata alone', () => {
  for (const kind of BUILT_IN_KINDS) {
    for (const column of tableColumns(kind)) {
      expect(() => column.value({ metadata: { name: 'x' } } as never, NOW), `${kind.kind} ${column.name}`).not.toThrow()
    }
  }
})

test('selectors are shown sorted by key', () => {
  const expressions = [
    { key: 'z', operator: 'DoesNotExist' },
    { key: 'b', operator: 'Exists' },
    { key: 'c', operator: 'NotIn', values: ['2', '1'] },
  ]
  expect(formatLabelSelector({ matchLabels: { d: '4' }, matchExpressions: expressions })).toBe('b,c notin (1,2),d=4,!z')
  expect(formatLabelSelector({ matchExpressions: [{ key: 'a', operator: 'Near' }] })).toBe('<error>')
  expect(formatLabelSelector(undefined)).toBe('<none>')
})
