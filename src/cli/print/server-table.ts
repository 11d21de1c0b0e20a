import type { KindDefinition } from '../../api/kind.ts'
import { formatLabels } from '../../api/meta/selector.ts'
import { displayName } from '../objects/find-kind.ts'
import { cellText } from './table.ts'

/** A `meta.k8s.io/v1` Table, as far as it is read here. */
export interface ServerTable {
  readonly kind: string
  readonly metadata?: { readonly resourceVersion?: string; readonly continue?: string }
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority?: number }[]
  readonly rows?: readonly TableRow[] | null
}

export interface TableRow {
  readonly cells: readonly unknown[]
  readonly object?: {
    readonly metadata?: { readonly name?: string; readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> }
  }
}

/** What a client asks for to get tables, and objects where a server has none. */
export const TABLE_ACCEPT = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

export interface TableView {
  readonly wide: boolean
  /** Puts a NAMESPACE column in front. */
  readonly namespaces: boolean
  readonly labels: boolean
  /** Names as KIND/NAME: several kinds are shown one after the other. */
  readonly qualified?: KindDefinition
}

/** The head line of a table. */
export function headOf(table: ServerTable, view: TableView): readonly string[] {
  const names = visible(table, view).map(({ column }) => column.name.toUpperCase())
  return [...(view.namespaces ? ['NAMESPACE'] : []), ...names, ...(view.labels ? ['LABELS'] : [])]
}

/** The lines of a table below its head. @param columns those of the first table of a watch: later ones may come without */
export function linesOf(table: ServerTable, view: TableView, columns: ServerTable = table): readonly (readonly string[])[] {
  const shown = visible(columns, view)
  return (table.rows ?? []).map((row) => {
    const cells = shown.map(({ column, index }) => {
      const text = cellText(row.cells[index])
      return view.qualified && column.name.toLowerCase() === 'name' ? displayName(view.qualified, text) : text
    })
    const metadata = row.object?.metadata
    return [...(view.namespaces ? [metadata?.namespace ?? ''] : []), ...cells, ...(view.labels ? [formatLabels(metadata?.labels)] : [])]
  })
}

function visible(table: ServerTable, view: TableView): readonly { readonly column: { readonly name: string }; readonly index: number }[] {
  return (table.columnDefinitions ?? [])
    .map((column, index) => ({ column, index }))
    .filter(({ column }) => view.wide || (column.priority ?? 0) === 0)
}
