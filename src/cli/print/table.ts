/** A table as text, columns aligned by three spaces, as kubectl prints it. Cells are one line each. */
export function formatTable(rows: readonly (readonly string[])[], widths: readonly number[] = columnWidths(rows)): string {
  return rows
    .map((row) => `${row.map((cell, column) => pad(cell, column === row.length - 1 ? 0 : (widths[column] ?? 0))).join('')}\n`)
    .join('')
}

/** Widths with which rows printed later line up with these. */
export function columnWidths(rows: readonly (readonly string[])[], least: readonly number[] = []): readonly number[] {
  const columns = Math.max(0, ...rows.map((row) => row.length))
  return Array.from({ length: columns }, (_, column) => Math.max(least[column] ?? 0, ...rows.map((row) => (row[column] ?? '').length + 3)))
}

/** A cell of a server's table as text. */
export function cellText(value: unknown): string {
  if (value === null || value === undefined) return '<none>'
  if (typeof value === 'object') return JSON.stringify(value)
  // more than one line would break the table
  return String(value as string | number | boolean).split('\n', 1)[0] ?? ''
}

function pad(text: string, width: number): string {
  return width === 0 ? text : text.padEnd(width)
}
