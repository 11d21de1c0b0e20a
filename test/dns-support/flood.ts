import type { ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { REPOSITORY } from '../support/program.ts'

export interface FloodResult {
  readonly asked: number
  /** By cause. */
  readonly failures: Readonly<Record<string, number>>
}

export interface Flood {
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
  let output = ''
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  return {
    async stop() {
      const ended = once(child, 'close')
      child.kill('SIGTERM')
      await ended
      return JSON.parse(output) as FloodResult
    },
  }
}
