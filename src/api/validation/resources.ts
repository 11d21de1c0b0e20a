import type { CoreResourceClaim, ResourceRequirements } from '../generated/types.ts'
import { canonicalQuantity } from '../meta/quantity.ts'
import { checkLabelName, checkQualifiedName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import {
  checkResourceQuantity,
  compareIfQuantities,
  isExtendedResource,
  isHugePages,
  isOvercommitAllowed,
  quantityNanos,
} from './quantities.ts'

const CONTAINER_RESOURCES = new Set(['cpu', 'memory', 'ephemeral-storage'])
const STANDARD_RESOURCES = new Set([
  ...CONTAINER_RESOURCES,
  'requests.cpu',
  'requests.memory',
  'requests.ephemeral-storage',
  'limits.cpu',
  'limits.memory',
  'limits.ephemeral-storage',
  'pods',
  'resourcequotas',
  'services',
  'replicationcontrollers',
  'secrets',
  'configmaps',
  'persistentvolumeclaims',
  'storage',
  'requests.storage',
  'services.nodeports',
  'services.loadbalancers',
])

/** Name of a resource anywhere: one that Kubernetes knows, or one with a domain. */
export function checkResourceName(errors: FieldErrors, field: string, name: string): boolean {
  const problems = checkQualifiedName(name)
  errors.invalidEach(field, name, problems)
  if (problems.length > 0) return false
  if (name.includes('/') || STANDARD_RESOURCES.has(name) || isHugePages(name) || name.startsWith('requests.hugepages-')) return true
  errors.invalid(field, name, 'must be a standard resource type or fully qualified')
  return false
}

/** Name of a resource that a container may ask for. */
export function checkContainerResourceName(errors: FieldErrors, field: string, name: string): void {
  checkResourceName(errors, field, name)
  if (!name.includes('/')) {
    if (!CONTAINER_RESOURCES.has(name) && !isHugePages(name)) errors.invalid(field, name, 'must be a standard resource for containers')
  } else if (!name.includes('kubernetes.io/') && !isExtendedResource(name)) {
    errors.invalid(field, name, "doesn't follow extended resource name standard")
  }
}

/** Name of a resource in a ResourceQuota: also counts of objects, `count/deployments.apps`. */
export function checkQuotaResourceName(errors: FieldErrors, field: string, name: string): void {
  if (!checkResourceName(errors, field, name) || name.includes('/')) return
  if (name === 'storage') errors.invalid(field, name, 'must be a standard resource for quota')
}

/** Names and amounts; requests within limits. Source: k8s.io/kubernetes ValidateContainerResourceRequirements. */
export function checkResources(
  errors: FieldErrors,
  field: string,
  resources: ResourceRequirements | undefined,
  options: { readonly claims?: ReadonlySet<string> } = {},
): void {
  if (!resources) return
  const limits = Object.entries(resources.limits ?? {})
  const requests = Object.entries(resources.requests ?? {})
  for (const [name, text] of limits) checkAmount(errors, `${field}.limits[${name}]`, name, text)
  for (const [name, text] of requests) {
    checkAmount(errors, `${field}.requests[${name}]`, name, text)
    checkRequest(errors, field, name, { request: text, limit: resources.limits?.[name] })
  }
  const names = [...limits, ...requests].map(([name]) => name)
  if (names.some(isHugePages) && !names.includes('cpu') && !names.includes('memory')) {
    errors.forbidden(field, 'HugePages require cpu or memory')
  }
  checkClaims(errors, `${field}.claims`, resources.claims, options.claims ?? new Set())
}

function checkAmount(errors: FieldErrors, field: string, name: string, text: string): void {
  checkContainerResourceName(errors, field, name)
  checkResourceQuantity(errors, field, name, text)
}

function checkRequest(
  errors: FieldErrors,
  field: string,
  name: string,
  amounts: { readonly request: string; readonly limit: string | undefined },
): void {
  const { request, limit } = amounts
  if (limit === undefined) {
    if (!isOvercommitAllowed(name)) errors.required(`${field}.limits`, 'Limit must be set for non overcommitable resources')
    return
  }
  const order = compareIfQuantities(request, limit)
  if (order === undefined) return
  const [asked, most] = [canonicalQuantity(request), canonicalQuantity(limit)]
  if (order !== 0 && !isOvercommitAllowed(name)) {
    errors.invalid(`${field}.requests`, asked, `must be equal to ${name} limit of ${most}`)
  } else if (order > 0) {
    errors.invalid(`${field}.requests`, asked, `must be less than or equal to ${name} limit of ${most}`)
  }
}

function checkClaims(
  errors: FieldErrors,
  field: string,
  claims: readonly CoreResourceClaim[] | undefined,
  known: ReadonlySet<string>,
): void {
  const seen = new Set<string>()
  claims?.forEach(({ name, request }, i) => {
    const path = `${field}[${i}]`
    if (!name) return errors.required(path)
    if (request) errors.invalidEach(`${path}.request`, request, checkLabelName(request))
    const key = request ? `${name}/${request}` : name
    const overlaps = seen.has(name) || seen.has(key) || (!request && [...seen].some((one) => one.startsWith(`${name}/`)))
    if (overlaps) errors.duplicate(path, seen.has(name) ? name : key)
    seen.add(key)
    if (known.has(name)) return
    const list = known.size === 0 ? ' which is empty' : `: ${[...known].toSorted().join(', ')}`
    errors.notFound(path, name, `must be one of the names in pod.spec.resourceClaims${list}`)
  })
}

/** The canonical text of a quantity, or the text itself where it is none: for messages and cells. */
export function shownQuantity(text: string): string {
  return quantityNanos(text) === undefined ? text : canonicalQuantity(text)
}
