/**
 * YAML as kubectl reads and prints it.
 *
 * Reading: js-yaml finds the structure (parseEvents), yaml/construct.ts builds values with bounds on depth and on what
 * aliases expand to, yaml/scalar.ts decides what a plain word means (YAML 1.1 as kubectl's parser has it: `on` is true,
 * `012` is 10, `1:30` and dates are text). Printing: yaml/dump.ts.
 */
import { parseEvents, YAMLException } from 'js-yaml'
import { decodeJson, JsonError } from '../base/json.ts'
import { constructDocuments } from './yaml/construct.ts'
import type { YamlDocument, YamlPosition } from './yaml/document.ts'
import { YamlError } from './yaml/yaml-error.ts'

export { dumpYaml } from './yaml/dump.ts'
export type { YamlDocument, YamlPosition } from './yaml/document.ts'
export { YamlError } from './yaml/yaml-error.ts'

/** One object of a manifest and where it begins. */
export interface ManifestObject {
  readonly object: Record<string, unknown>
  /** From 1. */
  readonly line: number
  /** Where the field at a path such as `spec.containers[0].image` is written; as deep as the path can be followed. */
  positionOf(path: string): YamlPosition
}

/** Nesting of mappings and lists that is still read, aliases expanded. */
const MAX_DEPTH = 100

/**
 * The objects in a manifest, in order: all documents, lists (`kind: List`, `PodList`, ...) replaced by their items.
 * @param fileName named in errors
 * @throws {YamlError} for what is not YAML, duplicate keys, and documents that are not objects
 */
export function parseManifests(text: string, fileName: string): ManifestObject[] {
  const found: ManifestObject[] = []
  for (const document of parseYaml(text, fileName)) {
    collect(document.value, document.line, { document, fileName, found })
  }
  return found
}

/**
 * All documents of a text that are not empty. JSON is read as JSON.
 * @param fileName named in errors
 * @throws {YamlError}
 */
export function parseYaml(text: string, fileName?: string): YamlDocument[] {
  const source = text.charCodeAt(0) === 0xfeff ? text.slice(1) : text
  const json = /^\s*\{/.test(source) ? readJson(source, fileName) : undefined
  if (json !== undefined) return [json]
  try {
    return constructDocuments(source, parseEvents(source, { maxDepth: MAX_DEPTH }), { maxDepth: MAX_DEPTH, fileName })
  } catch (error) {
    if (error instanceof YamlError) throw error
    if (error instanceof YAMLException) {
      const { line, column } = { line: 0, column: 0, ...error.mark }
      throw new YamlError({ why: error.reason, line: line + 1, column: column + 1, fileName }, { cause: error })
    }
    throw new YamlError({ why: 'cannot be read', line: 1, column: 1, fileName }, { cause: error })
  }
}

interface Collection {
  readonly document: YamlDocument
  readonly fileName: string
  readonly found: ManifestObject[]
}

function collect(value: unknown, line: number, into: Collection): void {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw new YamlError({ why: 'expected an object with apiVersion and kind', line, column: 1, fileName: into.fileName })
  }
  const object = value as Record<string, unknown>
  if (typeof object['kind'] !== 'string' || !object['kind'].endsWith('List') || !Array.isArray(object['items'])) {
    into.found.push({ object, line, positionOf: (path) => into.document.positionOf(path, object) })
    return
  }
  ;(object['items'] as unknown[]).forEach((item, i) => collect(item, into.document.positionOf(`items[${i}]`, object).line, into))
}

/** JSON allows tabs and other things that YAML does not; where it is not JSON it may still be YAML in braces. */
function readJson(text: string, fileName: string | undefined): YamlDocument | undefined {
  try {
    const { value, duplicates } = decodeJson(Buffer.from(text), { maxDepth: MAX_DEPTH })
    const line = text.slice(0, text.indexOf('{')).split('\n').length
    if (duplicates.length > 0) throw new YamlError({ why: `key "${duplicates[0]}" already set`, line, column: 1, fileName })
    return { value, line, positionOf: () => ({ line, column: 1 }) }
  } catch (error) {
    if (!(error instanceof JsonError)) throw error
    if (error.code !== 'syntax') throw new YamlError({ why: error.why, line: error.line, column: error.column, fileName }, { cause: error })
    return undefined
  }
}
