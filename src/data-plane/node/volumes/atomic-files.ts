import { chmod, mkdir, readFile, readdir, readlink, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { VolumeFile } from './plan-volume.ts'

/**
 * Publishes a set of files in `dir` so that a reader sees either all of the old or all of the new: the files live in a
 * fresh directory, `..data` is a symlink that is swapped by rename, and each file is a symlink through it.
 * Source: kubernetes/pkg/volume/util/atomic_writer.go.
 *
 * @param stamp makes the name of the fresh directory; must differ from call to call
 * @returns whether anything changed
 */
export async function publishFiles(dir: string, files: readonly VolumeFile[], stamp: string): Promise<boolean> {
  for (const file of files) assertInside(file.path)
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const before = await readlink(join(dir, '..data')).catch(() => undefined)
  if (before !== undefined && (await sameFiles(join(dir, before), files))) return false

  const fresh = `..${stamp}`
  await mkdir(join(dir, fresh), { recursive: true, mode: 0o755 })
  for (const file of files) {
    const path = join(dir, fresh, file.path)
    await mkdir(dirname(path), { recursive: true, mode: 0o755 })
    await writeFile(path, file.content)
    await chmod(path, file.mode)
  }
  await symlink(fresh, join(dir, '..data_tmp'))
  await rename(join(dir, '..data_tmp'), join(dir, '..data'))
  await linkNames(dir, files)
  if (before !== undefined) await rm(join(dir, before), { recursive: true, force: true })
  return true
}

/** One symlink per top-level name; names that went away are removed. */
async function linkNames(dir: string, files: readonly VolumeFile[]): Promise<void> {
  const wanted = new Set(files.map((file) => file.path.split('/')[0] as string))
  const present = new Set((await readdir(dir)).filter((name) => !name.startsWith('..')))
  for (const name of wanted) if (!present.has(name)) await symlink(join('..data', name), join(dir, name))
  for (const name of present) if (!wanted.has(name)) await rm(join(dir, name), { force: true })
}

async function sameFiles(dir: string, files: readonly VolumeFile[]): Promise<boolean> {
  const found = (await readdir(dir, { recursive: true, withFileTypes: true }).catch(() => [])).filter((entry) => entry.isFile())
  if (found.length !== files.length) return false
  for (const file of files) {
    const content = await readFile(join(dir, file.path)).catch(() => undefined)
    if (!content?.equals(file.content)) return false
  }
  return true
}

function assertInside(path: string): void {
  if (path.startsWith('/') || path.split('/').includes('..') || path === '')
    throw new Error(`volume file path "${path}" must be relative and must not contain ".."`)
}
