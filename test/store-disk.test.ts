import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { openLmdbStore, verifyInChild } from '../src/control-plane/store/index.ts'
import type { Ack } from './store-support/acks.ts'
import { findLosses, parseAck } from './store-support/acks.ts'
import { bundleProgram } from './store-support/bundle-program.ts'

const canTrace = spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0
const canMount = process.getuid?.() === 0 && spawnSync('unshare', ['--mount', 'true']).status === 0

const RUN = { encoding: 'utf8', timeout: 60_000, maxBuffer: 64 * 1024 * 1024 } as const

let program: Awaited<ReturnType<typeof bundleProgram>>
let dir: string
beforeAll(async () => {
  program = await bundleProgram()
})
afterAll(() => program.remove())
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'store-disk-'))
})
afterEach(() => rmSync(dir, { recursive: true, force: true }))

interface Filled {
  readonly acks: readonly Ack[]
  readonly codes: readonly string[]
  readonly failure?: string
  readonly read: number
}

function parseFilled(output: string): Filled {
  const lines = output.trim().split('\n')
  const last = JSON.parse(lines.at(-1) ?? '{}') as Omit<Filled, 'acks'>
  return { ...last, acks: lines.flatMap((line) => parseAck(line) ?? []) }
}

async function expectNothingLost(store: string, acks: readonly Ack[]): Promise<void> {
  const reopened = await openLmdbStore({ dir: store, clock: systemClock, compaction: false })
  expect(await findLosses(reopened, acks, 1)).toEqual([])
  const { revision } = await reopened.txn([], [{ type: 'put', key: '/after', value: new Uint8Array(1) }], [])
  expect(Number(revision)).toBeGreaterThan(acks.length)
  await reopened.close()
}

describe('a full disk', () => {
  it.skipIf(!canMount)('ends writing, not reading; with room again nothing is lost (needs root and mount)', async () => {
    const mount = join(dir, 'mount')
    execFileSync('mkdir', [mount])
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', mount])
    try {
      const output = execFileSync(process.execPath, [program.file, 'fill', join(mount, 'data')], RUN)
      const { acks, codes, failure, read } = parseFilled(output)
      expect(codes).toEqual(['ReadOnly', 'ReadOnly'])
      expect(failure).toMatch(/no space left/i)
      expect(read).toBe(3)
      expect(acks.length).toBeGreaterThan(100)
      execFileSync('mount', ['-o', 'remount,size=64m', mount])
      await expectNothingLost(join(mount, 'data'), acks)
    } finally {
      execFileSync('umount', [mount])
    }
  })
})

describe('a failed fdatasync', () => {
  it.skipIf(!canTrace)('ends writing and is never tried again (needs strace with ptrace allowed)', async () => {
    const [trace, data] = [join(dir, 'trace'), join(dir, 'data')]
    // from the 20th on, for every thread on its own: none of them may come back for a second one
    const inject = ['-f', '-e', 'trace=fdatasync', '-e', 'inject=fdatasync:error=EIO:when=20+', '-o', trace]
    const output = execFileSync('strace', [...inject, process.execPath, program.file, 'fill', data], RUN)
    const { acks, codes, failure, read } = parseFilled(output)
    expect(codes).toEqual(['ReadOnly', 'ReadOnly'])
    expect(failure).toMatch(/input\/output error/i)
    expect(read).toBe(3)
    const calls = readFileSync(trace, 'latin1')
      .split('\n')
      .filter((line) => line.includes('fdatasync'))
    expect(calls.filter((line) => line.includes('EIO'))).toHaveLength(1)
    expect(calls.at(-1)).toContain('EIO')
    await expectNothingLost(data, acks)
  })
})

describe('the check in a child process', () => {
  it('finds a store sound, and damaged once bytes have changed, even when that ends the child', async () => {
    const data = join(dir, 'data')
    execFileSync(process.execPath, [program.file, 'script', data, '300'])
    const argv = [process.execPath, program.file, 'check']
    expect(await verifyInChild(argv, data)).toMatchObject({ compactRevision: expect.stringMatching(/^[1-9]/) })
    const file = join(data, 'store.mdb')
    expect(existsSync(file)).toBe(true)
    // everything behind the two meta pages
    execFileSync('dd', ['if=/dev/urandom', `of=${file}`, 'bs=16384', 'seek=2', 'count=400', 'conv=notrunc', 'status=none'])
    await expect(verifyInChild(argv, data)).rejects.toMatchObject({ code: 'Corrupt' })
    // the last owner died: the check comes first, and this process does not touch the file
    writeFileSync(join(data, 'lock.99'), '')
    await expect(openLmdbStore({ dir: data, clock: systemClock, verifyArgv: argv })).rejects.toMatchObject({ code: 'Corrupt' })
  })
})
