import { constants } from 'node:os'
import type { Clock } from '../../../../base/clock.ts'
import { type ExecResult, RuntimeError } from '../../runtime.ts'
import type { SpawnPlan } from './launch.ts'
import { sendSignal } from './proc.ts'
import { spawnIn } from './spawn-in.ts'

/** Output beyond is dropped. Probes and hooks only show its beginning. */
const MAX_OUTPUT_BYTES = 65_536
/** How long output may follow after the command has ended, when a child of it keeps the pipe. */
const DRAIN_MS = 100

export interface CommandOptions {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Path; absent: the machine's network. */
  readonly networkNamespace?: string | undefined
}

/** Runs a command to its end, in a session of its own. @throws RuntimeError `Timeout` after killing it with all it started, `StartError` */
export function runCommand(plan: SpawnPlan, options: CommandOptions): Promise<ExecResult> {
  const { clock, timeoutMs, networkNamespace } = options
  return new Promise((resolve, reject) => {
    const child = spawnIn(networkNamespace, plan, ['ignore', 'pipe', 'pipe'])
    const stdout = new Collector()
    const stderr = new Collector()
    child.stdout?.on('data', (chunk: Buffer) => stdout.add(chunk))
    child.stderr?.on('data', (chunk: Buffer) => stderr.add(chunk))
    let timedOut = false
    const timer = clock.after(timeoutMs, () => {
      timedOut = true
      if (child.pid !== undefined) sendSignal(-child.pid, 'SIGKILL')
    })
    child.on('error', (error) => {
      timer.cancel()
      reject(new RuntimeError('StartError', `cannot start ${plan.file}: ${error.message}`, { cause: error }))
    })
    child.on('exit', (code, signal) => {
      timer.cancel()
      const drain = clock.after(DRAIN_MS, () => {
        child.stdout?.destroy()
        child.stderr?.destroy()
      })
      child.on('close', () => {
        drain.cancel()
        if (timedOut) reject(new RuntimeError('Timeout', `command timed out after ${timeoutMs} ms and was killed`))
        else resolve({ exitCode: code ?? 128 + constants.signals[signal ?? 'SIGKILL'], stdout: stdout.take(), stderr: stderr.take() })
      })
    })
  })
}

class Collector {
  readonly #chunks: Buffer[] = []
  #size = 0

  add(chunk: Buffer): void {
    const room = MAX_OUTPUT_BYTES - this.#size
    if (room <= 0) return
    this.#chunks.push(chunk.length > room ? chunk.subarray(0, room) : chunk)
    this.#size += Math.min(room, chunk.length)
  }

  take(): Buffer {
    return Buffer.concat(this.#chunks)
  }
}
