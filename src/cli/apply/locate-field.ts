import type { Schema } from '../../api/schema/index.ts'
import { didYouMean } from '../errors/did-you-mean.ts'
import type { Manifest } from './read-manifests.ts'

/** Steps of a path such as `spec.containers[0].name`. Keys that hold dots are not split apart correctly: nothing worse follows than a coarser line. */
function stepsOf(path: string): readonly (string | number)[] {
  return [...path.matchAll(/\[(\d+)\]|([^.[\]]+)/g)].map(([, index, key]) => (index === undefined ? (key as string) : Number(index)))
}

/** `file:line:column` of the innermost object or list that a field of a manifest is in. */
export function locateField(manifest: Manifest, path: string, text: string | undefined): string {
  let at: unknown = manifest.object
  let line = manifest.line
  const steps = stepsOf(path)
  for (const step of steps) {
    if (typeof at !== 'object' || at === null) break
    line = manifest.lineOf(at)
    at = (at as Record<string | number, unknown>)[step]
  }
  const last = steps.findLast((step) => typeof step === 'string')
  const found = text === undefined || last === undefined ? undefined : findKey(text.split('\n'), line, last as string)
  return `${manifest.fileName}:${found?.line ?? line}:${found?.column ?? 1}`
}

/** A container begins at its first key: the key itself is on that line or a few below. */
function findKey(lines: readonly string[], from: number, key: string): { line: number; column: number } | undefined {
  const escaped = key.replaceAll(/[$()*+.?[\\\]^{|}]/g, String.raw`\$&`)
  const pattern = new RegExp(String.raw`(^|[\s{,-])(["']?)${escaped}\2\s*:`)
  for (let index = from - 1; index < Math.min(lines.length, from + 200); index++) {
    const line = lines[index] ?? ''
    if (index >= from && /^(---|\.\.\.)/.test(line)) return undefined
    const match = pattern.exec(line)
    if (match) return { line: index + 1, column: match.index + (match[1]?.length ?? 0) + 1 }
  }
  return undefined
}

/** What field may have been meant by one that does not exist. */
export function suggestField(root: Schema | undefined, path: string): string | undefined {
  const steps = stepsOf(path)
  const last = steps.at(-1)
  let schema = root
  for (const step of steps.slice(0, -1)) {
    if (schema?.type === 'object') schema = schema.properties.get(String(step))?.schema
    else if (schema?.type === 'array') schema = schema.items
    else if (schema?.type === 'map') schema = schema.values
    else return undefined
  }
  return schema?.type === 'object' && typeof last === 'string' ? didYouMean(last, schema.properties.keys()) : undefined
}
