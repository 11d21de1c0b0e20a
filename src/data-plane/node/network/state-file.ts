import { readFileSync, renameSync, writeFileSync } from 'node:fs'

/** Replaces a file as a whole. */
export function writeJsonFile(path: string, value: unknown): void {
  writeFileSync(`${path}.tmp`, JSON.stringify(value), { mode: 0o600 })
  renameSync(`${path}.tmp`, path)
}

/** What the file holds; undefined when there is none, or it is damaged. */
export function readJsonFile<T>(path: string): T | undefined {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as T
  } catch {
    return undefined
  }
}
