import { isIPv6 } from 'node:net'
import type { Service, ServicePort, ServiceSpec } from '../generated/types.ts'
import { checkLabelName, checkQualifiedName, checkSubdomainName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkCidr, checkEndpointIp, checkIp, isDualStack } from './ip.ts'
import { checkLabels } from './labels.ts'
import { checkPortNumber } from './names.ts'
import { checkPort } from './probe.ts'

const DISTRIBUTIONS = ['PreferClose', 'PreferSameZone', 'PreferSameNode']
const ONLY_LOAD_BALANCER = "may only be used when `type` is 'LoadBalancer'"
const FIXED = 'may not change once set'
const MAX_AFFINITY_SECONDS = 86_400

/** Source: k8s.io/kubernetes core/validation.validateService. */
export function checkService(errors: FieldErrors, spec: ServiceSpec): void {
  const headless = isHeadless(spec)
  if (!spec.ports?.length && !headless && spec.type !== 'ExternalName') errors.required('spec.ports')
  if (headless && (spec.type === 'LoadBalancer' || spec.type === 'NodePort')) {
    errors.invalid('spec.clusterIPs[0]', 'None', `may not be set to 'None' for ${spec.type} services`)
  }
  if (spec.type === 'ExternalName') checkExternalName(errors, spec)
  else checkClusterIps(errors, spec)
  checkPorts(errors, spec)
  checkLabels(errors, 'spec.selector', spec.selector)
  checkAffinity(errors, spec)
  spec.externalIPs?.forEach((address, i) => {
    if (checkIp(errors, `spec.externalIPs[${i}]`, address)) checkEndpointIp(errors, `spec.externalIPs[${i}]`, address)
  })
  checkLoadBalancer(errors, spec)
  checkTraffic(errors, spec)
}

/** Source: k8s.io/kubernetes core/validation.ValidateServiceUpdate. */
export function checkServiceUpdate(errors: FieldErrors, next: ServiceSpec, previous: ServiceSpec): void {
  if (next.type === 'LoadBalancer' && previous.type === 'LoadBalancer' && next.loadBalancerClass !== previous.loadBalancerClass) {
    errors.invalid('spec.loadBalancerClass', next.loadBalancerClass, FIXED)
  }
  if (needsHealthCheck(next) && needsHealthCheck(previous) && next.healthCheckNodePort !== previous.healthCheckNodePort) {
    errors.invalid('spec.healthCheckNodePort', next.healthCheckNodePort, 'field is immutable')
  }
  if (next.type !== 'ExternalName' && previous.type !== 'ExternalName') checkAllocatedLists(errors, next, previous)
}

function needsHealthCheck(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' && spec.externalTrafficPolicy === 'Local'
}

function checkAllocatedLists(errors: FieldErrors, next: ServiceSpec, previous: ServiceSpec): void {
  const [headless, wasHeadless] = [isHeadless(next), isHeadless(previous)]
  if (!(headless && wasHeadless)) checkAllocated(errors, { name: 'clusterIPs', one: 'clusterIP' }, { next, previous })
  if (!headless && !wasHeadless) checkAllocated(errors, { name: 'ipFamilies', one: 'ipFamily' }, { next, previous })
}

/**
 * What is wrong with families and addresses alone; for allocation, which cannot do with less than sound lists.
 * Source: k8s.io/kubernetes core/validation.ValidateServiceClusterIPsRelatedFields.
 */
export function checkServiceFamilies(errors: FieldErrors, next: ServiceSpec, previous: ServiceSpec | undefined): void {
  if (next.type === 'ExternalName') return
  checkClusterIps(errors, next)
  if (previous && previous.type !== 'ExternalName') checkAllocatedLists(errors, next, previous)
}

/** A service without an address of its own: its name resolves to its endpoints. */
export function isHeadless(spec: ServiceSpec): boolean {
  return spec.clusterIPs?.length === 1 && spec.clusterIPs[0] === 'None'
}

/** Source: k8s.io/kubernetes core/validation.ValidateLoadBalancerStatus. */
export function checkServiceStatus(errors: FieldErrors, service: Service): void {
  const ingress = service.status?.loadBalancer?.ingress ?? []
  const field = 'status.loadBalancer.ingress'
  if (service.spec?.type !== 'LoadBalancer' && ingress.length > 0) {
    return errors.forbidden(field, "may only be used when `spec.type` is 'LoadBalancer'")
  }
  ingress.forEach((one, i) => {
    if (one.ip) checkIp(errors, `${field}[${i}].ip`, one.ip)
    if (one.hostname) errors.invalidEach(`${field}[${i}].hostname`, one.hostname, checkSubdomainName(one.hostname))
    errors.oneOf(`${field}[${i}].ipMode`, one.ipMode, ['Proxy', 'VIP'])
  })
}

function checkExternalName(errors: FieldErrors, spec: ServiceSpec): void {
  if (spec.clusterIPs?.length) errors.forbidden('spec.clusterIPs', 'may not be set for ExternalName services')
  if (spec.ipFamilies?.length) errors.forbidden('spec.ipFamilies', 'may not be set for ExternalName services')
  if (spec.ipFamilyPolicy !== undefined) errors.forbidden('spec.ipFamilyPolicy', 'may not be set for ExternalName services')
  // a trailing dot marks a name as complete
  const name = (spec.externalName ?? '').replace(/\.$/, '')
  if (name === '') errors.required('spec.externalName')
  else errors.invalidEach('spec.externalName', name, checkSubdomainName(name))
}

function checkPorts(errors: FieldErrors, spec: ServiceSpec): void {
  const ports = spec.ports ?? []
  const seen = { names: new Set<string>(), nodePorts: new Set<string>(), ports: new Set<string>() }
  ports.forEach((port, i) => {
    const field = `spec.ports[${i}]`
    checkServicePort(errors, field, port, { needsName: ports.length > 1, names: seen.names })
    const protocol = port.protocol ?? 'TCP'
    if (port.nodePort) {
      if (spec.type === 'ClusterIP') errors.forbidden(`${field}.nodePort`, "may not be used when `type` is 'ClusterIP'")
      const key = `${protocol}/${port.nodePort}`
      if (seen.nodePorts.has(key)) errors.duplicate(`${field}.nodePort`, port.nodePort)
      seen.nodePorts.add(key)
    }
    const key = `${protocol}/${port.port}`
    if (seen.ports.has(key)) errors.duplicate(field, { protocol, port: port.port })
    seen.ports.add(key)
  })
}

function checkServicePort(
  errors: FieldErrors,
  field: string,
  port: ServicePort,
  options: { readonly needsName: boolean; readonly names: Set<string> },
): void {
  const { name } = port
  if (name) {
    errors.invalidEach(`${field}.name`, name, checkLabelName(name))
    if (options.names.has(name)) errors.duplicate(`${field}.name`, name)
    options.names.add(name)
  } else if (options.needsName) {
    errors.required(`${field}.name`)
  }
  errors.invalidEach(`${field}.port`, port.port ?? 0, checkPortNumber(port.port ?? 0))
  checkPort(errors, `${field}.targetPort`, port.targetPort ?? port.port)
  if (port.appProtocol !== undefined) errors.invalidEach(`${field}.appProtocol`, port.appProtocol, checkQualifiedName(port.appProtocol))
}

function checkAffinity(errors: FieldErrors, spec: ServiceSpec): void {
  const field = 'spec.sessionAffinityConfig'
  if (spec.sessionAffinity !== 'ClientIP') {
    if (spec.sessionAffinityConfig) errors.forbidden(field, 'must not be set when session affinity is None')
    return
  }
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds
  if (seconds === undefined) errors.required(`${field}.clientIP.timeoutSeconds`, 'when session affinity type is ClientIP')
  else if (seconds <= 0 || seconds > MAX_AFFINITY_SECONDS) {
    errors.invalid(`${field}.clientIP.timeoutSeconds`, seconds, `must be greater than 0 and less than ${MAX_AFFINITY_SECONDS}`)
  }
}

function checkLoadBalancer(errors: FieldErrors, spec: ServiceSpec): void {
  const balanced = spec.type === 'LoadBalancer'
  if (spec.loadBalancerSourceRanges?.length) {
    const field = 'spec.LoadBalancerSourceRanges'
    if (!balanced) errors.forbidden(field, ONLY_LOAD_BALANCER)
    spec.loadBalancerSourceRanges.forEach((range, i) => checkCidr(errors, `${field}[${i}]`, range.trim()))
  }
  if (balanced) {
    const name = spec.loadBalancerClass
    if (name !== undefined) errors.invalidEach('spec.loadBalancerClass', name, checkQualifiedName(name))
    return
  }
  for (const key of ['allocateLoadBalancerNodePorts', 'loadBalancerClass'] as const) {
    if (spec[key] !== undefined) errors.forbidden(`spec.${key}`, ONLY_LOAD_BALANCER)
  }
}

function checkTraffic(errors: FieldErrors, spec: ServiceSpec): void {
  const external = spec.externalTrafficPolicy
  if (external && !isExternallyAccessible(spec)) {
    errors.invalid('spec.externalTrafficPolicy', external, 'may only be set for externally-accessible services')
  }
  if (spec.healthCheckNodePort && !(spec.type === 'LoadBalancer' && external === 'Local')) {
    const text = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
    errors.invalid('spec.healthCheckNodePort', spec.healthCheckNodePort, text)
  }
  errors.oneOf('spec.trafficDistribution', spec.trafficDistribution, DISTRIBUTIONS)
}

/** Whether anything outside of the cluster can reach the service. */
export function isExternallyAccessible(spec: ServiceSpec): boolean {
  return spec.type === 'LoadBalancer' || spec.type === 'NodePort' || (spec.type === 'ClusterIP' && Boolean(spec.externalIPs?.length))
}

function checkClusterIps(errors: FieldErrors, spec: ServiceSpec): void {
  const { clusterIP, clusterIPs = [], ipFamilies = [] } = spec
  const field = 'spec.clusterIPs'
  if (clusterIP) {
    if (clusterIPs.length === 0) errors.required(field)
    else if (clusterIPs[0] !== clusterIP) errors.invalid(field, clusterIPs, 'first value must match `clusterIP`')
  } else if (clusterIPs.length > 0) {
    errors.invalid(field, clusterIPs, 'must be empty when `clusterIP` is not specified')
  }
  ipFamilies.forEach((family, i) => {
    if (ipFamilies.indexOf(family) !== i) errors.duplicate(`spec.ipFamilies[${i}]`, family)
  })
  if (clusterIPs[0] === 'None') {
    if (clusterIPs.length > 1) errors.invalid(field, clusterIPs, "'None' must be the first and only value")
    return
  }
  if (!clusterIPs.map((address, i) => checkIp(errors, `${field}[${i}]`, address)).every(Boolean)) return
  if (clusterIPs.length > 2) errors.invalid(field, clusterIPs, 'may only hold up to 2 values')
  if (clusterIPs.length > 1 && !isDualStack(clusterIPs)) {
    errors.invalid(field, clusterIPs, 'may specify no more than one IP for each IP family')
  }
  clusterIPs.forEach((address, i) => {
    const family = ipFamilies[i]
    if (family === undefined || (family === 'IPv6') === isIPv6(address)) return
    errors.invalid(`${field}[${i}]`, address, `expected an ${family} value as indicated by \`ipFamilies[${i}]\``)
  })
}

/** What has been allocated: the first stays, the second may come and go. */
function checkAllocated(
  errors: FieldErrors,
  list: { readonly name: 'clusterIPs' | 'ipFamilies'; readonly one: string },
  specs: { readonly next: ServiceSpec; readonly previous: ServiceSpec },
): void {
  const [now, before] = [specs.next[list.name] ?? [], specs.previous[list.name] ?? []]
  const field = `spec.${list.name}`
  if (now.length === before.length) {
    before.forEach((value, i) => {
      if (value !== now[i]) errors.invalid(`${field}[${list.name === 'clusterIPs' ? i : 0}]`, now, FIXED)
    })
    return
  }
  if (now.length === 0) errors.invalid(`${field}[0]`, now, `primary ${list.one} can not be unset`)
  else if (before.length > 0 && now[0] !== before[0]) errors.invalid(`${field}[0]`, now, FIXED)
  if (now.length === 1 && before.length > 1 && specs.next.ipFamilyPolicy !== 'SingleStack') {
    const text = `must be set to 'SingleStack' when releasing the secondary ${list.one}`
    errors.invalid('spec.ipFamilyPolicy', specs.next.ipFamilyPolicy, text)
  }
}
