/** One line of a description: a label and what stands behind it; several lines when the value is a list. */
export type Field = readonly [label: string, value: string | readonly string[] | undefined]

/** Lines of labels and values, values in one column. Fields without value are left out; empty lists show as `<none>`. */
export function fieldLines(fields: readonly Field[], indent = 0): readonly string[] {
  const shown = fields.filter((field): field is readonly [string, string | readonly string[]] => field[1] !== undefined)
  const width = Math.max(0, ...shown.map(([label]) => label.length + 3))
  const pad = ' '.repeat(indent)
  return shown.flatMap(([label, value]) => {
    const [first = '<none>', ...rest] = typeof value === 'string' ? value.split('\n') : value
    return [`${pad}${`${label}:`.padEnd(width)}${first}`, ...rest.map((line) => `${pad}${' '.repeat(width)}${line}`)]
  })
}

/** A map as lines `key=value` or `key: value`. */
export function mapLines(map: Readonly<Record<string, string>> | undefined, separator = '='): readonly string[] {
  return Object.keys(map ?? {})
    .sort()
    .map((key) => `${key}${separator}${map?.[key]}`)
}

/** Annotations without those only tools read. */
export function annotationLines(annotations: Readonly<Record<string, string>> | undefined): readonly string[] {
  return mapLines(annotations, ': ').filter((line) => !line.startsWith('kubectl.kubernetes.io/last-applied-configuration'))
}

/** Any JSON value as an indented tree, names in words: `restartPolicy` becomes `Restart Policy`. */
export function treeLines(value: unknown, indent = 0): readonly string[] {
  const pad = ' '.repeat(indent)
  if (Array.isArray(value)) {
    return value.flatMap((item) => (isBranch(item) ? [`${pad}-`, ...treeLines(item, indent + 2)] : [`${pad}- ${text(item)}`]))
  }
  if (!isBranch(value)) return [`${pad}${text(value)}`]
  return Object.entries(value as Record<string, unknown>).flatMap(([key, child]) => {
    if (child === undefined || child === null) return []
    const label = `${pad}${words(key)}:`
    return isBranch(child) ? [label, ...treeLines(child, indent + 2)] : [`${label} ${text(child)}`]
  })
}

function isBranch(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.keys(value).length > 0
}

function text(value: unknown): string {
  if (typeof value === 'object') return value === null ? '<none>' : Array.isArray(value) ? '[]' : '{}'
  return String(value as string | number | boolean)
}

function words(key: string): string {
  if (/[./_-]/.test(key)) return key
  const spaced = key.replaceAll(/([a-z\d])([A-Z])/g, '$1 $2').replaceAll(/([A-Z]+)([A-Z][a-z])/g, '$1 $2')
  return spaced.slice(0, 1).toUpperCase() + spaced.slice(1)
}
