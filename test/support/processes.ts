import { readFileSync, readdirSync } from 'node:fs'

/** Processes whose parent is `parent`. */
export function childrenOf(parent: number): readonly number[] {
  return pids().filter((pid) => Number(/^.*\) \S (\d+)/s.exec(read(pid, 'stat'))?.[1]) === parent)
}

/** Processes that have `text` in a variable or in their command line, this one excepted. */
export function processesWith(text: string): readonly number[] {
  return pids().filter((pid) => pid !== process.pid && (read(pid, 'environ').includes(text) || read(pid, 'cmdline').includes(text)))
}

/** Arguments joined by spaces; empty for a process that has ended. */
export function commandLineOf(pid: number): string {
  return read(pid, 'cmdline').replaceAll('\0', ' ')
}

function pids(): readonly number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'latin1')
  } catch {
    return ''
  }
}
