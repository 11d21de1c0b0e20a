import { type Stats, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { type Mount, RuntimeError } from '../../runtime.ts'
import type { User } from './host.ts'

/** What decides whether a program can start. */
export interface ProgramContext {
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly user: User
  /** Volumes that the container sees at their mountPath. */
  readonly mounts: readonly Mount[]
}

/**
 * Checks before anything is spawned that the working directory and the program can be used by the container's user, so that a wrong command is an
 * error with a reason and not an exit code. A name without slash is searched on the container's PATH.
 * @throws RuntimeError `StartError`
 */
export function checkProgram(program: string, context: ProgramContext): void {
  const { cwd, user } = context
  const directory = examine(cwd, context)
  if (directory.problem) throw startError(`working directory "${cwd}" ${directory.problem}`)
  if (!directory.stats?.isDirectory()) throw startError(`working directory "${cwd}" is not a directory`)
  if (!may(directory.stats, { user, bit: 1 })) throw startError(`working directory "${cwd}" may not be entered by user ${user.uid}`)
  if (program === '') throw startError('the command is an empty string')
  if (program.includes('/')) {
    const problem = problemOf(program.startsWith('/') ? program : join(cwd, program), context)
    if (problem) throw startError(`program "${program}" ${problem}`)
    return
  }
  const path = context.env['PATH'] ?? ''
  const problems = path.split(':').map((dir) => problemOf(join(dir.startsWith('/') ? dir : join(cwd, dir), program), context))
  if (problems.includes(undefined)) return
  const found = problems.find((problem) => problem !== NOT_FOUND)
  throw startError(
    found ? `program "${program}" ${found}` : `program "${program}" is not on this node: searched ${path || 'an empty PATH'}`,
  )
}

const NOT_FOUND = 'does not exist'

function problemOf(path: string, context: ProgramContext): string | undefined {
  const { stats, problem } = examine(path, context)
  if (problem || !stats) return problem ?? NOT_FOUND
  if (stats.isDirectory()) return 'is a directory'
  return may(stats, { user: context.user, bit: 1 }) ? undefined : `may not be executed by user ${context.user.uid}`
}

/** Looks at a path as the container will see it; every directory on the way must let the user pass. */
function examine(path: string, { user, mounts }: ProgramContext): { readonly stats?: Stats; readonly problem?: string } {
  const volume = mounts
    .filter((mount) => path === mount.mountPath || path.startsWith(`${mount.mountPath}/`))
    .toSorted((a, b) => b.mountPath.length - a.mountPath.length)[0]
  const real = volume ? join(volume.hostPath, path.slice(volume.mountPath.length)) : path
  const top = volume ? volume.hostPath : '/'
  try {
    const stats = statSync(real)
    for (let dir = dirname(real); dir.length >= top.length; dir = dirname(dir)) {
      if (!may(statSync(dir), { user, bit: 1 })) return { problem: `cannot be reached by user ${user.uid}: it may not enter ${dir}` }
      if (dir === '/') break
    }
    return { stats }
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    return { problem: code === 'ENOENT' || code === 'ENOTDIR' ? NOT_FOUND : `cannot be used: ${(error as Error).message}` }
  }
}

/** Classic permission bits only: what an access list adds or takes shows when the program starts. */
function may(stats: Stats, { user, bit }: { readonly user: User; readonly bit: number }): boolean {
  if (user.uid === 0) return stats.isDirectory() || (stats.mode & 0o111) !== 0
  const shift = stats.uid === user.uid ? 6 : stats.gid === user.gid ? 3 : 0
  return ((stats.mode >> shift) & bit) === bit
}

function startError(message: string): RuntimeError {
  return new RuntimeError('StartError', message)
}
