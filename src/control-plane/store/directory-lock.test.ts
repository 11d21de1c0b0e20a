import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ProcessIdentity } from './directory-lock.ts'
import { currentProcess, identify, lockDirectory } from './directory-lock.ts'

let dir: string
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'lock-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

const lock = (self: ProcessIdentity = currentProcess()) => lockDirectory(dir, self, randomBytes)
const locked = expect.objectContaining({ code: 'Locked', message: expect.stringContaining(String(process.pid)) })

describe('lockDirectory', () => {
  it('admits one owner, and the next after an orderly release', () => {
    const first = lock()
    expect(first.isClean).toBe(true)
    expect(() => lock()).toThrow(locked)
    first.release(true)
    const second = lock()
    expect(second.isClean).toBe(true)
    second.release(false)
    expect(lock().isClean).toBe(false)
  })

  it('ignores an owner that has been killed, and says that it was not clean', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60_000)'])
    const owner = identify(child.pid as number)
    lock(owner)
    expect(() => lock()).toThrow(expect.objectContaining({ code: 'Locked' }))
    const gone = new Promise((resolve) => child.on('exit', resolve))
    child.kill('SIGKILL')
    await gone
    expect(lock().isClean).toBe(false)
  })

  it.skipIf(process.platform !== 'linux')('tells a process from an earlier one with its pid (needs /proc)', () => {
    lock({ ...currentProcess(), startTime: '1' })
    expect(lock().isClean).toBe(false)
  })

  it.skipIf(process.platform !== 'linux')('ignores an owner from before the machine was started again (needs /proc)', () => {
    lock({ ...currentProcess(), bootId: 'another' })
    expect(lock().isClean).toBe(false)
  })

  it.each(['', '{"pid":', 'null', '{}', '7'])('ignores a torn lock file: %j', (content) => {
    writeFileSync(join(dir, 'lock.7'), content)
    expect(lock().isClean).toBe(false)
    expect(() => lock()).toThrow(locked)
  })

  it('leaves one file behind, however often it is taken', () => {
    for (let i = 0; i < 5; i++) lock().release(true)
    expect(readdirSync(dir)).toEqual(['lock.5'])
  })
})
