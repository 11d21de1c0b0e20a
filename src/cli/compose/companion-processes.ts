import { readdirSync, readFileSync } from 'node:fs'
import type { ProcessIdentity } from './decide-companion.ts'

/** Tells in the environment of a companion whose it is. Its own children inherit it, but do not lead a session. */
const MARK = 'BIPLANE_COMPANION'

/** What a companion is started with, so that it can be found though its start was never put on record. */
export function companionMark(recordFile: string, launch: string): Readonly<Record<string, string>> {
  return { [MARK]: `${launch} ${recordFile}` }
}

/** The companions of a record that run, on record or not: an agent may end between a start and the note of it. */
export function findCompanions(recordFile: string): readonly ProcessIdentity[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const [launch, ...path] = markIn(name)?.split(' ') ?? []
      const stat = launch !== undefined && path.join(' ') === recordFile ? statOf(Number(name)) : undefined
      return launch !== undefined && stat?.session === name ? [{ pid: Number(name), startTicks: stat.startTicks, launch }] : []
    })
}

export function isAlive(process: ProcessIdentity | undefined): boolean {
  return process !== undefined && startTicksOf(process.pid) === process.startTicks
}

/** Start time in clock ticks since boot; undefined for a process that has ended, also when nobody has asked for its exit code yet. */
export function startTicksOf(pid: number): string | undefined {
  return statOf(pid)?.startTicks
}

/** Fields 6 and 22 of /proc/PID/stat. */
function statOf(pid: number): { readonly session: string; readonly startTicks: string } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the name in parentheses may hold anything
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined
    return { session: fields[3] ?? '', startTicks: fields[19] ?? '' }
  } catch {
    return undefined
  }
}

function markIn(pid: string): string | undefined {
  try {
    const variables = readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0')
    return variables.find((each) => each.startsWith(`${MARK}=`))?.slice(MARK.length + 1)
  } catch {
    // has ended, or belongs to another user
    return undefined
  }
}
