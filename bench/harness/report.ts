import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { machineFacts } from '../machine-facts.ts'

/** Nearest rank: the least value that a share `q` of all values does not exceed. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.max(0, Math.ceil(sorted.length * q) - 1)] ?? Number.NaN
}

/** `median (min to max)`. */
export function spread(values: readonly number[], digits = 0): string {
  return `${quantile(values, 0.5).toFixed(digits)} (${Math.min(...values).toFixed(digits)} to ${Math.max(...values).toFixed(digits)})`
}

/** How a measured cost stands to its goal, ratio first: `1.31x: 535 ms, goal <= 700 ms`. Above 1 is better than the goal. */
export function against(measured: number, goal: { readonly most?: number; readonly least?: number; readonly unit: string }): string {
  const { most, least, unit } = goal
  const ratio = most === undefined ? measured / (least ?? 1) : most / measured
  const verdict = ratio >= 1 ? '' : ', **missed**'
  const text = Math.abs(measured) < 10 ? measured.toFixed(2) : measured.toFixed(0)
  return `**${ratio.toFixed(2)}x**${verdict}: ${text} ${unit}, goal ${most === undefined ? `>= ${least}` : `<= ${most}`} ${unit}`
}

export function table(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  return [header, header.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`)
}

const NOTES = '\n## What holds it back\n'

/** Prints and keeps the result in bench/results/NAME.md, with the facts of the machine. A section of notes written there by hand stays. */
export function report(name: string, lines: readonly string[]): void {
  const text = `${[...lines, '', machineFacts()].join('\n')}\n`
  process.stdout.write(text)
  if (process.env['BIPLANE_BENCH_DRY']) return
  const file = join(process.env['BIPLANE_ROOT'] ?? '.', 'bench/results', `${name}.md`)
  const before = existsSync(file) ? readFileSync(file, 'utf8') : ''
  const notes = before.includes(NOTES) ? before.slice(before.indexOf(NOTES)) : ''
  writeFileSync(file, text + notes)
}
