import type { Node, Pod } from '../../api/generated/types.ts'
import { addQuantities } from '../../api/meta/quantity.ts'
import { ageSince } from '../../api/print/human-duration.ts'
import { formatTable } from '../print/table.ts'
import { annotationLines, fieldLines, mapLines } from './fields.ts'

/** `describe node`, without events. @param pods those on it that have not ended */
export function nodeLines(node: Node, pods: readonly Pod[], nowMs: number): readonly string[] {
  const { metadata, spec, status } = node
  const info = status?.nodeInfo
  const conditions = (status?.conditions ?? []).map(({ type, status, lastHeartbeatTime, reason, message }) => [
    `  ${type}`,
    status,
    ageSince(lastHeartbeatTime, nowMs),
    reason ?? '',
    message ?? '',
  ])
  return [
    ...fieldLines([
      ['Name', metadata.name],
      ['Labels', mapLines(metadata.labels)],
      ['Annotations', annotationLines(metadata.annotations)],
      ['CreationTimestamp', metadata.creationTimestamp],
      ['Taints', (spec?.taints ?? []).map(({ key, value, effect }) => `${key}${value ? `=${value}` : ''}:${effect}`)],
      ['Unschedulable', String(spec?.unschedulable ?? false)],
    ]),
    'Conditions:',
    ...lines(formatTable([['  Type', 'Status', 'Heartbeat', 'Reason', 'Message'], ...conditions])),
    ...fieldLines([['Addresses', (status?.addresses ?? []).map(({ type, address }) => `${type} ${address}`)]]),
    'Capacity:',
    ...mapLines(status?.capacity, ': ').map((line) => `  ${line}`),
    'Allocatable:',
    ...mapLines(status?.allocatable, ': ').map((line) => `  ${line}`),
    ...fieldLines([
      ['OS Image', info?.osImage],
      ['Kernel Version', info?.kernelVersion],
      ['Architecture', info && `${info.operatingSystem}/${info.architecture}`],
      ['Container Runtime', info?.containerRuntimeVersion],
      ['Kubelet Version', info?.kubeletVersion],
    ]),
    ...podTable(pods, nowMs),
  ]
}

function podTable(pods: readonly Pod[], nowMs: number): readonly string[] {
  const head = `Non-terminated Pods: (${pods.length} in total)`
  if (pods.length === 0) return [head]
  const rows = pods.map((pod) => [
    `  ${pod.metadata.namespace ?? ''}`,
    pod.metadata.name,
    requested(pod, 'cpu'),
    requested(pod, 'memory'),
    ageSince(pod.metadata.creationTimestamp, nowMs),
  ])
  return [head, ...lines(formatTable([['  Namespace', 'Name', 'CPU Requests', 'Memory Requests', 'Age'], ...rows]))]
}

function requested({ spec }: Pod, resource: string): string {
  const amounts = (spec?.containers ?? []).flatMap(({ resources }) => resources?.requests?.[resource] ?? [])
  return amounts.length === 0 ? '0' : amounts.reduce(addQuantities)
}

function lines(table: string): readonly string[] {
  return table.trimEnd().split('\n')
}
