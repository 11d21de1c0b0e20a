import { closeSync, copyFileSync, existsSync, mkdirSync, openSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { dumpYaml, parseYaml } from '../../api/yaml.ts'
import { sleep, type Clock } from '../../base/clock.ts'
import { isJsonObject, type JsonObject } from '../../base/json.ts'
import { readIfPresent } from '../connect.ts'
import { CliError } from '../errors/cli-error.ts'
import { addEntry, freeName, removeEntry, type ClusterEntry, type EntryRecord } from './edit-kubeconfig.ts'

const LOCK_WAIT_MS = 5_000
const LOCK_POLL_MS = 50

export interface Merged {
  readonly record: EntryRecord
  readonly changes: readonly string[]
  /** Whether commands that name no context use this one. */
  readonly isCurrent: boolean
  /** Copy of the file as it was, when one was made. */
  readonly backup?: string
}

/**
 * Merges an entry into the kubeconfig at `path`: under a lock that kubectl honours, with a backup the first time, written
 * whole or not at all, readable by the user alone. A symbolic link stays one.
 * @param mine what an earlier merge of the same cluster recorded
 * @throws {CliError} when the file is no kubeconfig or somebody holds the lock
 */
export async function mergeEntry(
  path: string,
  entry: ClusterEntry,
  options: { readonly clock: Clock; readonly switchTo: boolean; readonly mine: EntryRecord | undefined },
): Promise<Merged> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  return withLock(path, options.clock, () => {
    const file = realPath(path)
    const { text, config } = readConfig(file)
    const mine = options.mine?.path === path ? options.mine : undefined
    const name = freeName(config, entry.name, mine)
    const { config: edited, changes } = addEntry(config, { ...entry, name }, options)
    const isNew = changes.some((change) => change.startsWith('added'))
    const backup = isNew && text !== undefined ? `${file}.bak` : undefined
    if (backup !== undefined) copyFileSync(file, backup)
    writeConfig(file, edited, text)
    const current = config['current-context']
    const switched = edited['current-context'] === name && current !== name
    const previousContext = switched ? (typeof current === 'string' ? current : '') : mine?.previousContext
    const record: EntryRecord = {
      path,
      name,
      certificateAuthorityData: entry.certificateAuthorityData,
      ...(previousContext === undefined ? {} : { previousContext }),
    }
    return { record, changes, isCurrent: edited['current-context'] === name, ...(backup === undefined ? {} : { backup }) }
  })
}

/** Takes the recorded entry away again. @returns what was done; empty when it is not there any more */
export async function dropEntry(record: EntryRecord, clock: Clock): Promise<readonly string[]> {
  if (!existsSync(record.path)) return []
  return withLock(record.path, clock, () => {
    const file = realPath(record.path)
    const { text, config } = readConfig(file)
    const edited = removeEntry(config, record)
    if (!edited) return []
    writeConfig(file, edited.config, text)
    return edited.changes
  })
}

function readConfig(file: string): { readonly text: string | undefined; readonly config: JsonObject } {
  const text = readIfPresent(file)
  const [document, ...others] = text === undefined ? [] : parseYaml(text, file)
  const config = document?.value ?? {}
  if (!isJsonObject(config) || others.length > 0) {
    throw new CliError(`${file} is no kubeconfig`, { fix: 'name another with --kubeconfig, or leave it alone with --no-kubeconfig' })
  }
  return { text, config }
}

function writeConfig(file: string, config: JsonObject, before: string | undefined): void {
  const text = dumpYaml(config)
  if (text === before) return
  const temporary = `${file}.tmp-${process.pid}`
  try {
    writeFileSync(temporary, text, { mode: 0o600, flush: true })
    renameSync(temporary, file)
  } finally {
    rmSync(temporary, { force: true })
  }
}

/** As client-go locks it: `<file>.lock`, made exclusively. */
async function withLock<T>(path: string, clock: Clock, work: () => T): Promise<T> {
  const lock = `${path}.lock`
  const deadline = clock.monotonic() + LOCK_WAIT_MS
  for (;;) {
    try {
      closeSync(openSync(lock, 'wx', 0o600))
      break
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      if (clock.monotonic() > deadline) {
        throw new CliError(`${path} is locked`, {
          why: `${lock} exists`,
          fix: `remove ${lock} if no kubectl or biplane is changing the file`,
        })
      }
      await sleepLoud(clock)
    }
  }
  try {
    return work()
  } finally {
    rmSync(lock, { force: true })
  }
}

/** The clock's timers do not keep a process alive; here nothing else would. */
async function sleepLoud(clock: Clock): Promise<void> {
  const alive = setInterval(() => {}, 1_000)
  try {
    await sleep(clock, LOCK_POLL_MS)
  } finally {
    clearInterval(alive)
  }
}

function realPath(path: string): string {
  try {
    return realpathSync(path)
  } catch {
    return path
  }
}
