import { readdirSync, readFileSync } from 'node:fs'
import { isMissing, readState } from './state-file.ts'

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number
  /** Field 22 of /proc/PID/stat, clock ticks after boot; together with the boot id this names one process for ever. */
  readonly startTicks: number
}

/** What /proc/PID/stat says. */
export interface ProcessStat extends ProcessIdentity {
  readonly state: string
  readonly parent: number
  readonly group: number
  readonly session: number
  /** CPU of the process and of its ended, waited-for children, clock ticks. */
  readonly cpuTicks: number
  readonly residentPages: number
}

/** Clock ticks a second (USER_HZ): 100 on every Linux architecture that Node runs on. */
export const TICKS_PER_SECOND = 100

/** Parses a line of /proc/PID/stat. The name in brackets may hold anything, brackets and spaces too. */
export function parseStat(line: string): ProcessStat | undefined {
  const close = line.lastIndexOf(')')
  const pid = Number.parseInt(line, 10)
  if (close === -1 || !(pid > 0)) return undefined
  const field = line.slice(close + 2).split(' ')
  const number = (index: number): number => Number(field[index - 3])
  return {
    pid,
    state: field[0] as string,
    parent: number(4),
    group: number(5),
    session: number(6),
    cpuTicks: number(14) + number(15) + number(16) + number(17),
    startTicks: number(22),
    residentPages: number(24),
  }
}

/** The process with this number, if there is one; zombies count as gone. */
export function readProcess(pid: number): ProcessStat | undefined {
  let line: string
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1')
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
  const stat = parseStat(line)
  return stat && stat.state !== 'Z' && stat.state !== 'X' ? stat : undefined
}

export function isAlive(identity: ProcessIdentity): boolean {
  return readProcess(identity.pid)?.startTicks === identity.startTicks
}

/** Changes at every boot of the machine. */
export function readBootId(): string {
  return (readState('/proc/sys/kernel/random/boot_id') ?? '').trim()
}

const AT_PAGESZ = 6n

/** Bytes of a memory page: 4096 on most machines, more on some arm64 ones. */
export function readPageSize(): number {
  const words = new BigUint64Array(Uint8Array.from(readFileSync('/proc/self/auxv')).buffer)
  for (let index = 0; index + 1 < words.length; index += 2) if (words[index] === AT_PAGESZ) return Number(words[index + 1])
  return 4096
}

/** Numbers of all processes. */
export function listPids(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => pid > 0)
}

/** All processes whose environment at their start held the variable `name`, with its value. */
export function findByVariable(name: string): readonly (ProcessIdentity & { readonly value: string })[] {
  const found: (ProcessIdentity & { value: string })[] = []
  const prefix = `${name}=`
  for (const pid of listPids()) {
    let environment: string
    try {
      environment = readFileSync(`/proc/${pid}/environ`, 'latin1')
    } catch {
      continue // gone, or not ours to read
    }
    const start = environment.startsWith(prefix) ? 0 : environment.indexOf(`\0${prefix}`) + 1
    if (start === 0 && !environment.startsWith(prefix)) continue
    const end = environment.indexOf('\0', start)
    const stat = readProcess(pid)
    if (stat) found.push({ ...stat, value: environment.slice(start + prefix.length, end === -1 ? undefined : end) })
  }
  return found
}

/** Sends a signal to a process, or to the group `-pid`; false when nobody is there. */
export function sendSignal(pid: number, signal: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, signal)
  } catch (error) {
    if (isMissing(error)) return false
    throw error
  }
}
