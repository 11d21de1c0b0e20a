const NAMED = 5

/** Says that some proxies tell nothing of who calls them, and which. */
export function silentNote(silent: readonly string[]): readonly string[] {
  if (silent.length === 0) return []
  const more = silent.length > NAMED ? ` and ${silent.length - NAMED} more` : ''
  return [`who calls these proxies is not known, they do not tell: ${silent.slice(0, NAMED).join(', ')}${more}`]
}
