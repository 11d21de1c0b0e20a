import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import type { Container, Pod, PodSpec, PodStatus, Secret } from '../../api/generated/types.ts'
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
 * So an object from these caches must never be written back whole: patch it, or read it first. The transforms take the object
 * they are given apart: it belongs to them.
 */
export function leanTransforms(): (kind: KindDefinition) => ((object: KubeObject) => KubeObject) | undefined {
  const share = new Interner()
  const transforms = new Map<KindDefinition, (object: KubeObject) => KubeObject>([
    [pods as unknown as KindDefinition, (object) => leanPod(object as Pod, share)],
    [secrets as unknown as KindDefinition, (object) => withoutData(object as Secret)],
  ])
  return (kind) => transforms.get(kind)
}

/** Shares a part of a pod with its siblings. */
type Alike = <T extends object>(part: string, value: T) => T

export function leanPod(pod: Pod, share: Interner): Pod {
  const { apiVersion, kind, metadata, spec, status } = pod
  const owner = metadata.ownerReferences?.find((reference) => reference.controller)?.uid
  const alike: Alike = (part, value) => (owner === undefined ? share.value(value) : share.like(owner, part, value))
  const lean = {
    apiVersion: apiVersion && share.text(apiVersion),
    kind: kind && share.text(kind),
    metadata: leanMetadata(metadata, share, alike),
    spec: spec && leanSpec(spec, share, alike),
    status: status && leanStatus(status, share, alike),
  } as Pod
  // whoever still holds the object for a moment then does not keep all of it from being collected: this halves what is promoted at start
  Object.assign(pod, { metadata: lean.metadata, spec: undefined, status: undefined })
  return lean
}

// One literal with every member for all pods: they share one hidden class, which spreads of differing objects do not.

function leanMetadata(metadata: Pod['metadata'], share: Interner, alike: Alike): Pod['metadata'] {
  const { name, namespace, uid, resourceVersion, generation, creationTimestamp, labels, annotations, ownerReferences } = metadata
  const { finalizers, deletionTimestamp, deletionGracePeriodSeconds } = metadata
  return {
    name,
    namespace: namespace && share.text(namespace),
    uid,
    resourceVersion,
    generation,
    creationTimestamp: creationTimestamp && share.text(creationTimestamp),
    labels: labels && alike('labels', labels),
    annotations: annotations && alike('annotations', withoutLastApplied(annotations)),
    ownerReferences: ownerReferences && alike('owners', ownerReferences),
    finalizers: finalizers && share.value(finalizers),
    deletionTimestamp,
    deletionGracePeriodSeconds,
  } as Pod['metadata']
}

function leanSpec(spec: Writable<PodSpec>, share: Interner, alike: Alike): PodSpec {
  const { nodeName } = spec
  spec.nodeName = undefined
  for (const containers of [spec.containers, spec.initContainers, spec.ephemeralContainers]) {
    for (const container of containers ?? []) (container as Writable<Container>).volumeMounts = undefined
  }
  // the generated names of token volumes differ between the pods of one template
  for (const volume of spec.volumes ?? []) (volume as { name: string | undefined }).name = undefined
  const template = alike('spec', spec as PodSpec)
  if (nodeName === undefined) return template
  const own: Record<string, unknown> = { nodeName: share.text(nodeName) }
  // member by member: each spread of a frozen object makes a hidden class of its own
  for (const key of Object.keys(template)) if (key !== 'nodeName') own[key] = template[key as keyof PodSpec]
  return own as unknown as PodSpec
}

function leanStatus(status: PodStatus, share: Interner, alike: Alike): PodStatus {
  const { phase, reason, podIP, podIPs, nominatedNodeName, conditions, containerStatuses, initContainerStatuses } = status
  return {
    phase: phase && share.text(phase),
    reason: reason && share.text(reason),
    podIP,
    // nearly always the one address again
    podIPs: podIPs?.length === 1 && podIPs[0]?.ip === podIP ? [{ ip: podIP }] : podIPs,
    nominatedNodeName,
    conditions: conditions && share.value(conditions.filter((condition) => KEPT_CONDITIONS.has(condition.type))),
    containerStatuses:
      containerStatuses &&
      alike(
        'containers',
        containerStatuses.map(({ name, ready, restartCount }) => ({ name, ready, restartCount })),
      ),
    // whether a sidecar takes connections
    initContainerStatuses:
      initContainerStatuses &&
      alike(
        'initContainers',
        initContainerStatuses.map(({ name, ready }) => ({ name, ready })),
      ),
  } as PodStatus
}

type Writable<T> = { -readonly [K in keyof T]: T[K] | undefined }

function withoutLastApplied(annotations: Readonly<Record<string, string>>): Record<string, string> {
  if (annotations[LAST_APPLIED] === undefined) return annotations
  const { [LAST_APPLIED]: _applied, ...rest } = annotations
  return rest
}

/** Only owners and finalizers of secrets concern controllers. */
/** Certificates of gateways, and of servers outside of the mesh. */
const WITH_DATA = /^(?:kubernetes\.io\/tls|system\.kuma\.io\/.*)$/

function withoutData(secret: Secret): Secret {
  if (WITH_DATA.test(secret.type ?? '')) return secret
  const { data: _data, stringData: _text, ...rest } = secret
  return rest
}
