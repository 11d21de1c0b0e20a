import type { Container, EphemeralContainer, Pod, PodSpec, PodTemplateSpec, Toleration, Volume } from '../../generated/types.ts'
import { containersWithPath } from '../../pod-status.ts'

/** How long a pod stays on a node that is gone, unless it says otherwise. */
const DEFAULT_TOLERATION_SECONDS = 300
const NODE_TROUBLE = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable']

const BUILT_IN_PRIORITIES: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
}

/**
 * Defaults of a pod's spec, wherever it stands, that depend on other fields; those of single fields are in the schema.
 * Source: k8s.io/kubernetes pkg/apis/core/v1 SetDefaults_PodSpec, SetDefaults_Container, SetDefaults_Volume.
 */
export function setPodSpecDefaults(spec: PodSpec): void {
  // two names of one field
  spec.serviceAccountName ||= spec.serviceAccount
  spec.serviceAccount = spec.serviceAccountName
  for (const volume of spec.volumes ?? []) setVolumeDefault(volume)
  for (const { container } of containersWithPath(spec, '')) setContainerDefaults(container)
}

/** As setPodSpecDefaults, for whatever is in a template. */
export function setTemplateDefaults(template: PodTemplateSpec | undefined): void {
  if (template?.spec) setPodSpecDefaults(template.spec)
}

/** Source: k8s.io/kubernetes pkg/apis/core/v1 SetDefaults_Pod. */
export function setPodDefaults(pod: Pod): void {
  const { spec } = pod
  if (!spec) return
  setPodSpecDefaults(spec)
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    setRequestsFromLimits(container)
    if (spec.hostNetwork) for (const port of container.ports ?? []) port.hostPort ||= port.containerPort
  }
}

/**
 * What the built-in admission plugins ServiceAccount, Priority and DefaultTolerationSeconds put into a new pod. Priorities
 * of other classes need a look at the class, which is not done here.
 */
export function admitPod(spec: PodSpec): void {
  spec.serviceAccountName ||= 'default'
  spec.serviceAccount = spec.serviceAccountName
  spec.preemptionPolicy ??= 'PreemptLowerPriority'
  const priority = spec.priorityClassName ? BUILT_IN_PRIORITIES[spec.priorityClassName] : 0
  if (priority !== undefined) spec.priority ??= priority
  const added = NODE_TROUBLE.filter((key) => !spec.tolerations?.some((toleration) => tolerates(toleration, key)))
  if (added.length === 0) return
  spec.tolerations = [
    ...(spec.tolerations ?? []),
    ...added.map((key) => ({ effect: 'NoExecute', key, operator: 'Exists', tolerationSeconds: DEFAULT_TOLERATION_SECONDS })),
  ]
}

/** Whether an image reference without further word must be pulled at each start: it has the tag `latest`, or none and no digest. */
export function isLatestImage(image: string): boolean {
  const [name = '', digest] = image.split('@', 2)
  const tag = /:([^/:]*)$/.exec(name)?.[1]
  return tag === undefined ? digest === undefined : tag === 'latest'
}

function setContainerDefaults(container: Container | EphemeralContainer): void {
  container.imagePullPolicy ||= isLatestImage(container.image ?? '') ? 'Always' : 'IfNotPresent'
}

function setVolumeDefault(volume: Volume): void {
  const hasSource = Object.entries(volume).some(([key, value]) => key !== 'name' && value !== undefined)
  if (!hasSource) volume.emptyDir = {}
}

function setRequestsFromLimits(container: Container): void {
  const { resources } = container
  if (resources?.limits) resources.requests = { ...resources.limits, ...resources.requests }
}

function tolerates(toleration: Toleration, key: string): boolean {
  return (!toleration.key || toleration.key === key) && (!toleration.effect || toleration.effect === 'NoExecute')
}
