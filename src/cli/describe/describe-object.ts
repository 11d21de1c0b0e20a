import type { Deployment, EndpointSlice, Node, Pod, ReplicaSet, Service } from '../../api/generated/types.ts'
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { endpointSlices } from '../../api/discovery/v1/endpoint-slice.ts'
import { formatLabelSelector } from '../../api/meta/selector.ts'
import { ageSince } from '../../api/print/human-duration.ts'
import type { Session } from '../connect.ts'
import type { Found } from '../objects/fetch-objects.ts'
import { deploymentLines } from './deployment.ts'
import { eventLines, eventsOf } from './events.ts'
import { annotationLines, fieldLines, mapLines, treeLines } from './fields.ts'
import { nodeLines } from './node.ts'
import { podLines } from './pod.ts'
import { serviceLines } from './service.ts'

/** All about an object, with its events. Pods, nodes, deployments and services are laid out as kubectl users know them. */
export async function describeObject(session: Session, found: Found, nowMs: number): Promise<string> {
  const { kind, object } = found
  const core = kind.group === ''
  let lines: readonly string[]
  if (core && kind.kind === 'Pod') lines = podLines(object as Pod)
  else if (core && kind.kind === 'Node') lines = nodeLines(object as Node, await podsOn(session, object.metadata.name), nowMs)
  else if (core && kind.kind === 'Service') lines = serviceLines(object as Service, await slicesOf(session, object as Service))
  else if (kind.group === 'apps' && kind.kind === 'Deployment') {
    lines = deploymentLines(object as Deployment, await setsOf(session, object as Deployment))
  } else lines = genericLines(found, nowMs)
  return `${[...lines, ...eventLines(await eventsOf(session, object), nowMs)].join('\n')}\n`
}

function genericLines({ kind, object }: Found, nowMs: number): readonly string[] {
  const { metadata, apiVersion: _apiVersion, kind: _kind, ...rest } = object
  const head = fieldLines([
    ['Name', metadata.name],
    ['Namespace', metadata.namespace],
    ['Kind', kind.group === '' ? kind.kind : `${kind.kind} (${kind.group}/${kind.version})`],
    ['Labels', mapLines(metadata.labels)],
    ['Annotations', annotationLines(metadata.annotations)],
    [
      'Created',
      metadata.creationTimestamp === undefined
        ? undefined
        : `${metadata.creationTimestamp} (${ageSince(metadata.creationTimestamp, nowMs)} ago)`,
    ],
    ['Being deleted', metadata.deletionTimestamp],
    ['Finalizers', metadata.finalizers],
    ['Controlled By', controllerOf(object)],
  ])
  return [...head, ...treeLines(kind.kind === 'Secret' ? withoutSecrets(rest) : rest)]
}

/** How long a secret is says enough. */
function withoutSecrets(rest: Record<string, unknown>): Record<string, unknown> {
  const data = Object.entries((rest['data'] ?? {}) as Record<string, string>)
  return { ...rest, data: Object.fromEntries(data.map(([key, value]) => [key, `${Buffer.from(value, 'base64').length} bytes`])) }
}

function controllerOf(object: Found['object']): string | undefined {
  const owner = object.metadata.ownerReferences?.find(({ controller }) => controller)
  return owner && `${owner.kind}/${owner.name}`
}

async function podsOn(session: Session, node: string): Promise<readonly Pod[]> {
  const { items } = await session.client.of(pods).listAll({ fieldSelector: `spec.nodeName=${node}` })
  return items.filter(({ status }) => status?.phase !== 'Succeeded' && status?.phase !== 'Failed')
}

async function slicesOf(session: Session, { metadata }: Service): Promise<readonly EndpointSlice[]> {
  const labelSelector = `kubernetes.io/service-name=${metadata.name}`
  return (await session.client.of(endpointSlices).listAll({ namespace: metadata.namespace, labelSelector })).items
}

async function setsOf(session: Session, deployment: Deployment): Promise<readonly ReplicaSet[]> {
  const { namespace, uid } = deployment.metadata
  const labelSelector = formatLabelSelector(deployment.spec?.selector)
  const { items } = await session.client.of(replicaSets).listAll({ namespace, labelSelector })
  return items.filter((set) => set.metadata.ownerReferences?.some((owner) => owner.uid === uid))
}
