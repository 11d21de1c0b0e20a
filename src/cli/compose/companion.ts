import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { closeSync, openSync } from 'node:fs'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { get } from 'node:http'
import { dirname } from 'node:path'
import type { Random } from '../../base/backoff.ts'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { readIfPresent } from '../connect.ts'
import { PROGRAM_VERSION } from '../program-version.ts'
import { companionMark, findCompanions, isAlive, startTicksOf } from './companion-processes.ts'
import { decideCompanion, NO_HISTORY, type CompanionHistory, type ProcessIdentity } from './decide-companion.ts'

/** A process beside the agent that outlives it: cluster DNS, the router. */
export interface CompanionOptions {
  /** For logs: `dns`, `router`. */
  readonly role: string
  /** Executable and arguments. */
  readonly argv: readonly string[]
  readonly env: Readonly<Record<string, string | undefined>>
  /** A process that runs another version is replaced. */
  readonly version: string
  /** Where the running process is put on record, for the agent after this one. */
  readonly recordFile: string
  /** Its output goes there, also after the agent has died. */
  readonly logFile: string
  /** Whether the process serves. Asked of a successor before the old one is ended. */
  readonly isReady: (pid: number) => Promise<boolean>
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  /** Asked at the end: end the companion too? Default: it runs on. */
  readonly stopAtEnd?: () => boolean
}

const LOOK_EVERY_MS = 250
const ENDS_WITHIN_MS = 10_000

/**
 * Keeps one detached process alive until the signal aborts: adopts the one an earlier agent started, starts it anew when it dies (with growing pauses), and
 * replaces one of another version or with other flags by one that serves before the old one is asked to end. Rejects only when its directories cannot be
 * made.
 */
export async function superviseCompanion(options: CompanionOptions, signal: AbortSignal): Promise<void> {
  const { clock, random, log } = options
  const supervisor = new Supervisor(options)
  await supervisor.load()
  let history: CompanionHistory = NO_HISTORY
  while (!signal.aborted) {
    try {
      history = await supervisor.step(history, random)
    } catch (error) {
      log.warn('companion process cannot be looked after', { role: options.role, error: messageOf(error) })
    }
    await sleep(clock, LOOK_EVERY_MS, signal).catch(() => {})
  }
  if (options.stopAtEnd?.()) await supervisor.stop()
}

interface CompanionRecord {
  readonly running?: ProcessIdentity | undefined
  readonly successor?: ProcessIdentity | undefined
}

class Supervisor {
  readonly #options: CompanionOptions
  readonly #wanted: string
  #record: CompanionRecord = {}
  /** Processes that were asked to end, and until when they may take. */
  readonly #ending = new Map<ProcessIdentity, number>()

  constructor(options: CompanionOptions) {
    this.#options = options
    this.#wanted = createHash('sha256')
      .update(JSON.stringify([options.version, options.argv]))
      .digest('hex')
      .slice(0, 16)
  }

  async load(): Promise<void> {
    const { recordFile, logFile, role, log } = this.#options
    await mkdir(dirname(recordFile), { recursive: true, mode: 0o700 })
    await mkdir(dirname(logFile), { recursive: true, mode: 0o700 })
    const text = await readFile(recordFile, 'utf8').catch(() => '{}')
    try {
      this.#record = (JSON.parse(text) ?? {}) as CompanionRecord
    } catch {
      log.warn('record of the companion process is unreadable and ignored', { role, path: recordFile })
    }
    await this.#takeStrays()
    if (isAlive(this.#record.running)) log.info('companion process adopted', { role, pid: this.#record.running?.pid })
  }

  /** An agent that was killed may have started one, or replaced one, without having finished: it would run for ever beside the next. */
  async #takeStrays(): Promise<void> {
    const { recordFile, role, log } = this.#options
    const running = alive(this.#record.running)
    const successor = alive(this.#record.successor)
    const strays = findCompanions(recordFile).filter(({ pid }) => pid !== running?.pid && pid !== successor?.pid)
    if (strays.length === 0) return
    log.info('companion processes found that are not on record', { role, pids: strays.map(({ pid }) => pid) })
    const adopted = running ?? successor ?? strays.find(({ launch }) => launch === this.#wanted) ?? strays[0]
    if (!running && !successor) await this.#put({ running: adopted })
    for (const stray of strays) if (stray !== adopted) this.#end(stray)
  }

  async step(history: CompanionHistory, random: Random): Promise<CompanionHistory> {
    const { clock, role, log } = this.#options
    this.#killLate()
    const running = alive(this.#record.running)
    const successor = alive(this.#record.successor)
    const successorReady = successor !== undefined && (await this.#options.isReady(successor.pid).catch(() => false))
    const view = {
      wanted: this.#wanted,
      nowMs: clock.monotonic(),
      successorReady,
      ...(running ? { running } : {}),
      ...(successor ? { successor } : {}),
    }
    const [action, next] = decideCompanion(view, history, random)
    if (next.failures > history.failures || (next.failures > 0 && next.pausedUntilMs > history.pausedUntilMs)) {
      log.warn('companion process ended', { role, pauseMs: Math.round(next.pausedUntilMs - clock.monotonic()), log: this.#options.logFile })
    }
    switch (action) {
      case 'start':
        await this.#put({ running: this.#spawn() })
        break
      case 'start-successor':
        await this.#put({ running, successor: this.#spawn() })
        break
      case 'promote':
        await this.#put({ running: successor })
        if (running) this.#end(running)
        break
      case 'drop-successor':
        if (successor) this.#end(successor)
        await this.#put({ running })
        break
      case 'wait':
    }
    return next
  }

  /** Ends whatever runs. */
  async stop(): Promise<void> {
    const { clock, recordFile } = this.#options
    for (const each of [this.#record.running, this.#record.successor]) if (each) this.#end(each)
    while ([...this.#ending.keys()].some(isAlive)) {
      this.#killLate()
      await sleep(clock, 50)
    }
    await rm(recordFile, { force: true })
  }

  /** @returns undefined when it did not start */
  #spawn(): ProcessIdentity | undefined {
    const { argv, env, recordFile, logFile, role, log } = this.#options
    const [file = '', ...args] = argv
    const output = openSync(logFile, 'a', 0o600)
    try {
      // a session of its own: neither signals of a terminal nor the end of the agent reach it
      const child = spawn(file, args, {
        env: { ...env, ...companionMark(recordFile, this.#wanted) },
        detached: true,
        stdio: ['ignore', output, output],
      })
      child.on('error', (error) => log.warn('companion process did not start', { role, error: error.message }))
      child.unref()
      const startTicks = child.pid === undefined ? undefined : startTicksOf(child.pid)
      if (child.pid === undefined || startTicks === undefined) return undefined
      log.info('companion process started', { role, pid: child.pid })
      return { pid: child.pid, startTicks, launch: this.#wanted }
    } finally {
      closeSync(output)
    }
  }

  #end(process: ProcessIdentity): void {
    this.#ending.set(process, this.#options.clock.monotonic() + ENDS_WITHIN_MS)
    send(process, 'SIGTERM')
  }

  #killLate(): void {
    for (const [process, deadline] of this.#ending) {
      if (!isAlive(process)) this.#ending.delete(process)
      else if (this.#options.clock.monotonic() > deadline) send(process, 'SIGKILL')
    }
  }

  async #put(record: CompanionRecord): Promise<void> {
    const { recordFile } = this.#options
    this.#record = record
    await writeFile(`${recordFile}.tmp`, JSON.stringify(record), { mode: 0o600 })
    await rename(`${recordFile}.tmp`, recordFile)
  }
}

const alive = (process: ProcessIdentity | undefined): ProcessIdentity | undefined => (isAlive(process) ? process : undefined)

function send(target: ProcessIdentity, signal: NodeJS.Signals): void {
  try {
    if (isAlive(target)) process.kill(target.pid, signal)
  } catch {
    // ended meanwhile
  }
}

/** Asks `/ready` on a unix socket, and whether it is this very process that answers there (`OK <pid>`). */
export function isReadyAt(socketPath: string, pid: number): Promise<boolean> {
  return new Promise((resolve) => {
    // a kept connection would lead to the process that was there before
    const request = get({ socketPath, path: '/ready', timeout: 2_000, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (text += chunk))
      response.on('end', () => resolve(response.statusCode === 200 && text.trim() === `OK ${pid}`))
      response.on('error', () => resolve(false))
    })
    request.on('timeout', () => request.destroy())
    request.on('error', () => resolve(false))
  })
}

/** The program's version, and its text where that is one small file: another build of the same version is another program. */
export function programOf(self: readonly string[]): string {
  const script = readIfPresent(self.at(-1) ?? '') ?? ''
  return `${PROGRAM_VERSION} ${script.length < 100_000 ? script : ''}`
}
