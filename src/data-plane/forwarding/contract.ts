import type { StructureChange } from '../../protocols/nftables/index.ts'

/** One element of an nf_tables set or map, in the kernel's form. */
export interface SetElement {
  /** Fields in network order, each padded with zeros at its end to a multiple of 4 bytes: `ip daddr . l4proto . port` is 4 + 4 + 4. */
  readonly key: Uint8Array
  /** Last key of a range, for interval sets and concatenations with ranges (inclusive there). */
  readonly keyEnd?: Uint8Array
  /** Maps only. Concatenated data is padded like a key. */
  readonly data?: Uint8Array | NftVerdict
  /** For sets with the timeout flag. */
  readonly timeoutMs?: number
}

export interface NftVerdict {
  readonly verdict: 'accept' | 'drop' | 'return' | 'jump' | 'goto'
  /** For jump and goto. */
  readonly chain?: string
}

export interface ElementChange {
  /** `add` of an element that is there with the same data is no error; `delete` of one that is not there is (ENOENT). */
  readonly op: 'add' | 'delete'
  readonly family: 'ip' | 'ip6' | 'inet'
  readonly table: string
  readonly set: string
  readonly elements: readonly SetElement[]
}

/** Who changed a table that is ours, when it was not us. */
export interface ForeignChange {
  readonly family: string
  readonly table: string
  /** Of the process that sent the transaction. */
  readonly pid: number
  readonly process: string
}

/** How much is in a table: elements by set, rules by chain. */
export interface NftContents {
  readonly elements: ReadonlyMap<string, number>
  readonly rules: ReadonlyMap<string, number>
}

/**
 * nf_tables of one network namespace. Every call is one transaction: all of it or nothing, and the packets never see half of it.
 * Calls run one after another in the order of asking. Errors are NftError with the kernel's errno by name as `code`.
 */
export interface Nft {
  /** A ruleset in nft's own language: tables, chains, rules; for what changes rarely. */
  run(text: string): Promise<void>
  /** Elements, straight over netlink: for what changes often. All sets must exist. Any number of elements. */
  apply(changes: readonly ElementChange[]): Promise<void>
  /** `nft -j list ...`, parsed. Slow for big maps: never on a hot path. */
  list(...what: readonly string[]): Promise<unknown>
  /** Counts what is in some sets and in all chains of a table: fast for big maps too. Absent: nobody can tell. */
  count?(table: { readonly family: string; readonly table: string }, sets: readonly string[]): Promise<NftContents>
  /** Changes to `tables` (as `family table`) by others than this object, until the signal aborts. */
  foreignChanges(tables: readonly string[], signal: AbortSignal): AsyncIterable<ForeignChange>
  close(): void
}

/** What an Nft can do besides, when it is one of the kernel: chains, rules and sets without a command in between. */
export interface NftStructures {
  /** Changes one table that is there, in the order given. One transaction, in turn with all others of the object. */
  commit(table: { readonly family: string; readonly table: string }, changes: readonly StructureChange[]): Promise<void>
}
