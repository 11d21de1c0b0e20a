// Defaults of the built-in kinds, kept by hand, in the order in which they must be applied. Names are upstream's without
// `io.k8s.api.`. Facts from k8s.io/kubernetes pkg/apis/*/*/defaults.go and the `+default` markers of k8s.io/api.
//
// A dotted field reaches into an object that exists (`spec.completions` of Job: the job templates of cron jobs do not get it).
// An absent field, an empty string and an empty list count as absent; with `zero` so does 0. `when` looks at a sibling, null
// among its values stands for absent; of `cases` the first whose condition holds is taken.
// What needs more than that (image pull policy, target ports, requests from limits, empty volumes) is in the kinds' strategies.

/** Marks a default that has conditions; below it, a list of `{ value, zero?, when?: [sibling, values] }`. */
export const RULES = Symbol('rules')

const zero = (value) => ({ [RULES]: [{ value, zero: true }] })
const when = (field, values, value, options) => ({ [RULES]: [{ value, ...options, when: [field, [values].flat()] }] })
const cases = (...specs) => ({ [RULES]: specs.flatMap((spec) => spec[RULES] ?? [{ value: spec }]) })

export const DEFAULTS = {
  // pods
  'core.v1.Pod': { 'spec.enableServiceLinks': true },
  'core.v1.PodSpec': {
    dnsPolicy: 'ClusterFirst',
    restartPolicy: 'Always',
    securityContext: {},
    terminationGracePeriodSeconds: 30,
    schedulerName: 'default-scheduler',
  },
  'core.v1.Container': { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File', resources: {} },
  'core.v1.EphemeralContainer': { terminationMessagePath: '/dev/termination-log', terminationMessagePolicy: 'File', resources: {} },
  'core.v1.ContainerPort': { protocol: 'TCP' },
  'core.v1.Probe': { timeoutSeconds: zero(1), periodSeconds: zero(10), successThreshold: zero(1), failureThreshold: zero(3) },
  'core.v1.HTTPGetAction': { path: '/', scheme: 'HTTP' },
  'core.v1.HTTPHeader': { value: '' },
  'core.v1.GRPCAction': { service: '' },
  'core.v1.SleepAction': { seconds: 0 },
  'core.v1.Sysctl': { value: '' },
  'core.v1.ObjectFieldSelector': { apiVersion: 'v1' },
  'core.v1.ResourceFieldSelector': { divisor: '0' },
  'core.v1.FileKeySelector': { optional: false },
  // volumes
  'core.v1.SecretVolumeSource': { defaultMode: 420 },
  'core.v1.ConfigMapVolumeSource': { defaultMode: 420 },
  'core.v1.DownwardAPIVolumeSource': { defaultMode: 420 },
  'core.v1.ProjectedVolumeSource': { defaultMode: 420 },
  'core.v1.ServiceAccountTokenProjection': { expirationSeconds: 3600 },
  'core.v1.PodCertificateProjection': { maxExpirationSeconds: 86400 },
  'core.v1.HostPathVolumeSource': { type: '' },
  'core.v1.ISCSIVolumeSource': { iscsiInterface: 'default', lun: 0 },
  'core.v1.ISCSIPersistentVolumeSource': { iscsiInterface: 'default', lun: 0 },
  'core.v1.RBDVolumeSource': { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' },
  'core.v1.RBDPersistentVolumeSource': { pool: 'rbd', user: 'admin', keyring: '/etc/ceph/keyring' },
  'core.v1.AzureDiskVolumeSource': { cachingMode: 'ReadWrite', kind: 'Shared', fsType: 'ext4', readOnly: false },
  'core.v1.ScaleIOVolumeSource': { storageMode: 'ThinProvisioned', fsType: 'xfs' },
  'core.v1.ScaleIOPersistentVolumeSource': { storageMode: 'ThinProvisioned', fsType: 'xfs' },
  'core.v1.PersistentVolume': { status: {} },
  'core.v1.PersistentVolumeStatus': { phase: 'Pending' },
  'core.v1.PersistentVolumeSpec': { persistentVolumeReclaimPolicy: 'Retain', volumeMode: 'Filesystem' },
  'core.v1.PersistentVolumeClaim': { status: {}, 'status.phase': 'Pending' },
  'core.v1.PersistentVolumeClaimSpec': { volumeMode: 'Filesystem', resources: {} },
  // the rest of core
  'core.v1.Namespace': { spec: {}, status: {} },
  'core.v1.NamespaceStatus': { phase: 'Active' },
  'core.v1.Secret': { type: 'Opaque' },
  'core.v1.EndpointPort': { protocol: 'TCP' },
  'core.v1.LimitRangeSpec': { limits: [] },
  'core.v1.ReplicationControllerSpec': { replicas: 1 },
  'core.v1.ServicePort': { protocol: 'TCP' },
  'core.v1.ServiceSpec': {
    sessionAffinity: 'None',
    sessionAffinityConfig: when('sessionAffinity', 'ClientIP', { clientIP: { timeoutSeconds: 10800 } }),
    type: 'ClusterIP',
    externalTrafficPolicy: when('type', ['NodePort', 'LoadBalancer'], 'Cluster'),
    internalTrafficPolicy: when('type', ['ClusterIP', 'NodePort', 'LoadBalancer'], 'Cluster'),
    allocateLoadBalancerNodePorts: when('type', 'LoadBalancer', true),
  },
  'core.v1.Service': { status: {} },
  'core.v1.ServiceStatus': { loadBalancer: {} },
  'core.v1.SessionAffinityConfig': { clientIP: {} },
  'core.v1.ClientIPConfig': { timeoutSeconds: 10800 },
  // apps
  'apps.v1.ControllerRevision': { revision: 0 },
  'apps.v1.DeploymentSpec': { replicas: 1, strategy: {}, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 },
  'apps.v1.DeploymentStrategy': { type: 'RollingUpdate', rollingUpdate: when('type', 'RollingUpdate', {}) },
  'apps.v1.RollingUpdateDeployment': { maxUnavailable: '25%', maxSurge: '25%' },
  'apps.v1.ReplicaSetSpec': { replicas: 1 },
  'apps.v1.DaemonSetSpec': { updateStrategy: {}, revisionHistoryLimit: 10 },
  'apps.v1.DaemonSetUpdateStrategy': { type: 'RollingUpdate', rollingUpdate: when('type', 'RollingUpdate', {}) },
  'apps.v1.RollingUpdateDaemonSet': { maxUnavailable: 1, maxSurge: 0 },
  'apps.v1.StatefulSetSpec': {
    podManagementPolicy: 'OrderedReady',
    updateStrategy: {},
    persistentVolumeClaimRetentionPolicy: {},
    replicas: 1,
    revisionHistoryLimit: 10,
  },
  'apps.v1.StatefulSetUpdateStrategy': { rollingUpdate: when('type', null, {}), type: 'RollingUpdate' },
  'apps.v1.RollingUpdateStatefulSetStrategy': { partition: 0 },
  'apps.v1.StatefulSetPersistentVolumeClaimRetentionPolicy': { whenDeleted: 'Retain', whenScaled: 'Retain' },
  // batch
  'batch.v1.Job': {
    'spec.completions': when('parallelism', null, 1),
    'spec.parallelism': 1,
    'spec.backoffLimit': cases(when('backoffLimitPerIndex', null, 6), 2147483647),
    'spec.completionMode': 'NonIndexed',
    'spec.suspend': false,
    'spec.podReplacementPolicy': cases(when('podFailurePolicy', null, 'TerminatingOrFailed'), 'Failed'),
  },
  'batch.v1.PodFailurePolicyOnPodConditionsPattern': { status: 'True' },
  'batch.v1.CronJobSpec': { concurrencyPolicy: 'Allow', suspend: false, successfulJobsHistoryLimit: 3, failedJobsHistoryLimit: 1 },
  // autoscaling
  'autoscaling.v1.HorizontalPodAutoscalerSpec': { minReplicas: 1 },
  'autoscaling.v2.HorizontalPodAutoscalerSpec': {
    minReplicas: 1,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 80 } } }],
  },
  'autoscaling.v2.HorizontalPodAutoscalerBehavior': {
    scaleUp: {},
    'scaleUp.stabilizationWindowSeconds': 0,
    'scaleUp.selectPolicy': 'Max',
    'scaleUp.policies': [
      { type: 'Pods', value: 4, periodSeconds: 15 },
      { type: 'Percent', value: 100, periodSeconds: 15 },
    ],
    scaleDown: {},
    'scaleDown.selectPolicy': 'Max',
    'scaleDown.policies': [{ type: 'Percent', value: 100, periodSeconds: 15 }],
  },
  // networking and discovery
  'networking.v1.NetworkPolicySpec': {
    policyTypes: cases(when('egress', null, ['Ingress']), ['Ingress', 'Egress']),
    podSelector: {},
  },
  'networking.v1.NetworkPolicyPort': { protocol: 'TCP' },
  'networking.v1.Ingress': { status: {} },
  'networking.v1.IngressStatus': { loadBalancer: {} },
  'networking.v1.IngressClassParametersReference': { scope: 'Cluster' },
  'discovery.v1.EndpointSlice': { endpoints: [] },
  'discovery.v1.EndpointPort': { name: '', protocol: 'TCP' },
  // rbac
  'rbac.v1.RoleRef': { apiGroup: 'rbac.authorization.k8s.io' },
  'rbac.v1.Subject': { apiGroup: when('kind', ['User', 'Group'], 'rbac.authorization.k8s.io') },
  // scheduling, storage, resource
  'scheduling.v1.PriorityClass': { preemptionPolicy: 'PreemptLowerPriority' },
  'storage.v1.StorageClass': { reclaimPolicy: 'Delete', volumeBindingMode: 'Immediate' },
  'storage.v1.CSIDriver': { spec: {} },
  'storage.v1.CSIDriverSpec': {
    attachRequired: true,
    podInfoOnMount: false,
    storageCapacity: false,
    fsGroupPolicy: 'ReadWriteOnceWithFSType',
    volumeLifecycleModes: ['Persistent'],
    requiresRepublish: false,
    seLinuxMount: false,
  },
  'storage.v1.CSINode': { spec: {} },
  'storage.v1.CSINodeSpec': { drivers: [] },
  'resource.v1.ExactDeviceRequest': {
    allocationMode: 'ExactCount',
    count: when('allocationMode', 'ExactCount', 1, { zero: true }),
  },
  'resource.v1.DeviceSubRequest': {
    allocationMode: 'ExactCount',
    count: when('allocationMode', 'ExactCount', 1, { zero: true }),
  },
  'resource.v1.DeviceToleration': { operator: 'Equal' },
  // access, admission, extension
  'authentication.v1.TokenRequestSpec': { expirationSeconds: 3600 },
  'admissionregistration.v1.ValidatingWebhook': {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
  },
  'admissionregistration.v1.MutatingWebhook': {
    failurePolicy: 'Fail',
    matchPolicy: 'Equivalent',
    namespaceSelector: {},
    objectSelector: {},
    timeoutSeconds: 10,
    reinvocationPolicy: 'Never',
  },
  'admissionregistration.v1.RuleWithOperations': { scope: '*' },
  'admissionregistration.v1.NamedRuleWithOperations': { scope: '*' },
  'admissionregistration.v1.ServiceReference': { port: 443 },
  'admissionregistration.v1.ValidatingAdmissionPolicySpec': { failurePolicy: 'Fail' },
  'admissionregistration.v1.MutatingAdmissionPolicySpec': { failurePolicy: 'Fail' },
  'admissionregistration.v1.MatchResources': { matchPolicy: 'Equivalent', namespaceSelector: {}, objectSelector: {} },
  'apiextensions.v1.CustomResourceDefinitionSpec': { conversion: { strategy: 'None' } },
  'apiextensions.v1.CustomResourceDefinitionVersion': { served: false, storage: false },
  'apiextensions.v1.ServiceReference': { port: 443 },
  'apiregistration.v1.ServiceReference': { port: 443 },
  'flowcontrol.v1.FlowSchemaSpec': { matchingPrecedence: zero(1000) },
  'flowcontrol.v1.ExemptPriorityLevelConfiguration': { nominalConcurrencyShares: 0, lendablePercent: 0 },
  'flowcontrol.v1.LimitedPriorityLevelConfiguration': { nominalConcurrencyShares: 30, lendablePercent: 0 },
  'flowcontrol.v1.QueuingConfiguration': { queues: zero(64), handSize: zero(8), queueLengthLimit: zero(50) },
}
