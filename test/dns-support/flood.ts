import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { poll } from '../support/poll.ts'
import { REPOSITORY } from '../support/program.ts'

export interface FloodResult {
  readonly asked: number
  /** By cause. */
  readonly failures: Readonly<Record<string, number>>
}

export interface Flood {
  /** Questions so far, about. */
  readonly asked: number
  /** Ends it. @returns what came of it */
  stop(): Promise<FloodResult>
}

export interface FloodTarget {
  readonly server: string
  readonly port?: number
  readonly transport: 'udp' | 'tcp'
  readonly concurrency?: number
  readonly name: string
  /** Address that every answer must have. */
  readonly expected: string
}

/** Waits until each has asked some more. */
export async function floodsGoOn(floods: readonly Flood[]): Promise<void> {
  const before = floods.map(({ asked }) => asked)
  await poll('questions go on', () => (floods.every(({ asked }, i) => asked >= (before[i] as number) + 200) ? true : undefined), {
    everyMs: 20,
  })
}

/** Clients that ask one question after the other. @param spawn starts a process, perhaps elsewhere, with its standard output piped */
export function startFlood(target: FloodTarget, spawn: (argv: readonly string[]) => ChildProcess): Flood {
  const { server, port = 53, transport, concurrency = 20, name, expected } = target
  const child = spawn([
    process.execPath,
    join(REPOSITORY, 'test/dns-support/flood.mjs'),
    server,
    String(port),
    transport,
    String(concurrency),
    name,
    expected,
  ])
  let last: FloodResult = { asked: 0, failures: {} }
  const lines = createInterface({ input: child.stdout as Readable })
  lines.on('line', (line) => (last = JSON.parse(line) as FloodResult))
  return {
    get asked() {
      return last.asked
    },
    async stop() {
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      await ended
      return last
    },
  }
}
