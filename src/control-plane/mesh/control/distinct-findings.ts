import type { Finding } from '../../../policy/traffic/input/index.ts'

/** Findings of several lists, each once: what is found in a part that many proxies have in common comes with each of them. */
export function distinctFindings(lists: Iterable<readonly Finding[]>): readonly Finding[] {
  const seen = new Set<Finding>()
  const distinct = new Map<string, Finding>()
  for (const list of lists) {
    for (const finding of list) {
      if (seen.has(finding)) continue
      seen.add(finding)
      const text = JSON.stringify(finding)
      if (!distinct.has(text)) distinct.set(text, finding)
    }
  }
  return [...distinct.values()]
}
