import type { EndpointSubset, Endpoints, Pod, Service } from '../../../api/generated/types.ts'
import { isPodReady, podPhaseIsTerminal } from '../../../api/pod-status.ts'
import { targetPort } from './plan-slices.ts'

/** Most addresses in one Endpoints object; more are cut and the object is marked. Source: kubernetes/pkg/controller/endpoint. */
const MAX_ADDRESSES = 1000
export const OVER_CAPACITY = 'endpoints.kubernetes.io/over-capacity'

/** The subsets of the old-style Endpoints object of a service. Pure; sorted, so that equal states compare equal. */
export function planEndpoints(service: Service, pods: readonly Pod[]): { readonly subsets: EndpointSubset[]; readonly truncated: boolean } {
  const groups = new Map<string, EndpointSubset>()
  let count = 0
  let truncated = false
  for (const pod of [...pods].sort((a, b) => a.metadata.name.localeCompare(b.metadata.name))) {
    const ip = pod.status?.podIP
    if (!ip || podPhaseIsTerminal(pod.status?.phase) || (pod.metadata.deletionTimestamp && !service.spec?.publishNotReadyAddresses))
      continue
    if (count++ >= MAX_ADDRESSES) {
      truncated = true
      break
    }
    const ports = (service.spec?.ports ?? []).flatMap((port) => {
      const number = targetPort(port.targetPort ?? port.port, port.protocol ?? 'TCP', pod)
      return number === undefined
        ? []
        : [
            {
              ...(port.name ? { name: port.name } : {}),
              port: number,
              protocol: port.protocol ?? 'TCP',
              ...(port.appProtocol ? { appProtocol: port.appProtocol } : {}),
            },
          ]
    })
    const key = JSON.stringify(ports)
    const subset = groups.get(key) ?? { ...(ports.length > 0 ? { ports } : {}) }
    groups.set(key, subset)
    const address = {
      ip,
      ...(pod.spec?.nodeName ? { nodeName: pod.spec.nodeName } : {}),
      targetRef: { kind: 'Pod', namespace: pod.metadata.namespace, name: pod.metadata.name, uid: pod.metadata.uid },
    }
    if (isPodReady(pod) || service.spec?.publishNotReadyAddresses) subset.addresses = [...(subset.addresses ?? []), address]
    else subset.notReadyAddresses = [...(subset.notReadyAddresses ?? []), address]
  }
  return { subsets: [...groups.values()].map(sorted), truncated }
}

/** By address text, as upstream has it. Source: kubernetes/pkg/api/v1/endpoints (RepackSubsets). */
function sorted(subset: EndpointSubset): EndpointSubset {
  const byIp = (a: { readonly ip: string }, b: { readonly ip: string }): number => (a.ip < b.ip ? -1 : 1)
  return {
    ...subset,
    ...(subset.addresses ? { addresses: [...subset.addresses].sort(byIp) } : {}),
    ...(subset.notReadyAddresses ? { notReadyAddresses: [...subset.notReadyAddresses].sort(byIp) } : {}),
  }
}

/** Whether an Endpoints object already says this. */
export function endpointsAnnotations(current: Endpoints | undefined, truncated: boolean): Record<string, string> | undefined {
  const { [OVER_CAPACITY]: _old, ...rest } = current?.metadata.annotations ?? {}
  const next = truncated ? { ...rest, [OVER_CAPACITY]: 'truncated' } : rest
  return Object.keys(next).length > 0 ? next : undefined
}
