import type { LabelSelector } from '../../../api/generated/types.ts'
import { labelSelectorMatcher, labelSelectorRequirements, type LabelMatcher } from '../../../api/meta/selector.ts'

/** What selects pods or nodes, in a form that equal selectors share. */
export interface Selection {
  readonly key: string
  readonly kind: 'pods' | 'nodes'
  /** Pods of this namespace only. */
  readonly namespace?: string
  /** Pods of the namespaces whose labels match. With neither: pods of all. */
  readonly namespaces?: LabelMatcher
  readonly matches: LabelMatcher
}

/** Pods of one namespace. @throws StatusError for a selector that cannot be understood */
export function podsOfNamespace(namespace: string, pods: LabelSelector): Selection {
  return { key: `pods ${namespace} ${canonical(pods)}`, kind: 'pods', namespace, matches: labelSelectorMatcher(pods) }
}

/** Pods of the namespaces that a selector selects. @throws StatusError for a selector that cannot be understood */
export function podsOfNamespaces(namespaces: LabelSelector, pods: LabelSelector): Selection {
  const all = canonical(namespaces)
  return {
    key: `pods * ${all} ${canonical(pods)}`,
    kind: 'pods',
    ...(all === '[]' ? {} : { namespaces: labelSelectorMatcher(namespaces) }),
    matches: labelSelectorMatcher(pods),
  }
}

/** @throws StatusError for a selector that cannot be understood */
export function selectedNodes(nodes: LabelSelector): Selection {
  return { key: `nodes ${canonical(nodes)}`, kind: 'nodes', matches: labelSelectorMatcher(nodes) }
}

function canonical(selector: LabelSelector): string {
  const rows = labelSelectorRequirements(selector).map(({ key, operator, values }) => JSON.stringify([key, operator, [...values].sort()]))
  return `[${[...new Set(rows)].sort().join(',')}]`
}
