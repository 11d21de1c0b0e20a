import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseYaml } from '../../api/yaml.ts'
import type { CliContext } from '../context.ts'
import { CliError, usageError } from '../errors/cli-error.ts'

/** An object of a manifest, with everything needed to say where something in it is. */
export interface Manifest {
  readonly object: ManifestObject
  readonly fileName: string
  /** Line on which the object begins, from 1. */
  readonly line: number
  /** Line of an object or list inside it. */
  readonly lineOf: (container: object) => number
}

export interface ManifestObject {
  apiVersion: string
  kind: string
  metadata: { name?: string; generateName?: string; namespace?: string; annotations?: Record<string, string>; [key: string]: unknown }
  [key: string]: unknown
}

const EXTENSIONS = /\.(ya?ml|json)$/

/**
 * Reads files, directories (their files in order, not those below) and standard input (`-`).
 * @throws {CliError | YamlError} naming file, line and column
 */
export async function readManifests(context: CliContext, paths: readonly string[]): Promise<readonly Manifest[]> {
  if (paths.length === 0) throw usageError('say which manifests: -f FILE, -f DIR or -f -')
  const manifests: Manifest[] = []
  for (const path of paths) {
    if (path === '-') manifests.push(...parseText(await context.readInput(), 'standard input'))
    else for (const file of filesAt(resolve(context.cwd, path), path)) manifests.push(...parseText(readFileSync(file, 'utf8'), shown(file, path, context)))
  }
  if (manifests.length === 0) throw new CliError(`no objects in ${paths.join(', ')}`, { fix: 'name files that end in .yaml, .yml or .json' })
  return manifests
}

/** The objects of a text. @throws {CliError | YamlError} */
export function parseText(text: string, fileName: string): readonly Manifest[] {
  const found: Manifest[] = []
  for (const document of parseYaml(text, fileName)) collect(document.value, { fileName, line: document.line, lineOf: (at) => document.lineOf(at) }, found)
  return found
}

function collect(value: unknown, place: Omit<Manifest, 'object'>, found: Manifest[]): void {
  const where = `${place.fileName}:${place.line}:1`
  if (!isObject(value)) throw new CliError('this is no object', { where, why: 'a manifest holds objects with apiVersion, kind and metadata' })
  if (typeof value['kind'] === 'string' && value['kind'].endsWith('List') && Array.isArray(value['items'])) {
    for (const item of value['items'] as unknown[]) collect(item, isObject(item) ? { ...place, line: place.lineOf(item) } : place, found)
    return
  }
  for (const field of ['apiVersion', 'kind']) {
    if (typeof value[field] !== 'string' || value[field] === '') {
      throw new CliError(`the object has no ${field}`, { where, fix: `add ${field}, such as ${field === 'kind' ? 'kind: Deployment' : 'apiVersion: apps/v1'}` })
    }
  }
  const metadata = value['metadata']
  if (!isObject(metadata) || (typeof metadata['name'] !== 'string' && typeof metadata['generateName'] !== 'string')) {
    throw new CliError(`the ${value['kind'] as string} has no name`, { where, fix: 'add metadata.name' })
  }
  found.push({ ...place, object: value as ManifestObject })
}

function filesAt(absolute: string, path: string): readonly string[] {
  const stats = statSync(absolute, { throwIfNoEntry: false })
  if (!stats) throw new CliError(`no file or directory "${path}"`, { fix: 'check the path after -f' })
  if (!stats.isDirectory()) return [absolute]
  return readdirSync(absolute)
    .filter((name) => EXTENSIONS.test(name))
    .sort()
    .map((name) => join(absolute, name))
}

/** As the user wrote it, with the file's name behind a directory. */
function shown(file: string, path: string, context: CliContext): string {
  const root = resolve(context.cwd, path)
  return file === root ? path : join(path, file.slice(root.length + 1))
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
