import { readFileSync } from 'node:fs'

/** What a process uses now. */
export interface Usage {
  /** User and system time since its start. */
  readonly cpuMs: number
  readonly rssMb: number
  /** Resident memory that no file stands behind: heap, stacks, buffers. */
  readonly rssAnonMb: number
  readonly peakRssMb: number
  readonly threads: number
  /** Times the process went to sleep by itself since its start: how often it was woken. */
  readonly wakeUps: number
}

/** Clock ticks of /proc/PID/stat; the kernel's USER_HZ is 100 everywhere. */
const TICK_MS = 10

/** Linux only. @throws when the process is gone */
export function usageOf(pid: number): Usage {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  const field = (name: string): number => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN)
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // the name in parentheses may hold spaces
  const rest = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return {
    cpuMs: (Number(rest[11]) + Number(rest[12])) * TICK_MS,
    rssMb: field('VmRSS') / 1024,
    rssAnonMb: field('RssAnon') / 1024,
    peakRssMb: field('VmHWM') / 1024,
    threads: field('Threads'),
    wakeUps: field('voluntary_ctxt_switches'),
  }
}
