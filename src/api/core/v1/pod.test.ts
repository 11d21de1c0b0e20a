import { describe, expect, test } from 'vitest'
import type { Pod } from '../../generated/types.ts'
import { created, refusals, updateRefusals } from '../../validation/create-as-server.ts'
import { isLatestImage } from './pod-defaults.ts'
import { pods } from './pod.ts'

const container = { name: 'c', image: 'nginx:1.29' }

function pod(spec: object = {}, metadata: object = {}): object {
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'web', ...metadata }, spec: { containers: [container], ...spec } }
}

const withContainer = (parts: object, more: object = {}): object => pod({ containers: [{ ...container, ...parts }], ...more })

test('a pod of two lines gets what upstream fills in', () => {
  const { spec, status } = created(pods, pod())
  expect(status).toEqual({ phase: 'Pending', qosClass: 'BestEffort' })
  expect(spec).toMatchObject({
    restartPolicy: 'Always',
    dnsPolicy: 'ClusterFirst',
    schedulerName: 'default-scheduler',
    serviceAccountName: 'default',
    serviceAccount: 'default',
    enableServiceLinks: true,
    terminationGracePeriodSeconds: 30,
    priority: 0,
    preemptionPolicy: 'PreemptLowerPriority',
    securityContext: {},
    tolerations: [
      { key: 'node.kubernetes.io/not-ready', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
      { key: 'node.kubernetes.io/unreachable', operator: 'Exists', effect: 'NoExecute', tolerationSeconds: 300 },
    ],
    containers: [{ imagePullPolicy: 'IfNotPresent', terminationMessagePath: '/dev/termination-log', resources: {} }],
  })
  expect(refusals(pods, pod())).toEqual([])
})

test.each([
  ['nginx', true],
  ['nginx:latest', true],
  ['localhost:5000/nginx', true],
  ['localhost:5000/nginx:1', false],
  ['nginx@sha256:00', false],
  ['nginx:1@sha256:00', false],
])('image %s is the latest: %s', (image, latest) => {
  expect(isLatestImage(image)).toBe(latest)
})

test('defaults that depend on other fields', () => {
  const object = created(
    pods,
    withContainer(
      { resources: { limits: { cpu: '1', memory: '1Gi' }, requests: { cpu: '500m' } }, ports: [{ containerPort: 80 }] },
      { hostNetwork: true, volumes: [{ name: 'v' }], tolerations: [{ operator: 'Exists' }] },
    ),
  )
  expect(object.spec?.containers[0]?.resources?.requests).toEqual({ cpu: '500m', memory: '1Gi' })
  expect(object.spec?.containers[0]?.ports).toEqual([{ containerPort: 80, hostPort: 80, protocol: 'TCP' }])
  expect(object.spec?.volumes).toEqual([{ name: 'v', emptyDir: {} }])
  expect(object.spec?.tolerations).toEqual([{ operator: 'Exists' }])
  expect(object.status?.qosClass).toBe('Burstable')
})

test('a gated pod says so', () => {
  const { status } = created(pods, pod({ schedulingGates: [{ name: 'a/b' }] }))
  expect(status?.conditions).toMatchObject([{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }])
})

const RANGE = 'must be between 1 and 65535, inclusive'

describe('a pod is refused', () => {
  const cases: [string, object, string[]][] = [
    ['without containers', pod({ containers: [] }), ['spec.containers: Required value']],
    ['without spec', { metadata: { name: 'web' } }, ['spec.containers: Required value']],
    ['without image', pod({ containers: [{ name: 'c' }] }), ['spec.containers[0].image: Required value']],
    ['without name of a container', pod({ containers: [{ image: 'i' }] }), ['spec.containers[0].name: Required value']],
    [
      'with a bad name of a container',
      withContainer({ name: 'A_b' }),
      [
        "spec.containers[0].name: Invalid value: \"A_b\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    ['with two containers of a name', pod({ containers: [container, container] }), ['spec.containers[1].name: Duplicate value: "c"']],
    ['with an init container of that name', pod({ initContainers: [container] }), ['spec.initContainers[0].name: Duplicate value: "c"']],
    [
      'with an image in blanks',
      withContainer({ image: ' i ' }),
      ['spec.containers[0].image: Invalid value: " i ": must not have leading or trailing whitespace'],
    ],
    [
      'with a bad restart policy',
      pod({ restartPolicy: 'Sometimes' }),
      ['spec.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "Never", "OnFailure"'],
    ],
    ['with port 0', withContainer({ ports: [{ containerPort: 0 }] }), ['spec.containers[0].ports[0].containerPort: Required value']],
    [
      'with port 70000',
      withContainer({ ports: [{ containerPort: 70000 }] }),
      [`spec.containers[0].ports[0].containerPort: Invalid value: 70000: ${RANGE}`],
    ],
    [
      'with a port name too long',
      withContainer({ ports: [{ containerPort: 80, name: 'a-very-long-port-name' }] }),
      ['spec.containers[0].ports[0].name: Invalid value: "a-very-long-port-name": must be no more than 15 characters'],
    ],
    [
      'with a port name twice',
      withContainer({
        ports: [
          { containerPort: 80, name: 'http' },
          { containerPort: 81, name: 'http' },
        ],
      }),
      ['spec.containers[0].ports[1].name: Duplicate value: "http"'],
    ],
    [
      'with a host port twice',
      withContainer({
        ports: [
          { containerPort: 80, hostPort: 8080 },
          { containerPort: 81, hostPort: 8080 },
        ],
      }),
      ['spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//8080"'],
    ],
    [
      'with another host port on the host network',
      withContainer({ ports: [{ containerPort: 80, hostPort: 81 }] }, { hostNetwork: true }),
      ['spec.containers[0].ports[0].hostPort: Invalid value: 81: must match `containerPort` when `hostNetwork` is true'],
    ],
    [
      'with a bad name of a variable',
      withContainer({ env: [{ name: 'a=b' }] }),
      [
        'spec.containers[0].env[0].name: Invalid value: "a=b": a valid environment variable name must consist only of printable ASCII characters other than \'=\'',
      ],
    ],
    [
      'with a variable from nowhere',
      withContainer({ env: [{ name: 'A', valueFrom: {} }] }),
      [
        'spec.containers[0].env[0].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      ],
    ],
    [
      'with a variable with value and source',
      withContainer({ env: [{ name: 'A', value: 'x', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } }] }),
      ['spec.containers[0].env[0].valueFrom: Invalid value: "": may not be specified when `value` is not empty'],
    ],
    [
      'with an unknown field of the pod',
      withContainer({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'spec.color' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Invalid value: "spec.color": error converting fieldPath: field label not supported: spec.color',
      ],
    ],
    [
      'with all labels in a variable',
      withContainer({ env: [{ name: 'A', valueFrom: { fieldRef: { fieldPath: 'metadata.labels' } } }] }),
      [
        'spec.containers[0].env[0].valueFrom.fieldRef.fieldPath: Unsupported value: "metadata.labels": supported values: "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"',
      ],
    ],
    [
      'with a mount of no volume',
      withContainer({ volumeMounts: [{ name: 'v', mountPath: '/v' }] }),
      ['spec.containers[0].volumeMounts[0].name: Not found: "v"'],
    ],
    [
      'with two mounts at a path',
      withContainer(
        {
          volumeMounts: [
            { name: 'v', mountPath: '/v' },
            { name: 'v', mountPath: '/v' },
          ],
        },
        { volumes: [{ name: 'v' }] },
      ),
      ['spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/v": must be unique'],
    ],
    [
      'with a sub path that leaves the volume',
      withContainer({ volumeMounts: [{ name: 'v', mountPath: '/v', subPath: '../x' }] }, { volumes: [{ name: 'v' }] }),
      ['spec.containers[0].volumeMounts.subPath: Invalid value: "../x": must not contain \'..\''],
    ],
    [
      'with a volume of two sorts',
      pod({ volumes: [{ name: 'v', emptyDir: {}, hostPath: { path: '/x' } }] }),
      ['spec.volumes[0].hostPath: Forbidden: may not specify more than 1 volume type'],
    ],
    ['with a volume twice', pod({ volumes: [{ name: 'v' }, { name: 'v' }] }), ['spec.volumes[1].name: Duplicate value: "v"']],
    ['with a secret without name', pod({ volumes: [{ name: 'v', secret: {} }] }), ['spec.volumes[0].secret.secretName: Required value']],
    [
      'with file modes in decimal',
      pod({ volumes: [{ name: 'v', configMap: { name: 'm', defaultMode: 644 } }] }),
      ['spec.volumes[0].configMap.defaultMode: Invalid value: 644: must be a number between 0 and 0777 (octal), both inclusive'],
    ],
    [
      'with requests above limits',
      withContainer({ resources: { requests: { cpu: '2' }, limits: { cpu: '1500m' } } }),
      ['spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1500m'],
    ],
    [
      'with a negative request',
      withContainer({ resources: { requests: { memory: '-1' } } }),
      ['spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0'],
    ],
    [
      'with a resource that is none',
      withContainer({ resources: { requests: { color: '1' } } }),
      [
        'spec.containers[0].resources.requests[color]: Invalid value: "color": must be a standard resource type or fully qualified',
        'spec.containers[0].resources.requests[color]: Invalid value: "color": must be a standard resource for containers',
      ],
    ],
    [
      'with half a GPU',
      withContainer({ resources: { limits: { 'nvidia.com/gpu': '500m' } } }),
      [
        'spec.containers[0].resources.limits[nvidia.com/gpu]: Invalid value: "500m": must be an integer',
        'spec.containers[0].resources.requests[nvidia.com/gpu]: Invalid value: "500m": must be an integer',
      ],
    ],
    [
      'with a container that may use more than the pod',
      withContainer({ resources: { limits: { memory: '2Gi' } } }, { resources: { limits: { memory: '1Gi' }, requests: { cpu: '-1' } } }),
      [
        'spec.resources.requests[cpu]: Invalid value: "-1": must be greater than or equal to 0',
        'spec.resources.containers[0][memory].limits: Invalid value: "2Gi": must be less than or equal to pod limits of 1Gi',
      ],
    ],
    [
      'with a probe that does nothing',
      withContainer({ livenessProbe: {} }),
      ['spec.containers[0].livenessProbe: Required value: must specify a handler type'],
    ],
    [
      'with a probe of two sorts',
      withContainer({ readinessProbe: { exec: { command: ['x'] }, tcpSocket: { port: 80 } } }),
      ['spec.containers[0].readinessProbe.tcpSocket: Forbidden: may not specify more than 1 handler type'],
    ],
    [
      'with a liveness probe that must succeed twice',
      withContainer({ livenessProbe: { tcpSocket: { port: 80 }, successThreshold: 2 } }),
      ['spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1'],
    ],
    [
      'with a probe of an init container',
      pod({ initContainers: [{ name: 'i', image: 'i', readinessProbe: { tcpSocket: { port: 80 } } }] }),
      ['spec.initContainers[0].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always'],
    ],
    [
      'with a toleration of everything by equality',
      pod({ tolerations: [{ value: 'x' }] }),
      [
        'spec.tolerations[0].operator: Invalid value: "": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      ],
    ],
    [
      'with seconds of a toleration that never evicts',
      pod({ tolerations: [{ key: 'a', operator: 'Exists', effect: 'NoSchedule', tolerationSeconds: 1 }] }),
      ['spec.tolerations[0].effect: Invalid value: "NoSchedule": effect must be \'NoExecute\' when `tolerationSeconds` is set'],
    ],
    [
      'with affinity to nothing',
      pod({ affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [] } } } }),
      [
        'spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: Required value: must have at least one node selector term',
      ],
    ],
    [
      'with pod affinity of weight 101 without topology',
      pod({
        affinity: {
          podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 101, podAffinityTerm: { topologyKey: 'a' } }] },
        },
      }),
      [
        'spec.affinity.podAffinity.preferredDuringSchedulingIgnoredDuringExecution[0].weight: Invalid value: 101: must be in the range 1-100',
      ],
    ],
    [
      'with a spread constraint of skew 0',
      pod({ topologySpreadConstraints: [{ maxSkew: 0, topologyKey: 'zone', whenUnsatisfiable: 'DoNotSchedule' }] }),
      ['spec.topologySpreadConstraints[0].maxSkew: Invalid value: 0: must be greater than zero'],
    ],
    [
      'with no name server where it wants its own',
      pod({ dnsPolicy: 'None' }),
      ['spec.dnsConfig: Required value: must provide `dnsConfig` when `dnsPolicy` is None'],
    ],
    [
      'with user -1',
      pod({ securityContext: { runAsUser: -1 } }),
      ['spec.securityContext.runAsUser: Invalid value: -1: must be between 0 and 2147483647, inclusive'],
    ],
    [
      'with a deadline of 0',
      pod({ activeDeadlineSeconds: 0 }),
      ['spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive'],
    ],
    [
      'with labels that are none',
      pod({}, { labels: { 'a b': 'c d' } }),
      [
        "metadata.labels: Invalid value: \"a b\": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')",
        "metadata.labels: Invalid value: \"c d\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
      ],
    ],
  ]
  test.each(cases)('%s', (_name, object, errors) => {
    expect(refusals(pods, object)).toEqual(errors)
  })
})

describe('an update of a pod', () => {
  const refused = (change: (stored: Pod) => void, spec: object = {}, subresource = ''): string[] =>
    updateRefusals(pods, pod(spec), change, subresource)

  test('may change images, the deadline downwards and seconds of tolerations, and add tolerations', () => {
    const errors = refused(({ spec }) => {
      spec!.containers[0]!.image = 'nginx:2'
      spec!.activeDeadlineSeconds = 5
      spec!.tolerations![0]!.tolerationSeconds = 10
      spec!.tolerations!.push({ key: 'a', operator: 'Exists' })
    })
    expect(errors).toEqual([])
  })

  test('may change nothing else, and says what was changed', () => {
    const errors = refused(({ spec }) => {
      spec!.nodeName = 'n2'
      spec!.containers[0]!.command = ['x']
    })
    expect(errors).toEqual([
      'spec: Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)\n  changed: containers, nodeName',
    ])
  })

  test('may not add containers, raise the deadline or take tolerations away', () => {
    const added = refused(({ spec }) => spec!.containers.push({ name: 'd', image: 'd' }))
    expect(added).toEqual(['spec.containers: Forbidden: pod updates may not add or remove containers'])
    const raised = refused(({ spec }) => (spec!.activeDeadlineSeconds = 9), { activeDeadlineSeconds: 5 })
    expect(raised).toEqual(['spec.activeDeadlineSeconds: Invalid value: 9: must be less than or equal to previous value'])
    const taken = refused(({ spec }) => spec!.tolerations!.pop())
    expect(taken).toEqual(['spec.tolerations: Forbidden: existing toleration can not be modified except its tolerationSeconds'])
  })

  test('may only open scheduling gates and narrow down a gated pod', () => {
    const gated = { schedulingGates: [{ name: 'a/b' }], nodeSelector: { a: 'b' } }
    expect(refused(({ spec }) => (spec!.nodeSelector!['c'] = 'd'), gated)).toEqual([])
    expect(refused(({ spec }) => (spec!.schedulingGates = []), gated)).toEqual([])
    expect(refused(({ spec }) => (spec!.schedulingGates = [{ name: 'c/d' }]), gated)).toEqual([
      "spec.schedulingGates[0].name: Forbidden: only deletion is allowed, but found new scheduling gate 'c/d'",
    ])
  })

  test('of the status keeps the QoS class and never revives what may not restart', () => {
    expect(refused((stored) => (stored.status = { phase: 'Running' }), {}, 'status')).toEqual([])
    expect(refused((stored) => (stored.status!.qosClass = 'Guaranteed'), {}, 'status')).toEqual([
      'status.qosClass: Invalid value: "Guaranteed": field is immutable',
    ])
  })
})

test.each([
  ['asked', { nodeName: 'n' }, 'Running', 5, 5],
  ['its own', { nodeName: 'n', terminationGracePeriodSeconds: 60 }, 'Running', undefined, 60],
  ['the default', { nodeName: 'n' }, 'Running', undefined, 30],
  ['none where it never ran', {}, 'Pending', 5, 0],
  ['none where it has ended', { nodeName: 'n' }, 'Succeeded', undefined, 0],
  ['one where it is negative', { nodeName: 'n', terminationGracePeriodSeconds: -1 }, 'Running', undefined, 1],
])('the grace period of a deletion is %s', (_name, spec, phase, asked, seconds) => {
  const object = created(pods, pod(spec))
  object.status = { phase }
  expect(pods.strategy!.gracePeriodSeconds!(object, asked)).toBe(seconds)
})

test('what is likely a mistake is warned of', () => {
  const object = created(
    pods,
    withContainer({
      env: [{ name: 'A' }, { name: 'A', value: '$(A):x' }, { name: 'A', value: 'y' }],
      ports: [{ containerPort: 80 }, { containerPort: 80 }],
      resources: { requests: { memory: '100m' } },
    }),
  )
  expect(pods.strategy!.warnings!(object)).toEqual([
    'spec.containers[0].ports[1]: duplicate port definition with spec.containers[0].ports[0]',
    'spec.containers[0].env[2]: hides previous definition of "A", which may be dropped when using apply',
    'spec.containers[0].resources.requests[memory]: fractional byte value "100m" is invalid, must be an integer',
  ])
})
