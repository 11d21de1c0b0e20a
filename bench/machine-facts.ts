import { readFileSync } from 'node:fs'
import { cpus, release, totalmem } from 'node:os'

/** One Markdown line that says what the numbers were measured on. */
export function machineFacts(): string {
  const model = cpus()[0]?.model ?? 'unknown processor'
  const load = readFileSync('/proc/loadavg', 'utf8').split(' ').slice(0, 3).join(' ')
  const memory = (totalmem() / 2 ** 30).toFixed(0)
  return `${cpus().length} x ${model}, ${memory} GiB, Linux ${release()}, Node ${process.version}; load average at the end ${load} (shared machine)`
}
