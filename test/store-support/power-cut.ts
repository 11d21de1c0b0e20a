import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { CrashModel, ImageList } from './crash-images.ts'
import { imageAfter } from './crash-images.ts'
import type { TraceEvent } from './parse-trace.ts'
import { parseTrace, TRACED_CALLS } from './parse-trace.ts'
import { randomFrom } from './writers.ts'

/** A traced run of the writer in `dir`, and what it left there. */
export interface TracedRun {
  readonly events: readonly TraceEvent[]
  readonly database: Buffer
}

/** Runs the script writer under strace. */
export function traceWriter(program: string, dir: string, writes: number): TracedRun {
  const data = join(dir, 'data')
  const trace = join(dir, 'trace')
  const options = ['-f', '-y', '-xx', '-s', '3000000', '-e', `trace=${TRACED_CALLS}`, '-o', trace]
  execFileSync('strace', [...options, process.execPath, program, 'script', data, String(writes)], {
    stdio: ['ignore', 'ignore', 'inherit'],
    timeout: 120_000,
  })
  const events = parseTrace(readFileSync(trace, 'latin1'), data)
  rmSync(trace)
  return { events, database: readFileSync(join(data, 'store.mdb')) }
}

export interface PowerCuts {
  readonly states: number
  readonly seed: number
  readonly model?: Pick<CrashModel, 'ignoreSync' | 'ignoreSyncWrites'>
  /** Control: the writer answers this many events too early. */
  readonly ackAhead?: number
}

/** Cuts the power at many points of a run. @returns one text per state that lost something */
export function findLostStates(program: string, run: TracedRun, options: PowerCuts & { dir: string }): string[] {
  const { states, seed, model = {}, ackAhead = 0, dir } = options
  const random = randomFrom(seed)
  const images: { dir: string; acked: number }[] = []
  for (let number = 0; number < states; number++) {
    const count = 1 + random(run.events.length)
    const keep = [0, 0.5, 0.9, 1][number % 4] as number
    const image = join(dir, `image-${number}`)
    mkdirSync(image)
    for (const [name, bytes] of imageAfter(run.events, count, { keep, random, ...model })) writeFileSync(join(image, name), bytes)
    images.push({ dir: image, acked: acksIn(run.events.slice(0, count + ackAhead)).length })
  }
  const list: ImageList = { acks: acksIn(run.events), images }
  const listFile = join(dir, 'images.json')
  writeFileSync(listFile, JSON.stringify(list))
  const found = checkAll(program, listFile, states)
  for (const { dir } of images) rmSync(dir, { recursive: true })
  return found
}

/** A child per crash of the checker: an image that ends the process counts as lost, and the next child goes on behind it. */
function checkAll(program: string, listFile: string, states: number): string[] {
  const lost: string[] = []
  for (let next = 0; next < states;) {
    const child = spawnSync(process.execPath, [program, 'images', listFile, String(next)], { encoding: 'utf8', timeout: 120_000 })
    for (const [, number, problem] of child.stdout.matchAll(/^IMAGE (\d+) (.*)$/gm)) {
      next = Number(number) + 1
      if (problem) lost.push(`state ${number}: ${problem}`)
    }
    if (next < states) lost.push(`state ${next}: the checker ended with ${child.signal ?? child.status}: ${child.stderr.slice(0, 300)}`)
    next++
  }
  return lost
}

const acksIn = (events: readonly TraceEvent[]) => events.flatMap((event) => (event.type === 'ack' ? event.acks : []))
