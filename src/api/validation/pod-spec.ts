import type { PodDNSConfig, PodSpec } from '../generated/types.ts'
import { checkLabelName, checkQualifiedName, checkSubdomainName } from '../meta/names.ts'
import { containersWithPath } from '../pod-status.ts'
import { checkAffinity, checkTopologySpread } from './affinity.ts'
import { checkContainers } from './container.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkIp } from './ip.ts'
import { checkLabels } from './labels.ts'
import { checkRange, checkUnderscoreSubdomain } from './names.ts'
import { compareIfQuantities } from './quantities.ts'
import { checkResources, shownQuantity } from './resources.ts'
import { checkPodSecurityContext } from './security-context.ts'
import { checkTolerations } from './tolerations.ts'
import { checkVolumes } from './volume.ts'

export interface PodSpecOptions {
  /** Name of the pod; undefined for a template or where the name is not known yet. */
  readonly podName?: string | undefined
  /** The spec is a pod's own, not a template's: a few rules that came late hold only there. */
  readonly isPod?: boolean
}

const MAX_INT32 = 2 ** 31 - 1

/** Everything that can be said of a pod's spec by itself. Source: k8s.io/kubernetes core/validation.ValidatePodSpec. */
export function checkPodSpec(errors: FieldErrors, field: string, spec: PodSpec, options: PodSpecOptions = {}): void {
  const volumes = checkVolumes(errors, `${field}.volumes`, spec.volumes, { podName: options.podName })
  const claims = checkPodClaims(errors, `${field}.resourceClaims`, spec)
  checkContainers(errors, field, { spec, volumes, claims })
  checkPodResources(errors, `${field}.resources`, spec)
  checkHostNetworkPorts(errors, field, spec, options)
  checkChoices(errors, field, spec)
  checkLabels(errors, `${field}.nodeSelector`, spec.nodeSelector)
  checkPodSecurityContext(errors, `${field}.securityContext`, spec)
  checkAffinity(errors, `${field}.affinity`, spec.affinity)
  checkDns(errors, `${field}.dnsConfig`, spec)
  checkGates(errors, field, spec)
  checkTopologySpread(errors, `${field}.topologySpreadConstraints`, spec.topologySpreadConstraints)
  checkHostUsers(errors, field, spec)
  checkNamesOf(errors, field, spec)
  checkTolerations(errors, `${field}.tolerations`, spec.tolerations)
  checkHostAliases(errors, `${field}.hostAliases`, spec)
  checkResources(errors, `${field}.overhead`, spec.overhead ? { limits: spec.overhead } : undefined)
  if (options.isPod) checkImages(errors, field, spec)
}

function checkChoices(errors: FieldErrors, field: string, spec: PodSpec): void {
  const deadline = spec.activeDeadlineSeconds
  if (deadline !== undefined) errors.invalidEach(`${field}.activeDeadlineSeconds`, deadline, checkRange(deadline, 1, MAX_INT32))
  if (spec.os && !spec.os.name) errors.required(`${field}.os.name`)
}

function checkNamesOf(errors: FieldErrors, field: string, spec: PodSpec): void {
  for (const key of ['serviceAccountName', 'nodeName', 'priorityClassName'] as const) {
    const name = spec[key]
    if (name) errors.invalidEach(`${field}.${key}`, name, checkSubdomainName(name))
  }
  if (spec.runtimeClassName !== undefined) {
    errors.invalidEach(`${field}.runtimeClassName`, spec.runtimeClassName, checkSubdomainName(spec.runtimeClassName))
  }
  for (const key of ['hostname', 'subdomain'] as const) {
    const name = spec[key]
    if (name) errors.invalidEach(`${field}.${key}`, name, checkLabelName(name))
  }
  const override = spec.hostnameOverride
  if (override === undefined) return
  if (spec.setHostnameAsFQDN) errors.forbidden(`${field}.hostnameOverride`, 'may not be specified when setHostnameAsFQDN is true')
  if (spec.hostNetwork) errors.forbidden(`${field}.hostnameOverride`, 'may not be specified when hostNetwork is true')
  if (override.length > 64) errors.tooLong(`${field}.hostnameOverride`, 64)
  errors.invalidEach(`${field}.hostnameOverride`, override, checkSubdomainName(override))
}

function checkPodClaims(errors: FieldErrors, field: string, spec: PodSpec): ReadonlySet<string> {
  const names = new Set<string>()
  spec.resourceClaims?.forEach((claim, i) => {
    const path = `${field}[${i}]`
    if (!claim.name) errors.required(`${path}.name`)
    else if (names.has(claim.name)) errors.duplicate(`${path}.name`, claim.name)
    else errors.invalidEach(`${path}.name`, claim.name, checkLabelName(claim.name))
    if (claim.name) names.add(claim.name)
    if (claim.resourceClaimName !== undefined && claim.resourceClaimTemplateName !== undefined) {
      errors.invalid(path, claim, 'at most one of `resourceClaimName` or `resourceClaimTemplateName` may be specified')
    } else if (claim.resourceClaimName === undefined && claim.resourceClaimTemplateName === undefined) {
      errors.invalid(path, claim, 'must specify one of: `resourceClaimName`, `resourceClaimTemplateName`')
    }
    for (const key of ['resourceClaimName', 'resourceClaimTemplateName'] as const) {
      const name = claim[key]
      if (name !== undefined) errors.invalidEach(`${path}.${key}`, name, checkSubdomainName(name))
    }
  })
  return names
}

/** Resources of the pod as a whole: what its containers share. */
function checkPodResources(errors: FieldErrors, field: string, spec: PodSpec): void {
  if (!spec.resources) return
  if (spec.resources.claims) errors.forbidden(`${field}.claims`, 'claims may not be set for Resources at pod-level')
  checkResources(errors, field, { ...spec.resources, claims: undefined })
  spec.containers?.forEach((container, i) => {
    for (const [name, limit] of Object.entries(container.resources?.limits ?? {})) {
      const most = spec.resources?.limits?.[name]
      if (most === undefined || (compareIfQuantities(limit, most) ?? 0) <= 0) continue
      const path = `${field}.containers[${i}][${name}].limits`
      errors.invalid(path, shownQuantity(limit), `must be less than or equal to pod limits of ${shownQuantity(most)}`)
    }
  })
}

function checkHostNetworkPorts(errors: FieldErrors, field: string, spec: PodSpec, options: PodSpecOptions): void {
  if (!spec.hostNetwork) return
  spec.containers?.forEach((container, i) => {
    container.ports?.forEach((port, j) => {
      const hostPort = port.hostPort ?? 0
      // templates may leave it open: it is filled in when the pod is made
      if (hostPort === port.containerPort || (hostPort === 0 && !options.isPod)) return
      const path = `${field}.containers[${i}].ports[${j}].hostPort`
      errors.invalid(path, hostPort, 'must match `containerPort` when `hostNetwork` is true')
    })
  })
}

function checkDns(errors: FieldErrors, field: string, spec: PodSpec): void {
  const config = spec.dnsConfig
  if (spec.dnsPolicy === 'None' && !config) return errors.required(field, 'must provide `dnsConfig` when `dnsPolicy` is None')
  if (spec.dnsPolicy === 'None' && !config?.nameservers?.length) {
    const text = 'must provide at least one DNS nameserver when `dnsPolicy` is None'
    return errors.required(`${field}.nameservers`, text)
  }
  if (config) checkDnsConfig(errors, field, config)
}

function checkDnsConfig(errors: FieldErrors, field: string, config: PodDNSConfig): void {
  const { nameservers = [], searches = [], options = [] } = config
  if (nameservers.length > 3) errors.invalid(`${field}.nameservers`, nameservers, 'must not have more than 3 nameservers')
  nameservers.forEach((address, i) => checkIp(errors, `${field}.nameservers[${i}]`, address))
  if (searches.length > 32) errors.invalid(`${field}.searches`, searches, 'must not have more than 32 search paths')
  if (searches.join(' ').length > 2048) {
    errors.invalid(`${field}.searches`, searches, 'must not have more than 2048 characters (including spaces) in the search list')
  }
  searches.forEach((search, i) => {
    const name = search.replace(/\.$/, '')
    if (search !== '.') errors.invalidEach(`${field}.searches[${i}]`, name, checkUnderscoreSubdomain(name))
  })
  options.forEach((option, i) => {
    if (!option.name) errors.required(`${field}.options[${i}]`, 'must not be empty')
  })
}

function checkGates(errors: FieldErrors, field: string, spec: PodSpec): void {
  spec.readinessGates?.forEach(({ conditionType }, i) => {
    errors.invalidEach(`${field}.readinessGates[${i}].conditionType`, conditionType, checkQualifiedName(conditionType ?? ''))
  })
  const seen = new Set<string>()
  spec.schedulingGates?.forEach(({ name }, i) => {
    errors.invalidEach(`${field}.schedulingGates[${i}]`, name, checkQualifiedName(name ?? ''))
    if (seen.has(name)) errors.duplicate(`${field}.schedulingGates[${i}]`, name)
    seen.add(name)
  })
}

function checkHostUsers(errors: FieldErrors, field: string, spec: PodSpec): void {
  if (spec.hostUsers !== false) return
  if (spec.hostNetwork) errors.forbidden(`${field}.hostNetwork`, 'when `hostUsers` is false')
  // upstream writes these two with capitals
  if (spec.hostPID) errors.forbidden(`${field}.HostPID`, 'when `hostUsers` is false')
  if (spec.hostIPC) errors.forbidden(`${field}.HostIPC`, 'when `hostUsers` is false')
  for (const { path, container } of containersWithPath(spec, field)) {
    if (container.volumeDevices?.length) errors.forbidden(`${path}.volumeDevices`, 'when `hostUsers` is false')
  }
}

function checkHostAliases(errors: FieldErrors, field: string, spec: PodSpec): void {
  spec.hostAliases?.forEach((alias, i) => {
    checkIp(errors, `${field}[${i}].ip`, alias.ip ?? '')
    alias.hostnames?.forEach((name, j) => errors.invalidEach(`${field}[${i}].hostnames[${j}]`, name, checkSubdomainName(name)))
  })
}

function checkImages(errors: FieldErrors, field: string, spec: PodSpec): void {
  for (const { path, container } of containersWithPath(spec, field)) {
    const image = container.image ?? ''
    if (image.trim() !== image) errors.invalid(`${path}.image`, image, 'must not have leading or trailing whitespace')
  }
  if (spec.serviceAccountName) return
  spec.volumes?.forEach((volume, i) => {
    volume.projected?.sources?.forEach((source, j) => {
      if (!source.serviceAccountToken) return
      const path = `${field}.volumes[${i}].projected.sources[${j}].serviceAccountToken`
      errors.forbidden(path, 'must not be specified when serviceAccountName is not set')
    })
  })
}
