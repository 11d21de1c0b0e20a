import { spawn, type ChildProcess } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../src/base/clock.ts'
import { jsonLogger } from '../src/base/log.ts'
import { isReadyAt, superviseCompanion } from '../src/cli/compose/companion.ts'
import { poll } from './support/poll.ts'

const linux = process.platform === 'linux'

/** A companion that says that it is ready after `delay` ms, or never. */
const PROGRAM = `
const { createServer } = require('node:http')
const { renameSync } = require('node:fs')
const [socket, delay] = process.argv.slice(2)
const ready = Date.now() + Number(delay)
const server = createServer((_, res) => (Date.now() >= ready ? res.end('OK ' + process.pid) : (res.statusCode = 503, res.end())))
server.listen(socket + '.' + process.pid, () => renameSync(socket + '.' + process.pid, socket))
process.on('SIGTERM', () => process.exit(0))
`

describe.skipIf(!linux)(`a companion process${linux ? '' : ' (skipped: needs Linux)'}`, () => {
  let dir: string
  let socket: string
  const pids = new Set<number>()

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'bpl-comp-'))
    socket = join(dir, 's')
    writeFileSync(join(dir, 'program.cjs'), PROGRAM)
  })
  afterEach(() => {
    for (const pid of pids) if (isAlive(pid)) process.kill(pid, 'SIGKILL')
    pids.clear()
    rmSync(dir, { recursive: true, force: true })
  })

  /** An agent's supervisor. @returns what ends it, as the agent's end does */
  function supervise(options: { readonly delay?: string; readonly stopAtEnd?: boolean } = {}): () => Promise<void> {
    const controller = new AbortController()
    const running = superviseCompanion(
      {
        role: 'test',
        argv: [process.execPath, join(dir, 'program.cjs'), socket, options.delay ?? '0'],
        env: { PATH: process.env['PATH'] },
        version: '1',
        recordFile: join(dir, 'record.json'),
        logFile: join(dir, 'log'),
        isReady: (pid) => isReadyAt(socket, pid),
        clock: systemClock,
        random: Math.random,
        log: jsonLogger({ write: () => {}, clock: systemClock }),
        stopAtEnd: () => options.stopAtEnd === true,
      },
      controller.signal,
    )
    return () => (controller.abort(), running)
  }

  const record = (): { running?: { pid: number }; successor?: { pid: number } } =>
    existsSync(join(dir, 'record.json')) ? (JSON.parse(readFileSync(join(dir, 'record.json'), 'utf8')) as never) : {}
  const serving = (except?: number): Promise<number> =>
    poll('a companion serves', async () => {
      const pid = record().running?.pid
      if (pid === undefined || pid === except || !(await isReadyAt(socket, pid))) return undefined
      pids.add(pid)
      return pid
    })

  test('outlives its agent, is adopted by the next one, and ends when it is told to', async () => {
    const first = supervise()
    const pid = await serving()
    await first()
    expect(isAlive(pid)).toBe(true)
    const second = supervise({ stopAtEnd: true })
    expect(await serving()).toBe(pid)
    await second()
    expect(isAlive(pid)).toBe(false)
    expect(record()).toEqual({})
  })

  test('is started anew when it is killed, also when another agent had started it', async () => {
    const first = supervise()
    const pid = await serving()
    await first()
    const second = supervise({ stopAtEnd: true })
    process.kill(pid, 'SIGKILL')
    expect(await serving(pid)).not.toBe(pid)
    await second()
  })

  test('with other flags it is replaced: the old one lives until the new one is ready', async () => {
    const first = supervise()
    const pid = await serving()
    await first()
    const second = supervise({ delay: '700', stopAtEnd: true })
    const successor = await poll('a successor is started', () => record().successor?.pid, { everyMs: 20 })
    pids.add(successor)
    if (!(await isReadyAt(socket, successor))) expect(isAlive(pid)).toBe(true)
    expect(await serving(pid)).toBe(successor)
    await poll('the old one ends', () => (isAlive(pid) ? undefined : true))
    await second()
  })

  test('one whose start an agent that was killed has not put on record is adopted, not doubled', async () => {
    const first = supervise()
    const pid = await serving()
    await first()
    rmSync(join(dir, 'record.json'))
    const second = supervise({ stopAtEnd: true })
    expect(await serving()).toBe(pid)
    await second()
    expect(isAlive(pid)).toBe(false)
  })

  test('one that an agent that was killed has replaced and not ended is ended; its children, and those of other records, are not', async () => {
    const first = supervise()
    const pid = await serving()
    await first()
    const sleeper = (mark: string, detached = true): ChildProcess =>
      spawn('sleep', ['60'], { env: { PATH: process.env['PATH'], BIPLANE_COMPANION: mark }, detached, stdio: 'ignore' })
    const replaced = sleeper(`old ${join(dir, 'record.json')}`)
    const others = [sleeper(`old ${join(dir, 'record.json')}`, false), sleeper(`old ${join(dir, 'other.json')}`)]
    try {
      const second = supervise({ stopAtEnd: true })
      await poll('it is ended', () => (replaced.signalCode === 'SIGTERM' ? true : undefined))
      expect(await serving()).toBe(pid)
      expect(others.map(({ signalCode }) => signalCode)).toEqual([null, null])
      await second()
    } finally {
      for (const child of [replaced, ...others]) child.kill('SIGKILL')
    }
  })

  test('a record that holds nothing of use is as good as none', async () => {
    writeFileSync(join(dir, 'record.json'), 'null')
    const stop = supervise({ stopAtEnd: true })
    await serving()
    await stop()
  })

  test('the number of another process on record is not mistaken for it', async () => {
    const stranger = spawn('sleep', ['60'])
    try {
      writeFileSync(join(dir, 'record.json'), JSON.stringify({ running: { pid: stranger.pid, startTicks: '1', launch: 'x' } }))
      const stop = supervise({ stopAtEnd: true })
      expect(await serving()).not.toBe(stranger.pid)
      await stop()
      expect(stranger.exitCode ?? stranger.signalCode).toBeNull()
    } finally {
      stranger.kill('SIGKILL')
    }
  })
})

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))
  } catch {
    return false
  }
}
