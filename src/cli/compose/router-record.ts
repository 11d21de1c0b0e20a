import { mkdir, readFile, rename, writeFile } from 'node:fs/promises'
import { readFileSync, readlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import { startTicksOf } from './companion-processes.ts'

/** A router process leaves it behind: so that the next one knows whether the kernel still has its routes. */
export interface RouterRecord {
  readonly pid: number
  /** When the process started, in ticks since boot: a pid alone may be another's by now. */
  readonly startTicks: string
  /** Routes do not survive a boot or another network namespace. */
  readonly bootId: string
  readonly namespace: string
  /** Last sign of life, seconds since boot. */
  readonly aliveAtS: number
  /** It took its routes out of the kernel. */
  readonly isDrained: boolean
  /** How long peers keep routes of a router that is away. */
  readonly restartTimeSeconds: number
}

/** Reads what an earlier process left; undefined when there is nothing that can be read. */
export async function readRecord(path: string): Promise<RouterRecord | undefined> {
  try {
    return JSON.parse(await readFile(path, 'utf8')) as RouterRecord
  } catch {
    return undefined
  }
}

/** The record of this process. */
export function ownRecord(restartTimeSeconds: number, isDrained: boolean): RouterRecord {
  return {
    pid: process.pid,
    startTicks: startTicksOf(process.pid) ?? '',
    bootId: readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim(),
    namespace: readlinkSync('/proc/self/ns/net'),
    aliveAtS: uptimeS(),
    isDrained,
    restartTimeSeconds,
  }
}

export async function writeRecord(path: string, record: RouterRecord): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 })
  await writeFile(`${path}.tmp`, JSON.stringify(record), { mode: 0o600 })
  await rename(`${path}.tmp`, path)
}

/** Whether the routes of the process before this one are in this kernel still, and its peers may still wait for it. */
export function hasKeptForwarding(before: RouterRecord | undefined, now: RouterRecord): boolean {
  if (!before || before.isDrained) return false
  const isSameKernel = before.bootId === now.bootId && before.namespace === now.namespace
  return isSameKernel && now.aliveAtS - before.aliveAtS < before.restartTimeSeconds
}

const LOOK_MS = 50

/** Waits until the process of a record is gone. @throws when it does not go */
export async function awaitEnd(
  before: RouterRecord | undefined,
  options: { readonly clock: Clock; readonly log: Logger; readonly withinMs: number; readonly onWait: () => void },
  signal: AbortSignal,
): Promise<void> {
  const { clock, log, withinMs, onWait } = options
  const isAlive = (): boolean => before !== undefined && before.pid !== process.pid && startTicksOf(before.pid) === before.startTicks
  if (!isAlive()) return
  log.info('waiting for the router before this one to leave', { pid: before?.pid })
  onWait()
  const deadline = clock.monotonic() + withinMs
  while (isAlive() && !signal.aborted) {
    if (clock.monotonic() > deadline) throw new Error(`another router (process ${before?.pid}) runs for this node: end it first`)
    await sleep(clock, LOOK_MS, signal).catch((error: unknown) => log.debug('asked to end', { error: messageOf(error) }))
  }
}

function uptimeS(): number {
  return Number(readFileSync('/proc/uptime', 'utf8').split(' ')[0])
}
