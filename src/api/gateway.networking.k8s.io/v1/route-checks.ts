import type { FieldErrors } from '../../validation/field-errors.ts'
import { GATEWAY_GROUP, type BackendObjectReference, type ParentReference } from './references.ts'

/** What the schema cannot say: an empty group stands for core, only an absent one has a default. */
export function defaultParents(spec: { parentRefs?: ParentReference[] | undefined } | undefined): void {
  const parents = spec?.parentRefs
  if (Array.isArray(parents)) for (const parent of parents) if (typeof parent === 'object' && parent) parent.group ??= GATEWAY_GROUP
}

/** Several references to one parent must be told apart, by section or (where `ports`) by port. */
export function checkParents(errors: FieldErrors, parents: readonly ParentReference[], ports: boolean): void {
  const what = ports ? 'sectionName or port' : 'sectionName'
  parents.forEach((parent, i) => {
    const field = `spec.parentRefs[${i}]`
    const same = parents.slice(0, i).filter((other) => keyOfParent(other) === keyOfParent(parent))
    const shape = (one: ParentReference): string => `${!one.sectionName} ${ports && !one.port}`
    const section = (one: ParentReference): string => `${one.sectionName ?? ''} ${ports ? (one.port ?? '') : ''}`
    if (same.some((other) => shape(other) !== shape(parent)))
      errors.required(field, `${what} must be set on all references to the same parent`)
    else if (same.some((other) => section(other) === section(parent))) {
      errors.duplicate(field, parent.name, `${what} must be unique among references to the same parent`)
    }
  })
}

const keyOfParent = ({ group, kind, namespace, name }: ParentReference): string => JSON.stringify([group, kind, namespace ?? '', name])

/** A Service is named together with a port. */
export function checkBackend(errors: FieldErrors, field: string, { group = '', kind = 'Service', port }: BackendObjectReference): void {
  if (group === '' && kind === 'Service' && port === undefined) errors.required(`${field}.port`, 'must have port for Service reference')
}

/** Names of rules are unique, and all rules together have at most 128 matches. */
export function checkRules(
  errors: FieldErrors,
  rules: readonly { name?: string | undefined; matches?: readonly unknown[] | undefined }[],
): void {
  rules.forEach(({ name }, i) => {
    if (name !== undefined && rules.findIndex((other) => other.name === name) !== i) errors.duplicate(`spec.rules[${i}].name`, name)
  })
  const matches = rules.reduce((sum, rule) => sum + (rule.matches?.length ?? 0), 0)
  if (matches > 128) errors.tooMany('spec.rules', matches, 128)
}

/** Keys of a list of maps are unique. */
export function checkUnique(errors: FieldErrors, field: string, list: readonly { name: string }[] | undefined): void {
  const names = new Set<string>()
  list?.forEach(({ name }, i) => {
    if (names.has(name)) errors.duplicate(`${field}[${i}].name`, name)
    names.add(name)
  })
}
