import type { KindDefinition } from '../../../api/kind.ts'
import { fieldSelectorMatcher, parseFieldSelector, requiredField, type FieldSelector } from '../../../api/meta/field-selector.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import { parseLabelSelector } from '../../../api/meta/selector.ts'

/** Which objects of a resource a list, watch or deletecollection is about. */
export interface Selection {
  /** '' for all namespaces. */
  readonly namespace: string
  /** Set when the field selector names one object: then no other can match. */
  readonly name?: string
  /** Absent when every object (of that namespace and name) matches, so that none needs to be parsed. */
  readonly matches?: (object: KubeObject) => boolean
  /** A field that must have this one value: lets a watch be looked up by it. */
  readonly trigger?: { readonly field: string; readonly value: string; readonly read: (object: KubeObject) => string }
}

/**
 * Compiles the selectors of a request.
 * @throws {StatusError} `BadRequest` for text that cannot be parsed and for fields that the kind does not offer
 */
export function selectionOf(
  kind: KindDefinition,
  namespace: string,
  selectors: { readonly labels?: string | undefined; readonly fields?: string | undefined },
): Selection {
  const fields = parseFieldSelector(selectors.fields ?? '')
  const byFields = fields.requirements.length === 0 ? undefined : fieldSelectorMatcher(fields, kind)
  const name = requiredField(fields, 'metadata.name')
  const labels = selectors.labels ? parseLabelSelector(selectors.labels) : undefined
  // one field selector `metadata.name=x` says nothing beyond the key
  const needed = byFields && !(fields.requirements.length === 1 && name !== undefined) ? byFields : undefined
  const matches = bothOf(needed, labels && ((object: KubeObject) => labels(object.metadata.labels)))
  const trigger = name === undefined ? triggerOf(kind, fields) : undefined
  return { namespace, ...(name === undefined ? {} : { name }), ...(matches ? { matches } : {}), ...(trigger ? { trigger } : {}) }
}

type Predicate = (object: KubeObject) => boolean

function bothOf(a: Predicate | undefined, b: Predicate | undefined): Predicate | undefined {
  if (!a || !b) return a ?? b
  return (object) => a(object) && b(object)
}

function triggerOf(kind: KindDefinition, fields: FieldSelector): Selection['trigger'] {
  for (const { key, op, value } of fields.requirements) {
    const read = kind.fieldSelectors?.[key]
    if (op === '=' && read) return { field: key, value, read }
  }
  return undefined
}
