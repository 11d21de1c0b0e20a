import { randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, renameSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  currentProcess,
  identify,
  lockDirectory,
  type DirectoryLock,
  type ProcessIdentity,
} from '../../control-plane/store/directory-lock.ts'
import { StoreError } from '../../control-plane/store/contract.ts'
import { readIfPresent } from '../connect.ts'
import { CliError } from '../errors/cli-error.ts'
import type { EntryRecord } from '../kubeconfig/edit-kubeconfig.ts'

/** `<data dir>/up`: who runs the cluster of this directory, where it is in the user's kubeconfig, and the logs. Mode 0700. */
export class UpDirectory {
  readonly dataDir: string
  readonly dir: string

  constructor(dataDir: string) {
    this.dataDir = dataDir
    this.dir = join(dataDir, 'up')
  }

  /** Takes the directory for this process. @throws {CliError} when another `up` has it */
  lock(): DirectoryLock {
    // containers of other users must get through; a directory that was there already is the user's
    if (mkdirSync(this.dataDir, { recursive: true }) !== undefined) chmodSync(this.dataDir, 0o711)
    mkdirSync(this.dir, { recursive: true, mode: 0o700 })
    let lock: DirectoryLock
    try {
      lock = lockDirectory(this.dir, currentProcess(), randomBytes)
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'Locked') throw error
      const pid = this.owner()?.pid
      throw new CliError(`a cluster runs in ${this.dataDir} already${pid === undefined ? '' : ` (process ${pid})`}`, {
        fix: `end it with "biplane down --data-dir ${this.dataDir}", or use another --data-dir`,
        cause: error,
      })
    }
    this.#write('process.json', currentProcess())
    return lock
  }

  unlock(lock: DirectoryLock): void {
    rmSync(join(this.dir, 'process.json'), { force: true })
    lock.release(true)
  }

  /** The process of the `up` that runs now; undefined when there is none. */
  owner(): ProcessIdentity | undefined {
    const recorded = this.#read<ProcessIdentity>('process.json')
    return recorded && isSameProcess(recorded) ? recorded : undefined
  }

  get kubeconfigEntry(): EntryRecord | undefined {
    return this.#read<EntryRecord>('kubeconfig.json')
  }

  set kubeconfigEntry(record: EntryRecord | undefined) {
    if (record) this.#write('kubeconfig.json', record)
    else rmSync(join(this.dir, 'kubeconfig.json'), { force: true })
  }

  /** The log of a child; emptied when it has become long. */
  logFile(role: string): string {
    const path = join(this.dir, `${role}.log`)
    if ((statSync(path, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES) truncateSync(path)
    return path
  }

  #read<T>(name: string): T | undefined {
    const text = readIfPresent(join(this.dir, name))
    try {
      return text === undefined ? undefined : (JSON.parse(text) as T)
    } catch {
      return undefined
    }
  }

  #write(name: string, value: unknown): void {
    const path = join(this.dir, name)
    writeFileSync(`${path}.tmp`, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 })
    renameSync(`${path}.tmp`, path)
  }
}

const MAX_LOG_BYTES = 10 * 1024 * 1024

/** Whether a process is still the one that was recorded: its number may belong to another by now. */
export function isSameProcess(recorded: ProcessIdentity): boolean {
  const now = identify(recorded.pid)
  if (recorded.startTime !== undefined && now.bootId !== undefined) {
    return now.startTime === recorded.startTime && now.bootId === recorded.bootId && !isZombie(recorded.pid)
  }
  try {
    process.kill(recorded.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

function isZombie(pid: number): boolean {
  const stat = readIfPresent(`/proc/${pid}/stat`) ?? ''
  return stat.slice(stat.lastIndexOf(')') + 2).startsWith('Z')
}
