// The tables of `kubectl get`: what every kind shares. A kind lists its own columns beside its definition; here are the
// Name and Age columns, the order in which a server must send them, and the cell formats that several kinds use.
// Source of names, order and cells: k8s.io/kubernetes pkg/printers/internalversion.
import type { Container, LabelSelector, PodSpec } from '../generated/types.ts'
import type { Column, KindDefinition } from '../kind.ts'
import type { KubeObject } from '../meta/object.ts'
import { ageSince } from './human-duration.ts'

export const nameColumn: Column<KubeObject> = {
  name: 'Name',
  type: 'string',
  format: 'name',
  description: 'Name of the object, unique within its namespace.',
  value: (object) => object.metadata.name,
}

export const ageColumn: Column<KubeObject> = {
  name: 'Age',
  type: 'string',
  description: 'Time since the object was created.',
  value: (object, nowMs) => ageSince(object.metadata.creationTimestamp, nowMs),
}

/** The columns of a kind's table in the order of the wire, Name and Age included. */
export function tableColumns<T extends KubeObject>(kind: KindDefinition<T>): readonly Column<T>[] {
  const own = kind.columns ?? []
  if (kind.ownColumns) return own
  return [nameColumn, ...own.filter((column) => !column.priority), ageColumn, ...own.filter((column) => column.priority === 1)]
}

/** The wide columns Containers and Images of everything that has a pod template. */
export function containerColumns<T>(podSpecOf: (object: T) => PodSpec | undefined): Column<T>[] {
  const list = (object: T, cell: (container: Container) => string | undefined): string =>
    (podSpecOf(object)?.containers ?? []).map((container) => cell(container) ?? '').join(',')
  return [
    {
      name: 'Containers',
      type: 'string',
      priority: 1,
      description: 'Names of each container in the template.',
      value: (object) => list(object, (container) => container.name),
    },
    {
      name: 'Images',
      type: 'string',
      priority: 1,
      description: 'Images referenced by each container in the template.',
      value: (object) => list(object, (container) => container.image),
    },
  ]
}

/** `a=1,b=2`, sorted; `<none>` when there are none. */
export function formatLabels(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`)
  return pairs.length === 0 ? '<none>' : pairs.sort().join(',')
}

/** A selector in the syntax of `kubectl -l`; `<none>` when it selects everything or is absent, `<error>` when it has no meaning. */
export function formatLabelSelector(selector: LabelSelector | undefined): string {
  return labelSelectorText(selector) ?? '<error>'
}

/** As formatLabelSelector, but undefined for a selector without meaning. */
export function labelSelectorText(selector: LabelSelector | undefined): string | undefined {
  const parts: { key: string; text: string }[] = []
  for (const [key, value] of Object.entries(selector?.matchLabels ?? {})) parts.push({ key, text: `${key}=${value}` })
  for (const { key, operator, values } of selector?.matchExpressions ?? []) {
    const list = (values ?? []).toSorted().join(',')
    if (operator === 'In') parts.push({ key, text: `${key} in (${list})` })
    else if (operator === 'NotIn') parts.push({ key, text: `${key} notin (${list})` })
    else if (operator === 'Exists') parts.push({ key, text: key })
    else if (operator === 'DoesNotExist') parts.push({ key, text: `!${key}` })
    else return undefined
  }
  if (parts.length === 0) return '<none>'
  parts.sort((a, b) => (a.key < b.key ? -1 : Number(a.key > b.key)))
  return parts.map((part) => part.text).join(',')
}

/** The first `limit` entries, then ` + N more...` where `total` is larger. */
export function withMore(shown: readonly string[], total: number, limit: number): string {
  const list = shown.slice(0, limit).join(',')
  return total > limit ? `${list} + ${total - limit} more...` : list
}

/** Short forms of access modes in upstream's order: `RWO,ROX,RWX,RWOP`. */
export function formatAccessModes(modes: readonly string[] | undefined): string {
  const has = new Set(modes)
  return Object.entries(ACCESS_MODES)
    .filter(([mode]) => has.has(mode))
    .map(([, short]) => short)
    .join(',')
}

const ACCESS_MODES = { ReadWriteOnce: 'RWO', ReadOnlyMany: 'ROX', ReadWriteMany: 'RWX', ReadWriteOncePod: 'RWOP' }
