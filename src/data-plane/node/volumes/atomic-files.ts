import { chmod, chown, mkdir, readFile, readdir, readlink, rename, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { VolumeFile } from './plan-volume.ts'

export interface FileOwner {
  readonly uid: number
  readonly gid: number
}

export interface PublishOptions {
  /** Makes the name of the fresh directory; must differ from call to call. */
  readonly stamp: string
  /** Default: who runs this process. */
  readonly owner?: FileOwner
}

/**
 * Publishes a set of files in `dir` so that a reader sees either all of the old or all of the new: the files live in a
 * fresh directory, `..data` is a symlink that is swapped by rename, and each file is a symlink through it. What a crash
 * left half done is cleaned up by the next call that changes something. Source: kubernetes/pkg/volume/util/atomic_writer.go.
 *
 * @returns whether anything changed
 */
export async function publishFiles(dir: string, files: readonly VolumeFile[], options: PublishOptions): Promise<boolean> {
  for (const file of files) assertInside(file.path)
  await mkdir(dir, { recursive: true, mode: 0o755 })
  const before = await readlink(join(dir, '..data')).catch(() => undefined)
  if (before !== undefined && (await sameFiles(join(dir, before), files))) {
    await linkNames(dir, files)
    return false
  }
  const fresh = `..${options.stamp}`
  for (const path of [fresh, '..data_tmp']) await rm(join(dir, path), { recursive: true, force: true })
  await mkdir(join(dir, fresh), { mode: 0o755 })
  for (const file of files) await writeOne(join(dir, fresh, file.path), file, options.owner)
  await symlink(fresh, join(dir, '..data_tmp'))
  await rename(join(dir, '..data_tmp'), join(dir, '..data'))
  await linkNames(dir, files)
  const old = (await readdir(dir)).filter((name) => name.startsWith('..') && name !== fresh && name !== '..data')
  for (const name of old) await rm(join(dir, name), { recursive: true, force: true })
  return true
}

async function writeOne(path: string, file: VolumeFile, owner: FileOwner | undefined): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o755 })
  await writeFile(path, file.content, { mode: 0o600 })
  if (owner) await chown(path, owner.uid, owner.gid)
  await chmod(path, file.mode)
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
    const path = join(dir, file.path)
    const [content, info] = await Promise.all([readFile(path).catch(() => undefined), stat(path).catch(() => undefined)])
    if (!content?.equals(file.content) || ((info?.mode ?? 0) & 0o777) !== (file.mode & 0o777)) return false
  }
  return true
}

/** Names that begin with `..` belong to the swap itself. */
function assertInside(path: string): void {
  const parts = path.split('/')
  if (path === '' || path.startsWith('/') || path.includes('\0') || parts.includes('..') || parts[0]?.startsWith('..'))
    throw new Error(`volume file path ${JSON.stringify(path)} must be relative and must not begin with or contain ".."`)
}
