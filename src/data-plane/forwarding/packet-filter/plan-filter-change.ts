import type { SetShape, StructureChange } from '../../../protocols/nftables/index.ts'
import type { ElementChange } from '../contract.ts'
import { elementBytes, shapeOf, TYPES, type ElementText } from './element-bytes.ts'
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
export interface FilterChange {
  /** `none`; `elements`: only of sets and maps that are there; `structures`: chains, too. */
  readonly kind: 'none' | 'elements' | 'structures'
  readonly changes: readonly StructureChange[]
}

const TABLE = `${FILTER_FAMILY} ${FILTER_TABLE}`

/** The whole table, in place of whatever is there: the kernel swaps them between two packets. */
export function replaceFilter(model: FilterModel): string {
  const lines = [`table ${TABLE} {`]
  for (const id of model.labels.keys()) lines.push(`counter ${counterName(id)} { }`)
  for (const [name, { type, elements, isInterval }] of model.sets) {
    lines.push(`set ${name} { type ${type}; ${isInterval ? 'flags interval; ' : ''}${elementsOf(elements)}}`)
  }
  // chains before the maps and chains that jump to them
  for (const [name, { hook = '' }] of model.chains) lines.push(`chain ${name} { ${hook} }`)
  lines.push('}', `table ${TABLE} {`)
  for (const [name, { type, verdicts }] of model.maps) lines.push(`map ${name} { type ${type} : verdict; ${elementsOf(jumps(verdicts))}}`)
  for (const [name, { rules }] of model.chains) lines.push(`chain ${name} {`, ...rules.map(({ text }) => text), '}')
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
  const elementChanges: readonly StructureChange[] = [
    ...elements.flatMap(({ name, shape, gone }): readonly StructureChange[] =>
      gone.length > 0 ? [{ op: 'delete-elements', name, shape, elements: gone.map(elementBytes) }] : [],
    ),
    ...elements.flatMap(({ name, shape, added }): readonly StructureChange[] =>
      added.length > 0 ? [{ op: 'add-elements', name, shape, elements: added.map(elementBytes) }] : [],
    ),
  ]
  if (structure.every((names) => names.length === 0)) return { kind: elements.length === 0 ? 'none' : 'elements', changes: elementChanges }
  const each = <T>(names: readonly T[], change: (name: T) => StructureChange | readonly StructureChange[]): readonly StructureChange[] =>
    names.flatMap(change)
  const changes: readonly StructureChange[] = [
    ...each(counters.added, (id) => ({ op: 'add-counter', name: counterName(id) })),
    ...each(sets.added, (name) => addSet(name, after.sets.get(name) as FilterSet)),
    ...each(chains.added, (name) => ({ op: 'add-chain', name })),
    ...each(chains.changed, (name) => ({ op: 'flush-chain', name })),
    ...each([...chains.added, ...chains.changed], (name) =>
      (after.chains.get(name)?.rules ?? []).map(({ expressions }) => ({ op: 'add-rule' as const, name, expressions })),
    ),
    ...elementChanges,
    ...each(chains.gone, (name) => ({ op: 'flush-chain', name })),
    ...each(chains.gone, (name) => ({ op: 'delete-chain', name })),
    ...each(sets.gone, (name) => ({ op: 'delete-set', name })),
    ...each(counters.gone, (id) => ({ op: 'delete-counter', name: counterName(id) })),
  ]
  return { kind: 'structures', changes }
}

/** Changes of kind `elements`, for an Nft without `commit`. */
export function asElementChanges(changes: readonly StructureChange[]): readonly ElementChange[] {
  return changes.flatMap((change): readonly ElementChange[] =>
    'elements' in change
      ? [
          {
            op: change.op === 'add-elements' ? 'add' : 'delete',
            family: FILTER_FAMILY,
            table: FILTER_TABLE,
            set: change.name,
            elements: change.elements,
          },
        ]
      : [],
  )
}

interface ElementDiff {
  readonly name: string
  readonly shape: SetShape
  readonly added: readonly ElementText[]
  readonly gone: readonly ElementText[]
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
  return a === b || (a.hook === b.hook && a.rules.length === b.rules.length && a.rules.every(({ text }, i) => text === b.rules[i]?.text))
}

function diffSet(name: string, before: FilterSet, after: FilterSet): ElementDiff {
  const added: ElementText[] = []
  const gone: ElementText[] = []
  for (const key of after.elements) if (!before.elements.has(key)) added.push({ key })
  for (const key of before.elements) if (!after.elements.has(key)) gone.push({ key })
  return { name, shape: shapeOf(after), added, gone }
}

function diffMap(name: string, before: FilterMap, after: FilterMap): ElementDiff {
  const added: ElementText[] = []
  const gone: ElementText[] = []
  for (const [key, chain] of after.verdicts) if (before.verdicts.get(key) !== chain) added.push({ key, chain })
  for (const [key, chain] of before.verdicts) if (after.verdicts.get(key) !== chain) gone.push({ key, chain })
  return { name, shape: shapeOf(after), added, gone }
}

function addSet(name: string, set: FilterSet): readonly StructureChange[] {
  const { number, bytes } = TYPES[set.type]
  const elements = [...set.elements].map((key) => elementBytes({ key }))
  return [
    { op: 'add-set', name, keyType: number, keyBytes: bytes, isInterval: set.isInterval ?? false },
    ...(elements.length > 0 ? [{ op: 'add-elements' as const, name, shape: shapeOf(set), elements }] : []),
  ]
}

const jumps = (verdicts: ReadonlyMap<string, string>): readonly string[] => [...verdicts].map(([key, chain]) => `${key} : jump ${chain}`)

function elementsOf(elements: Iterable<string>): string {
  const list = [...elements]
  return list.length === 0 ? '' : `elements = { ${list.join(', ')} } `
}
