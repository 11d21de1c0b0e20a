import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { Container, Pod, PodCondition, PodSpec, PodStatus, Secret, Volume } from '../../api/generated/types.ts'
import type { KindDefinition } from '../../api/kind.ts'
import type { KubeObject } from '../../api/meta/object.ts'
import { Interner } from './interner.ts'

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration'
/** Conditions that some controller reads. One that writes conditions must do so by strategic merge, which leaves the others alone. */
const KEPT_CONDITIONS: ReadonlySet<string> = new Set(['Ready', 'PodScheduled'])

/**
 * What the control plane's own informers keep of an object: controllers, scheduler and authorizer read these caches, and with 150,000
 * pods they are most of the process's memory. Pods of one template share its containers, volumes, labels and owners, which are
 * frozen. Left out is what no controller reads: mounts, volume names, container ids and images of the status.
 *
 * So an object from these caches must never be written back whole: patch it, or read it first.
 */
export function leanTransforms(): (kind: KindDefinition) => ((object: KubeObject) => KubeObject) | undefined {
  const share = new Interner()
  const transforms = new Map<KindDefinition, (object: KubeObject) => KubeObject>([
    [pods as KindDefinition, (object) => leanPod(object as Pod, share)],
    [secrets as KindDefinition, (object) => withoutData(object as Secret)],
  ])
  return (kind) => transforms.get(kind)
}

export function leanPod(pod: Pod, share: Interner): Pod {
  const { apiVersion, kind, metadata, spec, status } = pod
  return {
    apiVersion,
    kind,
    metadata: leanMetadata(metadata, share),
    ...(spec ? { spec: leanSpec(spec, share) } : {}),
    ...(status ? { status: leanStatus(status, share) } : {}),
  } as Pod
}

function leanMetadata(metadata: Pod['metadata'], share: Interner): Pod['metadata'] {
  const {
    managedFields: _managed,
    generateName: _generate,
    namespace,
    creationTimestamp,
    labels,
    annotations,
    ownerReferences,
    ...own
  } = metadata
  return {
    ...own,
    ...(namespace === undefined ? {} : { namespace: share.text(namespace) }),
    ...(creationTimestamp === undefined ? {} : { creationTimestamp: share.text(creationTimestamp) }),
    ...(labels ? { labels: share.value(labels) } : {}),
    ...(annotations ? { annotations: share.value(withoutLastApplied(annotations)) } : {}),
    ...(ownerReferences ? { ownerReferences: share.value(ownerReferences) } : {}),
  }
}

function leanSpec(spec: PodSpec, share: Interner): PodSpec {
  const { nodeName, containers, initContainers, volumes, ...rest } = spec
  const template = share.value({
    ...rest,
    containers: (containers ?? []).map(withoutMounts),
    ...(initContainers ? { initContainers: initContainers.map(withoutMounts) } : {}),
    ...(volumes ? { volumes: volumes.map(withoutName) } : {}),
  })
  return nodeName === undefined ? template : { ...template, nodeName: share.text(nodeName) }
}

function leanStatus(status: PodStatus, share: Interner): PodStatus {
  const { phase, reason, podIP, podIPs, nominatedNodeName, conditions, containerStatuses } = status
  const kept = conditions?.filter((condition) => KEPT_CONDITIONS.has(condition.type)).map(leanCondition)
  const counts = containerStatuses?.map(({ name, ready, restartCount }) => ({ name, ready, restartCount }))
  return {
    ...(phase === undefined ? {} : { phase: share.text(phase) }),
    ...(reason === undefined ? {} : { reason: share.text(reason) }),
    ...(podIP === undefined ? {} : { podIP }),
    // nearly always the one address again
    ...(podIPs ? { podIPs: podIPs.length === 1 && podIPs[0]?.ip === podIP ? [{ ip: podIP }] : podIPs } : {}),
    ...(nominatedNodeName === undefined ? {} : { nominatedNodeName }),
    ...(kept ? { conditions: share.value(kept) } : {}),
    ...(counts ? { containerStatuses: share.value(counts) } : {}),
  } as PodStatus
}

function leanCondition(condition: PodCondition): PodCondition {
  const { lastProbeTime: _probe, ...kept } = condition
  return kept
}

function withoutMounts(container: Container): Container {
  const { volumeMounts: _mounts, ...rest } = container
  return rest
}

/** The generated names of token volumes differ between the pods of one template. */
function withoutName(volume: Volume): Volume {
  const { name: _name, ...source } = volume
  return source as Volume
}

function withoutLastApplied(annotations: Readonly<Record<string, string>>): Record<string, string> {
  const { [LAST_APPLIED]: _applied, ...rest } = annotations
  return rest
}

/** Only owners and finalizers of secrets concern controllers. */
function withoutData(secret: Secret): Secret {
  const { data: _data, stringData: _text, ...rest } = secret
  return rest
}
