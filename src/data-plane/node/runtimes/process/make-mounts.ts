import { chmodSync, chownSync, closeSync, existsSync, lstatSync, mkdirSync, openSync, readFileSync, realpathSync, statSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type Mount, RuntimeError } from '../../runtime.ts'
import { parseMountInfo } from './mountinfo.ts'
import { type MountPlan, type PathFacts, type Placeholder, planMounts } from './plan-mounts.ts'
import { isMissing, writeState } from './state-file.ts'

export interface MakeMountsOptions {
  readonly rootfs: string
  /** File to write. */
  readonly fstab: string
  /** Directories that stay what they are on the machine. */
  readonly keep: readonly string[]
}

/** Plans the private mounts of a container and makes everything ready for the shim to mount them. @throws RuntimeError `InvalidArgument` */
export function makeMounts(mounts: readonly Mount[], options: MakeMountsOptions): MountPlan {
  const mountPoints = mounts.length === 0 ? [] : readMountPoints()
  const plan = planMounts(mounts, { look, mountPoints, rootfs: options.rootfs, keep: options.keep })
  for (const placeholder of plan.placeholders) {
    try {
      makePlaceholder(placeholder)
    } catch (error) {
      throw new RuntimeError('InvalidArgument', `cannot make the mount point ${placeholder.path}: ${(error as Error).message}`, {
        cause: error,
      })
    }
  }
  if (plan.mode !== 'none') writeState(options.fstab, `${plan.fstab.join('\n')}\n`)
  return plan
}

function readMountPoints(): readonly string[] {
  return parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8')).map((mount) => mount.mountPoint)
}

/** Looks at a path of the machine; the links of its existing part are resolved. */
export function look(path: string): PathFacts {
  try {
    const real = realpathSync(path)
    return { real, kind: statSync(real).isDirectory() ? 'dir' : 'file' }
  } catch (error) {
    if (path === '/' || !isMissing(error)) return { real: path }
    return { real: join(look(dirname(path)).real, basename(path)) }
  }
}

function makePlaceholder({ path, kind, like }: Placeholder): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
  if (kind === 'file') closeSync(openSync(path, 'a', 0o644))
  else mkdirSync(path, { mode: 0o755 })
  const model = like === path ? undefined : lstatSync(like, { throwIfNoEntry: false })
  if (!model?.isDirectory()) return
  chownSync(path, model.uid, model.gid)
  chmodSync(path, model.mode & 0o7777)
}
