import { appendFileSync, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readLog } from '../log-reader.ts'
import { LogFile } from './log-file.ts'

const LIMITS = { maxBytes: 10_000, maxFiles: 4 }
const FALLOCATE = '/usr/bin/fallocate'
const hasFallocate = statSync(FALLOCATE, { throwIfNoEntry: false }) !== undefined

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'biplane-log-'))
  writeFileSync(join(dir, 'log'), '')
})
afterEach(() => rmSync(dir, { recursive: true }))

/** Appends the lines `from` to `to - 1`, ten bytes each. */
function append(from: number, to: number): void {
  appendFileSync(join(dir, 'log'), Array.from({ length: to - from }, (_, index) => `${String(from + index).padStart(9, '0')}\n`).join(''))
}

async function linesOf(file: LogFile): Promise<number[]> {
  const follower = { ended: () => true, changed: () => Promise.resolve(), now: () => 0 }
  const chunks: Uint8Array[] = []
  for await (const chunk of readLog(file, { follower, signal: new AbortController().signal })) chunks.push(chunk)
  return Buffer.concat(chunks).toString().trimEnd().split('\n').map(Number)
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index)
}

test.skipIf(!hasFallocate)(
  'holes take away whole old lines and leave the rest, for the next agent too (skipped without fallocate)',
  async () => {
    const file = new LogFile(dir)
    append(0, 4001)
    file.observe()
    await file.rotate(LIMITS, FALLOCATE)
    expect(await linesOf(file)).toEqual(range(1002, 4001))
    append(4001, 4500)
    expect(await linesOf(file)).toEqual(range(1002, 4500))
    expect(await linesOf(new LogFile(dir))).toEqual(range(1002, 4500))
    expect(statSync(join(dir, 'log')).size).toBe(45_000)
  },
)

test('nothing is thrown away below the limit', async () => {
  const file = new LogFile(dir)
  append(0, 4000)
  file.observe()
  await file.rotate(LIMITS, FALLOCATE)
  expect(await linesOf(file)).toEqual(range(0, 4000))
})

test('without holes the log is copied and emptied, and both are read as one', async () => {
  const file = new LogFile(dir)
  append(0, 2001)
  file.observe()
  await file.rotate(LIMITS, '')
  expect([statSync(join(dir, 'log')).size, statSync(join(dir, 'log.1')).size]).toEqual([0, 20_010])
  append(2001, 3000)
  expect(await linesOf(file)).toEqual(range(0, 3000))
  expect(await linesOf(new LogFile(dir))).toEqual(range(0, 3000))
  append(3000, 4500)
  file.observe()
  await file.rotate(LIMITS, '')
  append(4500, 4600)
  expect(await linesOf(file)).toEqual(range(2001, 4600))
})

test('a log that its container empties is read from there', async () => {
  const file = new LogFile(dir)
  append(0, 100)
  file.observe()
  truncateSync(join(dir, 'log'), 0)
  append(100, 110)
  expect(await linesOf(file)).toEqual(range(100, 110))
  append(110, 120)
  file.observe()
  file.save()
  expect(await linesOf(new LogFile(dir))).toEqual(range(100, 120))
})
