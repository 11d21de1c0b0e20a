import type { Pod } from '../../../api/generated/types.ts'
import { formatIp, parseIp } from '../../../base/ip.ts'
import { namedPortKey } from './compile-policy.ts'

/** Of a pod, what packets are judged by. */
export interface PodFacts {
  readonly key: string
  readonly uid: string
  readonly namespace: string
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly node: string
  readonly ips: readonly string[]
  /** Key of a named port -> number. */
  readonly namedPorts: readonly (readonly [string, number])[]
}

/**
 * Facts of a pod, or undefined for pods that no policy can see: those of the host's network, and completed ones, whose addresses may be
 * another's by now. Terminating pods count until they are gone.
 * @param ips the addresses, when known better than by the status: the pod has them, whatever its phase. The API may call a pod Failed whose programs run on
 */
export function podFacts(pod: Pod, ips?: readonly string[]): PodFacts | undefined {
  const { spec, status, metadata } = pod
  if (spec?.hostNetwork === true) return undefined
  if (ips === undefined && (status?.phase === 'Succeeded' || status?.phase === 'Failed')) return undefined
  const namespace = metadata.namespace ?? 'default'
  const reported = status?.podIPs?.map(({ ip }) => ip ?? '') ?? [status?.podIP ?? '']
  const containers = [
    ...(spec?.containers ?? []),
    ...(spec?.initContainers ?? []).filter(({ restartPolicy }) => restartPolicy === 'Always'),
  ]
  const namedPorts = new Map<string, number>()
  for (const { ports = [] } of containers) {
    for (const { name, protocol = 'TCP', containerPort } of ports) {
      // the first of a name wins, as for services
      if (name && !namedPorts.has(namedPortKey(protocol, name))) namedPorts.set(namedPortKey(protocol, name), containerPort)
    }
  }
  return {
    key: `${namespace}/${metadata.name}`,
    uid: metadata.uid ?? '',
    namespace,
    name: metadata.name,
    labels: metadata.labels ?? {},
    node: spec?.nodeName ?? '',
    ips: [...new Set((ips ?? reported).flatMap((ip) => canonicalIp(ip) ?? []))],
    namedPorts: [...namedPorts],
  }
}

/** An address as `formatIp` writes it; undefined when it is none. */
export function canonicalIp(text: string): string | undefined {
  const bytes = parseIp(text)
  return bytes && formatIp(bytes)
}

/** Whether two sights of a pod say the same. */
export function sameFacts(a: PodFacts, b: PodFacts): boolean {
  return (
    a.uid === b.uid &&
    a.node === b.node &&
    a.ips.length === b.ips.length &&
    a.ips.every((ip, i) => ip === b.ips[i]) &&
    sameEntries(Object.entries(a.labels), Object.entries(b.labels)) &&
    sameEntries(a.namedPorts, b.namedPorts)
  )
}

function sameEntries(a: readonly (readonly [string, unknown])[], b: readonly (readonly [string, unknown])[]): boolean {
  return a.length === b.length && a.every(([key, value], i) => key === b[i]?.[0] && value === b[i]?.[1])
}
