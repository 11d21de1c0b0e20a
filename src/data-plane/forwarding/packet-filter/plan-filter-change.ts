import { parseIp } from '../../../base/ip.ts'
import type { ElementChange, SetElement } from '../contract.ts'
import {
  counterName,
  FILTER_FAMILY,
  FILTER_TABLE,
  type FilterChain,
  type FilterMap,
  type FilterModel,
  type FilterSet,
} from './filter-model.ts'

/** How to get from one state of the table to another, in one transaction. */
export type FilterChange =
  | { readonly kind: 'none' }
  /** Only elements of sets and maps that are there. */
  | { readonly kind: 'elements'; readonly changes: readonly ElementChange[] }
  /** Chains change, and with them perhaps elements. */
  | { readonly kind: 'text'; readonly text: string }

const TABLE = `${FILTER_FAMILY} ${FILTER_TABLE}`

/** The whole table, in place of whatever is there: the kernel swaps them between two packets. */
export function replaceFilter(model: FilterModel): string {
  const lines = [`table ${TABLE} {`]
  for (const id of model.labels.keys()) lines.push(`counter ${counterName(id)} { }`)
  for (const [name, { type, elements }] of model.sets) lines.push(`set ${name} { type ${type}; ${elementsOf(elements)}}`)
  // chains before the maps and chains that jump to them
  for (const [name, { hook = '' }] of model.chains) lines.push(`chain ${name} { ${hook} }`)
  lines.push('}', `table ${TABLE} {`)
  for (const [name, { type, verdicts }] of model.maps) lines.push(`map ${name} { type ${type} : verdict; ${elementsOf(jumps(verdicts))}}`)
  for (const [name, { rules }] of model.chains) lines.push(`chain ${name} {`, ...rules, '}')
  lines.push('}')
  return `table ${TABLE}\ndelete table ${TABLE}\n${lines.join('\n')}\n`
}

/**
 * The smallest transaction from `before`, which the kernel has, to `after`. Isolation never has a gap: nothing is removed before what takes its place is
 * there, and all of it becomes true at once.
 */
export function planFilterChange(before: FilterModel, after: FilterModel): FilterChange {
  const sets = changesOf(before.sets, after.sets, (a, b) => a === b || a.elements === b.elements)
  const maps = changesOf(before.maps, after.maps, (a, b) => a === b)
  const chains = changesOf(before.chains, after.chains, sameChain)
  const counters = changesOf(before.labels, after.labels, () => true)
  const structure = [sets.added, sets.gone, chains.added, chains.gone, chains.changed, counters.added, counters.gone, maps.added, maps.gone]
  const elements = [
    ...sets.changed.map((name) => diffSet(name, before.sets.get(name) as FilterSet, after.sets.get(name) as FilterSet)),
    ...maps.changed.map((name) => diffMap(name, before.maps.get(name) as FilterMap, after.maps.get(name) as FilterMap)),
  ].filter(({ added, gone }) => added.length + gone.length > 0)
  if (structure.every((names) => names.length === 0)) {
    return elements.length === 0
      ? { kind: 'none' }
      : { kind: 'elements', changes: [...elements.flatMap(removals), ...elements.flatMap(additions)] }
  }
  const lines = [
    ...counters.added.map((id) => `add counter ${TABLE} ${counterName(id)}`),
    ...sets.added.map((name) => addSet(name, after.sets.get(name) as FilterSet)),
    ...chains.added.map((name) => `add chain ${TABLE} ${name}`),
    ...chains.changed.map((name) => `flush chain ${TABLE} ${name}`),
    ...[...chains.added, ...chains.changed].flatMap((name) =>
      (after.chains.get(name)?.rules ?? []).map((rule) => `add rule ${TABLE} ${name} ${rule}`),
    ),
    ...elements.flatMap(({ name, gone }) =>
      gone.length > 0 ? [`delete element ${TABLE} ${name} { ${gone.map(textOf).join(', ')} }`] : [],
    ),
    ...elements.flatMap(({ name, added }) =>
      added.length > 0 ? [`add element ${TABLE} ${name} { ${added.map(textOf).join(', ')} }`] : [],
    ),
    ...chains.gone.map((name) => `flush chain ${TABLE} ${name}`),
    ...chains.gone.map((name) => `delete chain ${TABLE} ${name}`),
    ...sets.gone.map((name) => `delete set ${TABLE} ${name}`),
    ...counters.gone.map((id) => `delete counter ${TABLE} ${counterName(id)}`),
  ]
  return { kind: 'text', text: `${lines.join('\n')}\n` }
}

interface Element {
  readonly key: string
  readonly chain?: string
}

interface ElementDiff {
  readonly name: string
  readonly added: readonly Element[]
  readonly gone: readonly Element[]
}

function changesOf<K, V>(
  before: ReadonlyMap<K, V>,
  after: ReadonlyMap<K, V>,
  same: (a: V, b: V) => boolean,
): { readonly added: readonly K[]; readonly changed: readonly K[]; readonly gone: readonly K[] } {
  const added: K[] = []
  const changed: K[] = []
  for (const [key, value] of after) {
    const old = before.get(key)
    if (old === undefined) added.push(key)
    else if (!same(old, value)) changed.push(key)
  }
  return { added, changed, gone: [...before.keys()].filter((key) => !after.has(key)) }
}

function sameChain(a: FilterChain, b: FilterChain): boolean {
  return a === b || (a.hook === b.hook && a.rules.length === b.rules.length && a.rules.every((rule, i) => rule === b.rules[i]))
}

function diffSet(name: string, before: FilterSet, after: FilterSet): ElementDiff {
  const added: Element[] = []
  const gone: Element[] = []
  for (const key of after.elements) if (!before.elements.has(key)) added.push({ key })
  for (const key of before.elements) if (!after.elements.has(key)) gone.push({ key })
  return { name, added, gone }
}

function diffMap(name: string, before: FilterMap, after: FilterMap): ElementDiff {
  const added: Element[] = []
  const gone: Element[] = []
  for (const [key, chain] of after.verdicts) if (before.verdicts.get(key) !== chain) added.push({ key, chain })
  for (const [key, chain] of before.verdicts) if (after.verdicts.get(key) !== chain) gone.push({ key, chain })
  return { name, added, gone }
}

function removals({ name, gone }: ElementDiff): readonly ElementChange[] {
  return gone.length === 0 ? [] : [elementChange('delete', name, gone)]
}

function additions({ name, added }: ElementDiff): readonly ElementChange[] {
  return added.length === 0 ? [] : [elementChange('add', name, added)]
}

function elementChange(op: 'add' | 'delete', set: string, elements: readonly Element[]): ElementChange {
  return { op, family: FILTER_FAMILY, table: FILTER_TABLE, set, elements: elements.map(bytesOf) }
}

function bytesOf({ key, chain }: Element): SetElement {
  const parts = key.split(' . ').map((part) => parseIp(part) as Uint8Array)
  const bytes = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const part of parts) {
    bytes.set(part, at)
    at += part.length
  }
  return { key: bytes, ...(chain === undefined ? {} : { data: { verdict: 'jump', chain } }) }
}

const textOf = ({ key, chain }: Element): string => (chain === undefined ? key : `${key} : jump ${chain}`)
const jumps = (verdicts: ReadonlyMap<string, string>): readonly string[] => [...verdicts].map(([key, chain]) => textOf({ key, chain }))

function addSet(name: string, { type, elements }: FilterSet): string {
  return `add set ${TABLE} ${name} { type ${type}; ${elementsOf(elements)}}`
}

function elementsOf(elements: Iterable<string>): string {
  const list = [...elements]
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} } `
}
