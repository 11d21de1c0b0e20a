import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'

// State files are small and local, and synchronous calls cost a tenth of asynchronous ones: a relist of 110 pods takes a few
// milliseconds. Nothing is flushed to the disk: after a power cut no process is left that the files could tell of.

/** Replaces a file as a whole: a reader sees the old or the new text, never a part. */
export function writeState(path: string, text: string, mode = 0o600): void {
  const temporary = `${path}.tmp`
  writeFileSync(temporary, text, { mode })
  renameSync(temporary, path)
}

/** The text of a file; undefined when there is none. */
export function readState(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/** Parses a JSON state file; undefined when there is none or a crash of the machine left it damaged. */
export function readJsonState<T>(path: string): T | undefined {
  const text = readState(path)
  if (text === undefined) return undefined
  try {
    return JSON.parse(text) as T
  } catch {
    return undefined
  }
}

/** Makes a directory that other users may enter but not list. */
export function makeDir(path: string, mode = 0o711): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o711 })
  mkdirSync(path, { recursive: true, mode })
}

/** Whether the error says that a file, directory or process is not there. */
export function isMissing(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code
  return code === 'ENOENT' || code === 'ENOTDIR' || code === 'ESRCH'
}
