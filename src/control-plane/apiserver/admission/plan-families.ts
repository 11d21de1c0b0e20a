import type { Service, ServiceSpec } from '../../../api/generated/types.ts'
import type { FieldError } from '../../../api/kind.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { FieldErrors } from '../../../api/validation/field-errors.ts'
import { checkServiceFamilies, isHeadless } from '../../../api/validation/service.ts'

type Family = 'IPv4' | 'IPv6'

/** Which families a service has; an address of its own is still missing where `clusterIPs` is shorter than `ipFamilies`. */
export type FamilyPlan =
  | Pick<ServiceSpec, 'ipFamilyPolicy' | 'ipFamilies' | 'clusterIP' | 'clusterIPs'>
  /** Nothing to decide. */
  | undefined

/**
 * Decides policy and families of a service from what its user said, what it was, and what the cluster has. Pure. A service keeps the
 * families it has when the cluster's change: only its user's hand moves it.
 * Source: kubernetes/pkg/registry/core/service/storage, initIPFamilyFields and trimFieldsForDualStackDowngrade.
 * @param configured families of the cluster, the default first
 */
export function planFamilies(
  service: Service,
  previous: Service | undefined,
  configured: readonly Family[],
): { readonly plan: FamilyPlan; readonly errors: readonly FieldError[] } {
  const spec = service.spec ?? {}
  const old = previous?.spec?.type === 'ExternalName' ? undefined : previous?.spec
  if (spec.type === 'ExternalName') return { plan: undefined, errors: [] }
  const wanted = trimmed(inherited(spec, old), old)
  const plan = { ...wanted, clusterIP: wanted.clusterIPs?.[0] ?? wanted.clusterIP }
  if (isUnchanged(wanted, old)) return { plan, errors: [] }
  const errors = new FieldErrors()
  checkServiceFamilies(errors, { ...spec, ...plan }, old)
  if (errors.list.length > 0) return { plan: undefined, errors: errors.list }
  const selectorless = Object.keys(spec.selector ?? {}).length === 0
  return decide({ ...spec, ...plan }, configured, { selectorless, errors })
}

type Wanted = Pick<ServiceSpec, 'type' | 'ipFamilyPolicy' | 'ipFamilies' | 'clusterIP' | 'clusterIPs'>

/** A client that replaces the object need not repeat what was decided. */
function inherited(spec: ServiceSpec, old: ServiceSpec | undefined): Wanted {
  return {
    clusterIP: spec.clusterIP,
    clusterIPs: spec.clusterIPs,
    ipFamilyPolicy: spec.ipFamilyPolicy ?? old?.ipFamilyPolicy,
    ipFamilies: spec.ipFamilies?.length ? spec.ipFamilies : old?.ipFamilies,
  }
}

/** Asking for one family is enough to give the second back, unless the lists were changed by hand as well. */
function trimmed(wanted: Wanted, old: ServiceSpec | undefined): Wanted {
  const { clusterIPs, ipFamilies, ipFamilyPolicy } = wanted
  if (ipFamilyPolicy !== 'SingleStack' || old?.ipFamilyPolicy === undefined || old.ipFamilyPolicy === 'SingleStack') return wanted
  return {
    ...wanted,
    clusterIPs: deepEqual(clusterIPs, old.clusterIPs) ? clusterIPs?.slice(0, 1) : clusterIPs,
    ipFamilies: deepEqual(ipFamilies, old.ipFamilies) ? ipFamilies?.slice(0, 1) : ipFamilies,
  }
}

function isUnchanged(wanted: Wanted, old: ServiceSpec | undefined): boolean {
  if (!old?.ipFamilies?.length || wanted.ipFamilyPolicy !== old.ipFamilyPolicy) return false
  return deepEqual(wanted.clusterIPs, old.clusterIPs) && deepEqual(wanted.ipFamilies, old.ipFamilies)
}

function decide(
  spec: ServiceSpec,
  configured: readonly Family[],
  { selectorless, errors }: { readonly selectorless: boolean; readonly errors: FieldErrors },
): { readonly plan: FamilyPlan; readonly errors: readonly FieldError[] } {
  const headless = isHeadless(spec)
  const addresses = headless ? [] : (spec.clusterIPs ?? [])
  const families = [...((spec.ipFamilies ?? []) as Family[])]
  addresses.slice(families.length).forEach((address) => {
    const family = address.includes(':') ? 'IPv6' : 'IPv4'
    if (configured.includes(family)) families.push(family)
    else errors.invalid(`spec.clusterIPs[${addresses.indexOf(address)}]`, spec.clusterIPs, `${family} is not configured on this cluster`)
  })
  const two = addresses.length > 1 || families.length > 1
  // endpoints written by hand may be of any family
  const policy = spec.ipFamilyPolicy ?? (two || (headless && selectorless) ? 'RequireDualStack' : 'SingleStack')
  if (policy === 'SingleStack' && two) {
    const what = addresses.length > 1 ? 'cluster IPs' : 'IP families'
    errors.invalid('spec.ipFamilyPolicy', policy, `must be RequireDualStack or PreferDualStack when multiple ${what} are specified`)
  }
  if (!(headless && selectorless)) checkConfigured(errors, { families, policy }, configured)
  if (errors.list.length > 0) return { plan: undefined, errors: errors.list }
  if (families.length === 0) families.push(configured[0] ?? 'IPv4')
  const other = families[0] === 'IPv4' ? 'IPv6' : 'IPv4'
  if (policy !== 'SingleStack' && families.length === 1 && (configured.includes(other) || (headless && selectorless))) families.push(other)
  const plan = { ipFamilyPolicy: policy, ipFamilies: families, clusterIP: spec.clusterIP, clusterIPs: spec.clusterIPs }
  return { plan, errors: [] }
}

function checkConfigured(
  errors: FieldErrors,
  { families, policy }: { readonly families: readonly Family[]; readonly policy: string },
  configured: readonly Family[],
): void {
  families.forEach((family, i) => {
    if (!configured.includes(family)) errors.invalid(`spec.ipFamilies[${i}]`, family, 'not configured on this cluster')
  })
  if (policy === 'RequireDualStack' && configured.length < 2)
    errors.invalid('spec.ipFamilyPolicy', policy, 'this cluster is not configured for dual-stack services')
}
