import { existsSync } from 'node:fs'
import { readdir, rm, rmdir } from 'node:fs/promises'
import { join } from 'node:path'

/** What biplane makes in a data directory. */
const OURS = ['control-plane', 'nodes', 'up'] as const

/** Whether a control plane or a node has ever used the directory. */
export function isDataDirectory(dir: string): boolean {
  return OURS.some((name) => existsSync(join(dir, name)))
}

/**
 * Deletes what biplane made in a data directory, and the directory if nothing else is in it: a mistyped path must not cost a home.
 * @returns names that were left alone
 */
export async function deleteData(dir: string): Promise<readonly string[]> {
  for (const name of OURS) await rm(join(dir, name), { recursive: true, force: true })
  const left = await readdir(dir)
  if (left.length === 0) await rmdir(dir)
  return left
}
