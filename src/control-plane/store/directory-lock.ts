import { linkSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { StoreError } from './contract.ts'

/** Tells a process apart from a later one with the same pid. */
export interface ProcessIdentity {
  readonly pid: number
  /** In clock ticks after boot; absent where there is no /proc. */
  readonly startTime?: string
  readonly bootId?: string
}

export interface DirectoryLock {
  /** False: whoever held the directory before did not let go of it in an orderly way. */
  readonly isClean: boolean
  /** @param isClean whether the next owner may trust what lies in the directory without a check */
  release(isClean: boolean): void
}

const NAME = /^lock\.(\d+)$/
const RELEASED = 'released'

/**
 * Takes the data directory for this process. A lock of a process that has died (kill -9, power cut) does not count.
 *
 * The lock is the file `lock.N` with the highest N. Whoever takes it over creates `lock.N+1` by link(2), which only one
 * can win, and the highest file is never removed: so two processes that both see a dead owner cannot both succeed.
 * Processes that do not see each other in /proc (pid namespaces) must not share a directory.
 *
 * @param random makes a file name unique
 * @throws StoreError `Locked`
 */
export function lockDirectory(dir: string, self: ProcessIdentity, random: (bytes: number) => Uint8Array): DirectoryLock {
  const temporary = join(dir, `lock-${self.pid}-${Buffer.from(random(8)).toString('hex')}`)
  writeFileSync(temporary, JSON.stringify(self))
  try {
    for (;;) {
      const generations = lockGenerations(dir)
      const newest = Math.max(0, ...generations)
      const content = newest === 0 ? RELEASED : readOrEmpty(join(dir, `lock.${newest}`))
      const owner = parseOwner(content)
      if (owner && isAlive(owner)) {
        throw new StoreError('Locked', `${dir}: held by process ${owner.pid}; stop it, or use another data directory`)
      }
      const mine = join(dir, `lock.${newest + 1}`)
      if (!linkExclusive(temporary, mine)) continue
      for (const generation of generations) rmSync(join(dir, `lock.${generation}`), { force: true })
      return { isClean: content === RELEASED, release: (isClean) => writeFileSync(mine, isClean ? RELEASED : '') }
    }
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** Who this process is, for `lockDirectory`. */
export function currentProcess(): ProcessIdentity {
  return identify(process.pid)
}

/** Who the process with this pid is now. */
export function identify(pid: number): ProcessIdentity {
  return { pid, ...kernelIdentity(pid) }
}

function isAlive(owner: ProcessIdentity): boolean {
  const now = kernelIdentity(owner.pid)
  if (owner.startTime !== undefined && now.bootId !== undefined) return now.bootId === owner.bootId && now.startTime === owner.startTime
  try {
    process.kill(owner.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function kernelIdentity(pid: number): Omit<ProcessIdentity, 'pid'> {
  const bootId = readOrEmpty('/proc/sys/kernel/random/boot_id').trim()
  if (bootId === '') return {}
  // the command in parentheses may itself hold spaces and parentheses: field 22 is the 20th after the last one
  const stat = readOrEmpty(`/proc/${pid}/stat`)
  const startTime = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]
  return { bootId, ...(startTime === undefined ? {} : { startTime }) }
}

function lockGenerations(dir: string): number[] {
  return readdirSync(dir).flatMap((name) => {
    const generation = NAME.exec(name)?.[1]
    return generation === undefined ? [] : [Number(generation)]
  })
}

function linkExclusive(from: string, to: string): boolean {
  try {
    linkSync(from, to)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false
    throw error
  }
}

/** Undefined for a released or torn file: a power cut may have left it empty. */
function parseOwner(content: string): ProcessIdentity | undefined {
  try {
    const owner = JSON.parse(content) as ProcessIdentity | null
    return Number.isInteger(owner?.pid) ? (owner as ProcessIdentity) : undefined
  } catch {
    return undefined
  }
}

function readOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
