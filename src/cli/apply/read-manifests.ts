import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseManifests, type YamlPosition } from '../../api/yaml.ts'
import { isJsonObject } from '../../base/json.ts'
import type { CliContext } from '../context.ts'
import { CliError, usageError } from '../errors/cli-error.ts'

/** An object of a manifest, with everything needed to say where something in it is. */
export interface Manifest {
  readonly object: ManifestObject
  readonly fileName: string
  /** Line on which the object begins, from 1. */
  readonly line: number
  /** Where the field at a path such as `spec.containers[0].image` is written; as deep as the path can be followed. */
  readonly positionOf: (path: string) => YamlPosition
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
    else
      for (const file of filesAt(resolve(context.cwd, path), path))
        manifests.push(...parseText(readFileSync(file, 'utf8'), shown(file, path, context)))
  }
  if (manifests.length === 0)
    throw new CliError(`no objects in ${paths.join(', ')}`, { fix: 'name files that end in .yaml, .yml or .json' })
  return manifests
}

/** The objects of a text. @throws {CliError | YamlError} */
export function parseText(text: string, fileName: string): readonly Manifest[] {
  return parseManifests(text, fileName).map((found) => ({
    object: checkObject(found.object, `${fileName}:${found.line}:1`),
    fileName,
    line: found.line,
    positionOf: (path) => found.positionOf(path),
  }))
}

/** `file:line:column` of a field of a manifest. */
export function placeOf(manifest: Manifest, path: string): string {
  const { line, column } = path === '' ? { line: manifest.line, column: 1 } : manifest.positionOf(path)
  return `${manifest.fileName}:${line}:${column}`
}

function checkObject(value: Record<string, unknown>, where: string): ManifestObject {
  for (const field of ['apiVersion', 'kind']) {
    if (typeof value[field] !== 'string' || value[field] === '') {
      const example = field === 'kind' ? 'kind: Deployment' : 'apiVersion: apps/v1'
      throw new CliError(`the object has no ${field}`, { where, fix: `add ${field}, such as ${example}` })
    }
  }
  const metadata = value['metadata']
  if (!isJsonObject(metadata) || (typeof metadata['name'] !== 'string' && typeof metadata['generateName'] !== 'string')) {
    throw new CliError(`the ${value['kind'] as string} has no name`, { where, fix: 'add metadata.name' })
  }
  return value as ManifestObject
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
