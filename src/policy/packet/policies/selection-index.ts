import type { LabelMatcher, Labels } from '../../../api/meta/selector.ts'
import type { PodFacts } from './pod-facts.ts'
import type { Selection } from './selector-key.ts'

interface Entry {
  readonly selection: Selection
  uses: number
  readonly members: Map<string, readonly string[]>
  addresses: ReadonlySet<string> | undefined
}

interface Row {
  readonly facts: PodFacts
  readonly selected: Set<string>
}

const NOTHING: ReadonlySet<string> = new Set()

/**
 * Which pods each selector in use selects, kept up to date pod by pod and selector by selector. A changed pod is compared with the selectors of its own
 * namespace and the cluster-wide ones; a new selector with the pods of the namespaces it can reach.
 */
export class SelectionIndex {
  readonly #rows = new Map<string, Row>()
  readonly #podsOf = new Map<string, Set<string>>()
  readonly #labels = new Map<string, Labels>()
  readonly #entries = new Map<string, Entry>()
  readonly #local = new Map<string, Set<Entry>>()
  readonly #wide = new Set<Entry>()
  readonly #nodes = new Map<string, { readonly labels: Labels; readonly ips: readonly string[] }>()
  #touched = new Set<string>()

  get(pod: string): PodFacts | undefined {
    return this.#rows.get(pod)?.facts
  }

  pods(): Iterable<string> {
    return this.#rows.keys()
  }

  podsOfNamespace(namespace: string): ReadonlySet<string> {
    return this.#podsOf.get(namespace) ?? NOTHING
  }

  /** Keys of the selectors that select a pod. */
  selecting(pod: string): ReadonlySet<string> {
    return this.#rows.get(pod)?.selected ?? NOTHING
  }

  members(selector: string): Iterable<string> {
    return this.#entries.get(selector)?.members.keys() ?? []
  }

  /** Addresses of all that a selector selects; the same object until they change. */
  addresses(selector: string): ReadonlySet<string> {
    const entry = this.#entries.get(selector)
    if (!entry) return NOTHING
    entry.addresses ??= new Set([...entry.members.values()].flat())
    return entry.addresses
  }

  selectors(): Iterable<string> {
    return this.#entries.keys()
  }

  /** Pods that changed, or are selected by other selectors than before, since the last call. */
  takeTouched(): ReadonlySet<string> {
    const touched = this.#touched
    this.#touched = new Set()
    return touched
  }

  touch(pods: Iterable<string>): void {
    for (const pod of pods) this.#touched.add(pod)
  }

  setPod(key: string, facts: PodFacts | undefined): void {
    const before = this.#rows.get(key)
    if (!before && !facts) return
    this.#touched.add(key)
    if (!facts) {
      for (const selector of before?.selected ?? []) this.#drop(this.#entries.get(selector), key)
      this.#rows.delete(key)
      this.#podsOf.get(before?.facts.namespace ?? '')?.delete(key)
      return
    }
    const row: Row = { facts, selected: before?.selected ?? new Set() }
    this.#rows.set(key, row)
    setIn(this.#podsOf, facts.namespace).add(key)
    for (const entry of this.#local.get(facts.namespace) ?? []) this.#match(entry, key, row)
    for (const entry of this.#wide) this.#match(entry, key, row)
  }

  setNamespace(name: string, labels: Labels | undefined): void {
    if (labels) this.#labels.set(name, labels)
    else this.#labels.delete(name)
    for (const key of this.podsOfNamespace(name)) {
      const row = this.#rows.get(key) as Row
      for (const entry of this.#wide) if (entry.selection.namespaces) this.#match(entry, key, row)
    }
  }

  setNode(name: string, node: { readonly labels: Labels; readonly ips: readonly string[] } | undefined): void {
    if (node) this.#nodes.set(name, node)
    else this.#nodes.delete(name)
    for (const entry of this.#entries.values()) if (entry.selection.kind === 'nodes') this.#matchNode(entry, name)
  }

  acquire(selection: Selection): void {
    const known = this.#entries.get(selection.key)
    if (known) {
      known.uses++
      return
    }
    const entry: Entry = { selection, uses: 1, members: new Map(), addresses: undefined }
    this.#entries.set(selection.key, entry)
    if (selection.kind === 'nodes') {
      for (const name of this.#nodes.keys()) this.#matchNode(entry, name)
      return
    }
    if (selection.namespace !== undefined) setIn(this.#local, selection.namespace).add(entry)
    else this.#wide.add(entry)
    const reach = selection.namespace !== undefined ? [selection.namespace] : this.#podsOf.keys()
    for (const namespace of reach) {
      if (!reaches(selection.namespaces, this.#labels.get(namespace))) continue
      for (const key of this.podsOfNamespace(namespace)) this.#match(entry, key, this.#rows.get(key) as Row)
    }
  }

  release(selector: string): void {
    const entry = this.#entries.get(selector)
    if (!entry || --entry.uses > 0) return
    this.#entries.delete(selector)
    this.#wide.delete(entry)
    this.#local.get(entry.selection.namespace ?? '')?.delete(entry)
    if (entry.selection.kind === 'nodes') return
    for (const key of entry.members.keys()) {
      this.#rows.get(key)?.selected.delete(selector)
      this.#touched.add(key)
    }
  }

  #match(entry: Entry, key: string, { facts, selected }: Row): void {
    const { selection, members } = entry
    if (!reaches(selection.namespaces, this.#labels.get(facts.namespace)) || !selection.matches(facts.labels)) {
      if (selected.has(selection.key)) this.#drop(entry, key)
      return
    }
    const ips = members.get(key)
    if (ips && sameTexts(ips, facts.ips)) return
    members.set(key, facts.ips)
    entry.addresses = undefined
    selected.add(selection.key)
    this.#touched.add(key)
  }

  #drop(entry: Entry | undefined, key: string): void {
    if (!entry?.members.delete(key)) return
    entry.addresses = undefined
    this.#rows.get(key)?.selected.delete(entry.selection.key)
    this.#touched.add(key)
  }

  #matchNode(entry: Entry, name: string): void {
    const node = this.#nodes.get(name)
    if (node && entry.selection.matches(node.labels)) entry.members.set(name, node.ips)
    else entry.members.delete(name)
    entry.addresses = undefined
  }
}

// a namespace that is not known has no labels that could match
function reaches(namespaces: LabelMatcher | undefined, labels: Labels | undefined): boolean {
  return namespaces === undefined || (labels !== undefined && namespaces(labels))
}

function setIn<T>(map: Map<string, Set<T>>, key: string): Set<T> {
  let set = map.get(key)
  if (!set) map.set(key, (set = new Set()))
  return set
}

function sameTexts(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((text, i) => text === b[i])
}
