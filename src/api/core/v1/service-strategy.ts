import type { Service, ServicePort, ServiceSpec } from '../../generated/types.ts'
import type { Strategy } from '../../kind.ts'
import { deepEqual } from '../../meta/equality.ts'
import { collectErrors } from '../../validation/field-errors.ts'
import { checkService, checkServiceStatus, checkServiceUpdate, isExternallyAccessible } from '../../validation/service.ts'

/**
 * Families, addresses and node ports are allocated by others (they need to see all services); here an update keeps what was allocated
 * and a change of type drops what the new type has no use for. Source: k8s.io/kubernetes pkg/registry/core/service.
 */
export const serviceStrategy: Strategy<Service> = {
  setDefaults,
  prepareForCreate(service) {
    service.status = { loadBalancer: {} }
    const spec = (service.spec ??= {})
    pairClusterIps(spec, undefined)
  },
  prepareForUpdate(next, previous, { subresource }) {
    if (subresource !== '' || !next.spec || !previous.spec) return
    keepAllocated(next.spec, previous.spec)
    dropUnused(next.spec, previous.spec)
    pairClusterIps(next.spec, previous.spec)
    if (next.spec.type !== 'LoadBalancer' && previous.spec.type === 'LoadBalancer') next.status = { ...next.status, loadBalancer: {} }
  },
  validate: (service) => collectErrors((errors) => checkService(errors, service.spec ?? {})),
  validateUpdate: (next, previous, { subresource }) =>
    collectErrors((errors) => {
      if (subresource === 'status') checkServiceStatus(errors, next)
      else checkServiceUpdate(errors, next.spec ?? {}, previous.spec ?? {})
    }),
}

function setDefaults(service: Service): void {
  const { spec } = service
  if (!spec) return
  for (const port of spec.ports ?? []) port.targetPort ||= port.port
  if (spec.sessionAffinity === 'None') spec.sessionAffinityConfig = undefined
  if (isExternallyAccessible(spec)) spec.externalTrafficPolicy ||= 'Cluster'
}

/** `clusterIP` and the first of `clusterIPs` are one and the same; clients may set or clear either. */
function pairClusterIps(spec: ServiceSpec, previous: ServiceSpec | undefined): void {
  const sameIp = (spec.clusterIP ?? '') === (previous?.clusterIP ?? '')
  const sameIps = deepEqual(spec.clusterIPs ?? [], previous?.clusterIPs ?? [])
  if (!previous) {
    if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP]
    else if (!spec.clusterIP && spec.clusterIPs?.length) spec.clusterIP = spec.clusterIPs[0]
    return
  }
  if (!sameIp && sameIps) {
    if (!spec.clusterIP) spec.clusterIPs = undefined
    else spec.clusterIPs = [spec.clusterIP]
  } else if (sameIp && !sameIps && !spec.clusterIPs?.length) {
    spec.clusterIP = undefined
  }
}

/** A client that replaces the whole object need not repeat what was allocated. */
function keepAllocated(next: ServiceSpec, previous: ServiceSpec): void {
  if (hasClusterIp(next) && hasClusterIp(previous)) {
    if (!next.clusterIP) next.clusterIP = previous.clusterIP
    if (!next.clusterIPs?.length && next.clusterIP === previous.clusterIP) next.clusterIPs = previous.clusterIPs
  }
  // a load balancer that wants none gives them back by leaving them out
  const wanted = next.type !== 'LoadBalancer' || next.allocateLoadBalancerNodePorts !== false
  if (wanted && hasNodePorts(next) && hasNodePorts(previous)) {
    const used = new Set(next.ports?.map(nodePortKey))
    for (const port of next.ports ?? []) {
      if (port.nodePort) continue
      const old = previous.ports?.find((one) => one.nodePort && portKey(one) === portKey(port))
      if (old && !used.has(nodePortKey(old))) port.nodePort = old.nodePort
    }
  }
  if (needsHealthCheck(next) && needsHealthCheck(previous)) next.healthCheckNodePort ||= previous.healthCheckNodePort
}

/** What only the old type needed goes, unless this very write changed it: then validation tells the user. */
function dropUnused(next: ServiceSpec, previous: ServiceSpec): void {
  const drop = (key: keyof ServiceSpec): void => {
    if (deepEqual(next[key], previous[key])) Object.assign(next, { [key]: undefined })
  }
  if (hasClusterIp(previous) && !hasClusterIp(next)) {
    for (const key of ['clusterIP', 'clusterIPs', 'ipFamilies', 'ipFamilyPolicy', 'internalTrafficPolicy'] as const) drop(key)
  }
  if (hasNodePorts(previous) && !hasNodePorts(next)) {
    const old = new Set(previous.ports?.map(nodePortKey))
    if (next.ports?.every((port) => !port.nodePort || old.has(nodePortKey(port)))) {
      for (const port of next.ports) port.nodePort = undefined
    }
  }
  if (needsHealthCheck(previous) && !needsHealthCheck(next)) drop('healthCheckNodePort')
  if (previous.type === 'LoadBalancer' && next.type !== 'LoadBalancer') {
    drop('allocateLoadBalancerNodePorts')
    drop('loadBalancerClass')
  }
  if (isExternallyAccessible(previous) && !isExternallyAccessible(next)) drop('externalTrafficPolicy')
}

function hasClusterIp(spec: ServiceSpec): boolean {
  return spec.type !== 'ExternalName'
}

function hasNodePorts(spec: ServiceSpec): boolean {
  return spec.type === 'NodePort' || spec.type === 'LoadBalancer'
}

function needsHealthCheck(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}

function portKey(port: ServicePort): string {
  return `${port.protocol ?? 'TCP'}/${port.port}`
}

function nodePortKey(port: ServicePort): string {
  return `${port.protocol ?? 'TCP'}/${port.nodePort ?? 0}`
}
