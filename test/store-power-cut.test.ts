import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { bundleProgram } from './store-support/bundle-program.ts'
import { imageAfter } from './store-support/crash-images.ts'
import type { PowerCuts, TracedRun } from './store-support/power-cut.ts'
import { findLostStates, traceWriter } from './store-support/power-cut.ts'

// a sandbox may have strace and forbid ptrace
const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0

describe.skipIf(!canTrace)('power cut (needs strace with ptrace allowed)', () => {
  let program: Awaited<ReturnType<typeof bundleProgram>>
  let dir: string
  let run: TracedRun
  beforeAll(async () => {
    program = await bundleProgram()
    dir = mkdtempSync(join(tmpdir(), 'store-power-cut-'))
    run = traceWriter(program.file, dir, 500)
  })
  afterAll(() => {
    program.remove()
    rmSync(dir, { recursive: true, force: true })
  })
  const cut = (options: PowerCuts): string[] => findLostStates(program.file, run, { ...options, dir })
  const count = (type: string): number => run.events.filter((event) => event.type === type).length

  it('is replayed from a trace that misses no write', () => {
    const all = imageAfter(run.events, run.events.length, { keep: 1, random: () => 0 })
    expect(Buffer.compare(all.get('store.mdb') ?? Buffer.alloc(0), run.database)).toBe(0)
    expect(count('ack')).toBeGreaterThan(200)
    expect(count('sync')).toBeGreaterThan(50)
    expect(count('rename')).toBe(1)
  })

  it('loses nothing acknowledged in 300 crash states', () => {
    expect(cut({ states: 300, seed: 3 })).toEqual([])
  })

  // controls: a check that cannot fail proves nothing
  it('is noticed when the disk ignores fdatasync', () => {
    expect(cut({ states: 40, seed: 5, model: { ignoreSync: true } }).length).toBeGreaterThan(20)
  })

  it('is noticed when the disk ignores O_DSYNC', () => {
    expect(cut({ states: 60, seed: 7, model: { ignoreSyncWrites: true } }).length).toBeGreaterThan(5)
  })

  it('is noticed when writes are answered before they are flushed', () => {
    expect(cut({ states: 40, seed: 9, ackAhead: 6 }).length).toBeGreaterThan(10)
  })
})
