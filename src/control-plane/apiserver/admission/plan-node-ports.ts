import type { ServiceSpec } from '../../../api/generated/types.ts'

/** A port number that a service must have and has not yet. */
export interface PortNeed {
  /** Index in `spec.ports`, or undefined for the health check. */
  readonly index: number | undefined
  /** Ports of the same number (TCP and UDP of one name service) get the same node port: take the one of this index. */
  readonly sameAs?: number
}

/**
 * Which node ports have to be found for a service. Pure; the ones that it names itself are left as they are.
 * Source: kubernetes/pkg/registry/core/service/storage, initNodePorts and allocHealthCheckNodePort.
 */
export function planNodePorts(spec: ServiceSpec): PortNeed[] {
  const needs: PortNeed[] = []
  const ports = spec.ports ?? []
  if (wantsNodePorts(spec)) {
    ports.forEach((port, index) => {
      if (port.nodePort) return
      const named = ports.findIndex((other) => other.port === port.port && other.nodePort)
      const sameAs = named >= 0 ? named : ports.findIndex((other) => other.port === port.port)
      needs.push(sameAs === index ? { index } : { index, sameAs })
    })
  }
  if (needsHealthCheck(spec) && !spec.healthCheckNodePort) needs.push({ index: undefined })
  return needs
}

/** Whether ports without a node port get one. */
function wantsNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || (spec.type === 'LoadBalancer' && spec.allocateLoadBalancerNodePorts !== false)
}

/** Whether something outside has to ask each node if it has endpoints. */
export function needsHealthCheck(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}
