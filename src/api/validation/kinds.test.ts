import { describe, expect, test } from 'vitest'
import type { KindDefinition } from '../kind.ts'
import { BUILT_IN_KINDS } from '../registry.ts'
import { created, refusals, updateRefusals } from './create-as-server.ts'

function kind(name: string, group?: string): KindDefinition<any> {
  return BUILT_IN_KINDS.find((one) => one.kind === name && (group === undefined || one.group === group))!
}

const named = (object: object, name = 'x'): object => ({ metadata: { name }, ...object })
const CIDR = 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)'
const claim = { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } }
const volume = { capacity: { storage: '1Gi' }, accessModes: ['ReadWriteOnce'], hostPath: { path: '/x' } }
const rule = { verbs: ['get'], apiGroups: [''], resources: ['pods'] }
const backend = { service: { name: 'web', port: { number: 80 } } }
const request = Buffer.from('-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n').toString('base64')
const signing = { request, signerName: 'example.com/x', usages: ['client auth'] }

const creates: [string, object, string[]][] = [
  ['ConfigMap', named({ data: { a: '1' }, binaryData: { b: 'AA==' } }), []],
  ['ConfigMap', named({ data: { '..': '1' } }), ['data[..]: Invalid value: "..": must not be \'..\'']],
  [
    'ConfigMap',
    named({ data: { a: '1' }, binaryData: { a: 'AA==' } }),
    ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
  ],
  ['ConfigMap', named({ data: { a: 'x'.repeat(1048577) } }), ['<nil>: Too long: may not be more than 1048576 bytes']],
  ['Secret', named({ type: 'kubernetes.io/tls', data: { 'tls.crt': '' } }), ['data[tls.key]: Required value']],
  [
    'Secret',
    named({ type: 'kubernetes.io/dockerconfigjson', data: { '.dockerconfigjson': 'AA==' } }),
    ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": must be valid JSON'],
  ],
  ['Secret', named({ type: 'kubernetes.io/basic-auth' }), ['data[username]: Required value', 'data[password]: Required value']],
  [
    'Secret',
    named({ type: 'kubernetes.io/service-account-token' }),
    ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
  ],
  ['Namespace', named({}, 'a.b'), [expect.stringMatching(/^metadata\.name: Invalid value: "a\.b": a lowercase RFC 1123 label/) as never]],
  ['Node', named({ spec: { podCIDR: '10.0.0.0/99' } }), [`spec.podCIDRs[0]: Invalid value: "10.0.0.0/99": ${CIDR}`]],
  [
    'Node',
    named({
      spec: {
        taints: [
          { key: 'a', effect: 'NoSchedule' },
          { key: 'a', effect: 'NoSchedule' },
        ],
      },
    }),
    ['metadata.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule"}: taints must be unique by key and effect pair'],
  ],
  ['Endpoints', named({ subsets: [{ addresses: [{ ip: '10.0.0.1' }], ports: [{ port: 80 }] }] }), []],
  ['Endpoints', named({ subsets: [{}] }), ['subsets[0]: Required value: must specify `addresses` or `notReadyAddresses`']],
  ['EndpointSlice', named({ addressType: 'IPv4', endpoints: [{ addresses: ['10.0.0.1'] }], ports: [{ port: 80 }] }), []],
  [
    'EndpointSlice',
    named({ addressType: 'IPv4', endpoints: [{ addresses: [] }] }),
    ['endpoints[0].addresses: Required value: must contain at least 1 address'],
  ],
  [
    'EndpointSlice',
    named({ addressType: 'IPv4', endpoints: [{ addresses: ['2001:db8::1'] }] }),
    ['endpoints[0].addresses[0]: Invalid value: "2001:db8::1": must be a valid IPv4 address'],
  ],
  ['PersistentVolume', named({ spec: volume }), []],
  ['PersistentVolume', named({ spec: { ...volume, hostPath: undefined } }), ['spec: Required value: must specify a volume type']],
  ['PersistentVolume', named({ spec: { ...volume, capacity: undefined } }), ['spec.capacity: Required value']],
  ['PersistentVolumeClaim', named({ spec: claim }), []],
  [
    'PersistentVolumeClaim',
    named({ spec: {} }),
    ['spec.accessModes: Required value: at least 1 access mode is required', 'spec.resources[storage]: Required value'],
  ],
  ['ResourceQuota', named({ spec: { hard: { pods: '1', 'count/deployments.apps': '2', 'requests.cpu': '1' } } }), []],
  ['ResourceQuota', named({ spec: { hard: { pods: '500m' } } }), ['spec.hard[pods]: Invalid value: "500m": must be an integer']],
  [
    'ResourceQuota',
    named({ spec: { scopes: ['Terminating', 'NotTerminating'] } }),
    ['spec.scopes: Invalid value: ["Terminating","NotTerminating"]: conflicting scopes'],
  ],
  ['LimitRange', named({ spec: { limits: [{ type: 'Container', min: { cpu: '1' }, max: { cpu: '2' } }] } }), []],
  [
    'LimitRange',
    named({ spec: { limits: [{ type: 'Container', min: { cpu: '2' }, max: { cpu: '1' } }] } }),
    ['spec.limits[0].min[cpu]: Invalid value: "2": min value 2 is greater than max value 1'],
  ],
  [
    'LimitRange',
    named({ spec: { limits: [{ type: 'Pod', default: { cpu: '2' } }] } }),
    ["spec.limits[0].default: Forbidden: may not be specified when `type` is 'Pod'"],
  ],
  ['HorizontalPodAutoscaler', named({ spec: { scaleTargetRef: { kind: 'Deployment', name: 'x' }, maxReplicas: 2 } }), []],
  [
    'HorizontalPodAutoscaler',
    named({ spec: { scaleTargetRef: { kind: 'Deployment', name: 'x' }, minReplicas: 3, maxReplicas: 2 } }),
    ['spec.maxReplicas: Invalid value: 2: must be greater than or equal to `minReplicas`'],
  ],
  [
    'HorizontalPodAutoscaler',
    named({ spec: { scaleTargetRef: { kind: 'Deployment', name: 'x' }, maxReplicas: 2, metrics: [{ type: 'Resource' }] } }),
    ['spec.metrics[0].resource: Required value: must populate information for the given metric source'],
  ],
  ['PodDisruptionBudget', named({ spec: { minAvailable: 1, selector: {} } }), []],
  [
    'PodDisruptionBudget',
    named({ spec: { minAvailable: 1, maxUnavailable: 1 } }),
    ['spec: Invalid value: {"minAvailable":1,"maxUnavailable":1}: minAvailable and maxUnavailable cannot be both set'],
  ],
  [
    'PodDisruptionBudget',
    named({ spec: { minAvailable: '120%' } }),
    ['spec.minAvailable: Invalid value: "120%": must not be greater than 100%'],
  ],
  [
    'NetworkPolicy',
    named({ spec: { podSelector: {}, ingress: [{ from: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['10.1.0.0/16'] } }] }] } }),
    [],
  ],
  ['NetworkPolicy', named({ spec: { ingress: [{ from: [{}] }] } }), ['spec.ingress[0].from[0]: Required value: must specify a peer']],
  [
    'NetworkPolicy',
    named({ spec: { egress: [{ to: [{ ipBlock: { cidr: '10.0.0.0/8', except: ['11.0.0.0/8'] } }] }] } }),
    ['spec.egress[0].to[0].ipBlock.except[0]: Invalid value: "11.0.0.0/8": must be a strict subset of `cidr`'],
  ],
  [
    'NetworkPolicy',
    named({ spec: { ingress: [{ ports: [{ port: 'http', endPort: 90 }] }] } }),
    ['spec.ingress[0].ports[0].endPort: Invalid value: 90: may not be specified when `port` is non-numeric'],
  ],
  ['Ingress', named({ spec: { rules: [{ host: 'a.b', http: { paths: [{ path: '/', pathType: 'Prefix', backend }] } }] } }), []],
  ['Ingress', named({ spec: {} }), ['spec: Invalid value: null: either `defaultBackend` or `rules` must be specified']],
  [
    'Ingress',
    named({ spec: { rules: [{ host: '10.0.0.1' }] } }),
    ['spec.rules[0].host: Invalid value: "10.0.0.1": must be a DNS name, not an IP address'],
  ],
  [
    'Ingress',
    named({ spec: { rules: [{ http: { paths: [{ path: 'x//y', pathType: 'Exact', backend: { service: { name: 'web' } } }] } }] } }),
    [
      'spec.rules[0].http.paths[0].path: Invalid value: "x//y": must be an absolute path',
      'spec.rules[0].http.paths[0].path: Invalid value: "x//y": must not contain \'//\'',
      'spec.rules[0].http.paths[0].backend: Required value: port name or number is required',
    ],
  ],
  ['IngressClass', named({ spec: { controller: 'acme.io/foo' } }), []],
  [
    'IngressClass',
    named({ spec: { controller: 'acme' } }),
    ['spec.controller: Invalid value: "acme": must be a domain-prefixed path (such as "acme.io/foo")'],
  ],
  ['IPAddress', named({ spec: { parentRef: { resource: 'services', name: 'x' } } }, '10.0.0.1'), []],
  [
    'IPAddress',
    named({ spec: { parentRef: { resource: 'services', name: 'x' } } }, 'x'),
    ['metadata.name: Invalid value: "x": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)'],
  ],
  ['ServiceCIDR', named({ spec: { cidrs: [] } }), ['spec.cidrs: Required value: at least one CIDR required']],
  ['Role', named({ rules: [rule] }, 'system:x'), []],
  [
    'Role',
    named({ rules: [{ verbs: ['get'], nonResourceURLs: ['/x'] }] }),
    ['rules[0].nonResourceURLs: Invalid value: ["/x"]: namespaced rules cannot apply to non-resource URLs'],
  ],
  [
    'ClusterRole',
    named({ rules: [{ verbs: ['get'] }] }),
    [
      'rules[0].apiGroups: Required value: resource rules must supply at least one api group',
      'rules[0].resources: Required value: resource rules must supply at least one resource',
    ],
  ],
  ['RoleBinding', named({ roleRef: { kind: 'Role', name: 'r' }, subjects: [{ kind: 'User', name: 'u' }] }), []],
  [
    'ClusterRoleBinding',
    named({ roleRef: { kind: 'Role', name: 'r' } }),
    ['roleRef.kind: Unsupported value: "Role": supported values: "ClusterRole"'],
  ],
  [
    'ClusterRoleBinding',
    named({ roleRef: { kind: 'ClusterRole', name: 'r' }, subjects: [{ kind: 'ServiceAccount', name: 's' }] }),
    ['subjects[0].namespace: Required value'],
  ],
  ['Lease', named({ spec: { leaseDurationSeconds: 0 } }), ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0']],
  ['PriorityClass', named({ value: 1000000001 }), ['value: Forbidden: maximum allowed value of a user defined priority is 1000000000']],
  [
    'PriorityClass',
    named({ value: 1 }, 'system-x'),
    [
      "metadata.name: Forbidden: priority class names with 'system-' prefix are reserved for system use only. error: system-x is not a known system priority class",
    ],
  ],
  ['PriorityClass', named({ value: 2000001000 }, 'system-node-critical'), []],
  ['StorageClass', named({ provisioner: 'a.b/c' }), []],
  [
    'StorageClass',
    named({ provisioner: 'a.b/c', volumeBindingMode: 'Later' }),
    ['volumeBindingMode: Unsupported value: "Later": supported values: "Immediate", "WaitForFirstConsumer"'],
  ],
  ['RuntimeClass', named({ handler: 'A' }), [expect.stringMatching(/^handler: Invalid value: "A": a lowercase RFC 1123 label/) as never]],
  ['CertificateSigningRequest', named({ spec: signing }), []],
  [
    'CertificateSigningRequest',
    named({ spec: { ...signing, request: 'AA==', usages: [] } }),
    ['spec.request: Invalid value: "AA==": PEM block type must be CERTIFICATE REQUEST', 'spec.usages: Required value'],
  ],
  ['ControllerRevision', named({ revision: 1 }), ['data: Required value: data is mandatory']],
  ['ImageRecipe', named({ spec: { images: ['*redis:*'], command: ['redis-server'] } }), []],
  [
    'ImageRecipe',
    named({ spec: { images: ['a', 'a'], files: [{ path: '../x', content: '' }] } }),
    ['spec.images[1]: Duplicate value: "a"', 'spec.files[0].path: Invalid value: "../x": must not contain \'..\''],
  ],
]

test.each(creates)('create %s %#', (name, object, errors) => {
  expect(refusals(kind(name), object)).toEqual(errors)
})

const updates: [string, object, (next: any) => void, string[]][] = [
  [
    'ConfigMap',
    named({ immutable: true, data: { a: '1' } }),
    (next) => (next.data.a = '2'),
    ['data: Forbidden: field is immutable when `immutable` is set'],
  ],
  [
    'ConfigMap',
    named({ immutable: true }),
    (next) => (next.immutable = false),
    ['immutable: Forbidden: field is immutable when `immutable` is set'],
  ],
  ['Secret', named({}), (next) => (next.type = 'x'), ['type: Invalid value: "x": field is immutable']],
  [
    'Node',
    named({ spec: { podCIDR: '10.0.0.0/24' } }),
    (next) => (next.spec.podCIDRs = ['10.0.1.0/24']),
    ['spec.podCIDRs: Forbidden: node updates may not change podCIDR except from "" to valid'],
  ],
  ['Node', named({}), (next) => (next.spec = { podCIDR: '10.0.0.0/24', unschedulable: true }), []],
  [
    'EndpointSlice',
    named({ addressType: 'IPv4' }),
    (next) => (next.addressType = 'IPv6'),
    ['addressType: Invalid value: "IPv6": field is immutable'],
  ],
  ['PersistentVolumeClaim', named({ spec: claim }), (next) => (next.spec.volumeName = 'v'), []],
  [
    'PersistentVolumeClaim',
    named({ spec: claim }),
    (next) => (next.spec.accessModes = ['ReadOnlyMany']),
    ['spec: Forbidden: spec is immutable after creation except resources.requests and volumeAttributesClassName for bound claims'],
  ],
  [
    'PersistentVolume',
    named({ spec: volume }),
    (next) => (next.spec.hostPath.path = '/y'),
    ['spec.persistentvolumesource: Forbidden: spec.persistentvolumesource is immutable after creation'],
  ],
  [
    'ResourceQuota',
    named({ spec: { scopes: ['Terminating'] } }),
    (next) => (next.spec.scopes = []),
    ['spec.scopes: Invalid value: []: field is immutable'],
  ],
  [
    'RoleBinding',
    named({ roleRef: { kind: 'Role', name: 'r' } }),
    (next) => (next.roleRef.name = 's'),
    ['roleRef: Invalid value: {"kind":"Role","name":"s","apiGroup":"rbac.authorization.k8s.io"}: cannot change roleRef'],
  ],
  ['PriorityClass', named({ value: 1 }), (next) => (next.value = 2), ['value: Forbidden: may not be changed in an update.']],
  [
    'StorageClass',
    named({ provisioner: 'a.b/c' }),
    (next) => (next.provisioner = 'd.e/f'),
    ['provisioner: Forbidden: updates to provisioner are forbidden.'],
  ],
  ['RuntimeClass', named({ handler: 'a' }), (next) => (next.handler = 'b'), ['handler: Invalid value: "b": field is immutable']],
  [
    'IngressClass',
    named({ spec: { controller: 'a.b/c' } }),
    (next) => (next.spec.controller = 'a.b/d'),
    ['spec.controller: Invalid value: "a.b/d": field is immutable'],
  ],
  [
    'ControllerRevision',
    named({ revision: 1, data: { a: 1 } }),
    (next) => (next.data = { a: 2 }),
    ['data: Invalid value: {"a":2}: field is immutable'],
  ],
]

test.each(updates)('update %s %#', (name, object, change, errors) => {
  expect(updateRefusals(kind(name), object, change)).toEqual(errors)
})

describe('preparation', () => {
  test('a secret in plain text is stored encoded', () => {
    const secret = created(kind('Secret'), named({ data: { a: 'AA==', b: 'AA==' }, stringData: { b: 'hello' } }))
    expect(secret).toMatchObject({ type: 'Opaque', data: { a: 'AA==', b: 'aGVsbG8=' }, stringData: undefined })
  })

  test('a namespace is active, held by its finalizer and labelled with its name', () => {
    expect(created(kind('Namespace'), named({ status: { phase: 'Terminating' } }))).toMatchObject({
      metadata: { labels: { 'kubernetes.io/metadata.name': 'x' } },
      spec: { finalizers: ['kubernetes'] },
      status: { phase: 'Active' },
    })
  })

  test('only the finalize subresource frees a namespace', () => {
    const namespace = created(kind('Namespace'), named({}))
    const next = { ...namespace, spec: { finalizers: [] } }
    kind('Namespace').strategy!.prepareForUpdate!(next, namespace, { nowMs: 0, user: 'u', subresource: '', uid: () => '' })
    expect(next.spec.finalizers).toEqual(['kubernetes'])
  })

  test('who signs a request is told who asks by the server', () => {
    const csr = created(
      kind('CertificateSigningRequest'),
      named({ spec: { ...signing, username: 'root', groups: ['system:masters'] } }),
    ) as {
      spec: object
      status: object
    }
    expect(csr.spec).toEqual({ ...signing, username: 'jane' })
    expect(csr.status).toEqual({})
  })

  test('only the approval subresource decides on a request', () => {
    const approve = (next: any): void => {
      next.status = { conditions: [{ type: 'Approved', status: 'True' }] }
    }
    const csr = kind('CertificateSigningRequest')
    expect(updateRefusals(csr, named({ spec: signing }), approve, 'approval')).toEqual([])
    expect(updateRefusals(csr, named({ spec: signing }), approve, 'status')).toEqual([
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ])
    expect(updateRefusals(csr, named({ spec: signing }), (next: any) => (next.spec.username = 'root'))).toEqual([])
  })

  test.each([
    [{ ingress: [{}] }, ['Ingress']],
    [{ egress: [{}] }, ['Ingress', 'Egress']],
  ])('a network policy of %j', (spec, policyTypes) => {
    expect(created(kind('NetworkPolicy'), named({ spec }))).toMatchObject({ spec: { policyTypes } })
  })
})

test('every kind takes an empty object without failing, and names what is missing', () => {
  for (const one of BUILT_IN_KINDS) {
    expect(() => refusals(one, { metadata: {} }), one.kind).not.toThrow()
    expect(() => refusals(one, { metadata: { name: 'x' }, spec: {} }), one.kind).not.toThrow()
    expect(refusals(one, { metadata: {} }).join(), one.kind).toContain('metadata.name: Required value: name or generateName is required')
  }
})
