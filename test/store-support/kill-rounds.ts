import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { systemClock } from '../../src/base/clock.ts'
import { openLmdbStore, verifyStore } from '../../src/control-plane/store/index.ts'
import type { Ack } from './acks.ts'
import { findLosses, parseAck } from './acks.ts'
import { randomFrom } from './writers.ts'

export interface KillReport {
  readonly rounds: number
  readonly acked: number
  /** Writes that were durable though the process died before it could say so. */
  readonly revisions: number
  readonly problems: readonly string[]
}

/**
 * Starts a writer on one data directory, kills it (SIGKILL) at a random moment, opens the store, checks it, and again.
 *
 * @param program the bundle of program.ts
 */
export async function runKillRounds(
  program: string,
  rounds: number,
  options: { seed: number; onRound?: (line: string) => void },
): Promise<KillReport> {
  const dir = mkdtempSync(join(tmpdir(), 'store-kill-'))
  const random = randomFrom(options.seed)
  const problems: string[] = []
  let acked = 0
  let revision = 1
  try {
    for (let round = 0; round < rounds && problems.length === 0; round++) {
      const acks = await writeAndKill([program, 'write', dir, String(options.seed + round)], 30 + random(300))
      acked += acks.length
      const found = await checkStore(dir, acks, revision)
      revision = found.revision
      problems.push(...found.problems.map((problem) => `round ${round}: ${problem}`))
      options.onRound?.(
        `round ${round + 1}/${rounds}: ${acks.length} acknowledged, revision ${revision}, ${found.problems.length} problems`,
      )
    }
    return { rounds, acked, revisions: revision - 1, problems }
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function writeAndKill(args: readonly string[], afterMs: number): Promise<Ack[]> {
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  const acks: Ack[] = []
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  const ended = new Promise<string | null>((resolve) => child.on('close', (_, signal) => resolve(signal)))
  for await (const line of createInterface({ input: child.stdout })) {
    // the clock starts with the first write: how long a process takes to start says nothing
    if (acks.length === 0) systemClock.after(afterMs, () => child.kill('SIGKILL'))
    const ack = parseAck(line)
    if (ack) acks.push(ack)
  }
  const signal = await ended
  if (signal !== 'SIGKILL') throw new Error(`the writer ended by itself: ${errors}`)
  return acks
}

async function checkStore(dir: string, acks: readonly Ack[], leastRevision: number): Promise<{ revision: number; problems: string[] }> {
  const store = await openLmdbStore({ dir, clock: systemClock, compaction: false })
  const problems = await findLosses(store, acks, leastRevision)
  const { revision, keys } = await store.status()
  await store.close()
  const report = await verifyStore(dir)
  if (report.keys !== keys) problems.push(`the check counts ${report.keys} keys, the store ${keys}`)
  return { revision: Number(revision), problems }
}
