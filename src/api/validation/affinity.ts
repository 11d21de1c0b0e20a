import type {
  Affinity,
  LabelSelector,
  NodeSelector,
  NodeSelectorRequirement,
  NodeSelectorTerm,
  PodAffinity,
  PodAffinityTerm,
  TopologySpreadConstraint,
} from '../generated/types.ts'
import { checkLabelName, checkLabelValue, checkSubdomainName } from '../meta/names.ts'
import type { FieldErrors } from './field-errors.ts'
import { checkLabelKey, checkLabelSelector } from './labels.ts'

const REQUIRED = 'requiredDuringSchedulingIgnoredDuringExecution'
const PREFERRED = 'preferredDuringSchedulingIgnoredDuringExecution'

/** Operators that select by labels but not by fields. */
const NODE_FIELD_NEVER = new Set(['Exists', 'DoesNotExist', 'Gt', 'Lt'])

export function checkAffinity(errors: FieldErrors, field: string, affinity: Affinity | undefined): void {
  const node = affinity?.nodeAffinity
  if (node?.[REQUIRED]) checkNodeSelector(errors, `${field}.nodeAffinity.${REQUIRED}`, node[REQUIRED])
  node?.[PREFERRED]?.forEach((term, i) => {
    const path = `${field}.nodeAffinity.${PREFERRED}[${i}]`
    checkWeight(errors, `${path}.weight`, term.weight)
    // values are free here: a preference that nothing satisfies does no harm
    checkNodeSelectorTerm(errors, `${path}.preference`, term.preference ?? {}, { anyValue: true })
  })
  if (affinity?.podAffinity) checkPodAffinity(errors, `${field}.podAffinity`, affinity.podAffinity)
  if (affinity?.podAntiAffinity) checkPodAffinity(errors, `${field}.podAntiAffinity`, affinity.podAntiAffinity)
}

export function checkNodeSelector(errors: FieldErrors, field: string, selector: NodeSelector): void {
  const terms = selector.nodeSelectorTerms ?? []
  if (terms.length === 0) errors.required(`${field}.nodeSelectorTerms`, 'must have at least one node selector term')
  terms.forEach((term, i) => checkNodeSelectorTerm(errors, `${field}.nodeSelectorTerms[${i}]`, term))
}

export function checkTopologySpread(
  errors: FieldErrors,
  field: string,
  constraints: readonly TopologySpreadConstraint[] | undefined,
): void {
  const keyOf = (one: TopologySpreadConstraint): string => `{${one.topologyKey}, ${one.whenUnsatisfiable}}`
  constraints?.forEach((constraint, i) => {
    const path = `${field}[${i}]`
    errors.positive(`${path}.maxSkew`, constraint.maxSkew ?? 0)
    if (!constraint.topologyKey) errors.required(`${path}.topologyKey`, 'can not be empty')
    if (constraints.slice(i + 1).some((other) => keyOf(other) === keyOf(constraint))) {
      errors.duplicate(`${path}.{topologyKey, whenUnsatisfiable}`, keyOf(constraint))
    }
    checkMinDomains(errors, `${path}.minDomains`, constraint)
    checkMatchKeys(errors, path, constraint)
    checkLabelSelector(errors, `${path}.labelSelector`, constraint.labelSelector)
  })
}

function checkMinDomains(errors: FieldErrors, field: string, constraint: TopologySpreadConstraint): void {
  const { minDomains, whenUnsatisfiable } = constraint
  if (minDomains === undefined) return
  errors.positive(field, minDomains)
  if (whenUnsatisfiable !== 'DoNotSchedule') {
    errors.invalid(field, minDomains, `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${whenUnsatisfiable}`)
  }
}

function checkNodeSelectorTerm(
  errors: FieldErrors,
  field: string,
  term: NodeSelectorTerm,
  options: { readonly anyValue?: boolean } = {},
): void {
  term.matchExpressions?.forEach((one, i) => checkNodeExpression(errors, `${field}.matchExpressions[${i}]`, one, options))
  term.matchFields?.forEach((one, i) => checkNodeField(errors, `${field}.matchFields[${i}]`, one))
}

function checkNodeExpression(
  errors: FieldErrors,
  field: string,
  requirement: NodeSelectorRequirement,
  options: { readonly anyValue?: boolean },
): void {
  const values = requirement.values ?? []
  switch (requirement.operator) {
    case 'In':
    case 'NotIn':
      if (values.length === 0) errors.required(`${field}.values`, "must be specified when `operator` is 'In' or 'NotIn'")
      break
    case 'Exists':
    case 'DoesNotExist':
      if (values.length > 0) errors.forbidden(`${field}.values`, "may not be specified when `operator` is 'Exists' or 'DoesNotExist'")
      break
    case 'Gt':
    case 'Lt':
      if (values.length !== 1) errors.required(`${field}.values`, "must be specified single value when `operator` is 'Lt' or 'Gt'")
      break
    default:
    // the schema refuses other operators
  }
  checkLabelKey(errors, `${field}.key`, requirement.key ?? '')
  if (options.anyValue) return
  values.forEach((value, i) => errors.invalidEach(`${field}.values[${i}]`, value, checkLabelValue(value)))
}

function checkNodeField(errors: FieldErrors, field: string, requirement: NodeSelectorRequirement): void {
  const values = requirement.values ?? []
  if (NODE_FIELD_NEVER.has(requirement.operator)) {
    errors.invalid(`${field}.operator`, requirement.operator, 'not a valid selector operator')
  } else if (values.length !== 1) {
    errors.required(`${field}.values`, "must be only one value when `operator` is 'In' or 'NotIn' for node field selector")
  }
  if (requirement.key !== 'metadata.name') return errors.invalid(`${field}.key`, requirement.key, 'not a valid field selector key')
  values.forEach((value, i) => errors.invalidEach(`${field}.values[${i}]`, value, checkSubdomainName(value)))
}

function checkPodAffinity(errors: FieldErrors, field: string, affinity: PodAffinity): void {
  affinity[REQUIRED]?.forEach((term, i) => checkPodAffinityTerm(errors, `${field}.${REQUIRED}[${i}]`, term))
  affinity[PREFERRED]?.forEach((term, i) => {
    const path = `${field}.${PREFERRED}[${i}]`
    checkWeight(errors, `${path}.weight`, term.weight)
    if (term.podAffinityTerm) checkPodAffinityTerm(errors, `${path}.podAffinityTerm`, term.podAffinityTerm)
    else errors.required(`${path}.podAffinityTerm.topologyKey`, 'can not be empty')
  })
}

function checkPodAffinityTerm(errors: FieldErrors, field: string, term: PodAffinityTerm): void {
  checkLabelSelector(errors, `${field}.labelSelector`, term.labelSelector)
  checkLabelSelector(errors, `${field}.namespaceSelector`, term.namespaceSelector)
  for (const name of term.namespaces ?? []) errors.invalidEach(`${field}.namespace`, name, checkLabelName(name))
  checkMatchKeys(errors, field, term)
  if (!term.topologyKey) errors.required(`${field}.topologyKey`, 'can not be empty')
  checkLabelKey(errors, `${field}.topologyKey`, term.topologyKey ?? '')
}

function checkWeight(errors: FieldErrors, field: string, weight: number | undefined): void {
  if (weight === undefined || weight < 1 || weight > 100) errors.invalid(field, weight ?? 0, 'must be in the range 1-100')
}

interface MatchKeys {
  readonly matchLabelKeys?: readonly string[] | undefined
  readonly mismatchLabelKeys?: readonly string[] | undefined
  readonly labelSelector?: LabelSelector | undefined
}

function checkMatchKeys(errors: FieldErrors, field: string, keys: MatchKeys): void {
  for (const list of ['matchLabelKeys', 'mismatchLabelKeys'] as const) {
    const names = keys[list] ?? []
    if (names.length > 0 && !keys.labelSelector) {
      errors.forbidden(`${field}.${list}`, 'must not be specified when labelSelector is not set')
    } else {
      names.forEach((name, i) => checkLabelKey(errors, `${field}.${list}[${i}]`, name))
    }
  }
  const selected = new Set(keys.labelSelector?.matchExpressions?.map((expression) => expression.key))
  for (const key of Object.keys(keys.labelSelector?.matchLabels ?? {})) selected.add(key)
  keys.matchLabelKeys?.forEach((key, i) => {
    const path = `${field}.matchLabelKeys[${i}]`
    if (selected.has(key)) errors.invalid(path, key, 'exists in both matchLabelKeys and labelSelector')
    if (keys.mismatchLabelKeys?.includes(key)) errors.invalid(path, key, 'exists in both matchLabelKeys and mismatchLabelKeys')
  })
}
