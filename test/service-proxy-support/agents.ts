import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { REPOSITORY } from '../support/program.ts'

export type Protocol = 'TCP' | 'UDP'

/** What a question brought: who answered and which address it saw, or how it failed. */
export interface Answer {
  readonly answer?: string
  readonly error?: string
}

/** A program inside a host of the lab that serves and asks. It dies with the lab. */
export class Agent {
  readonly host: LabHost
  readonly #child: ChildProcess
  readonly #waiting = new Map<number, (result: Record<string, unknown>) => void>()
  #next = 0

  constructor(host: LabHost) {
    this.host = host
    this.#child = host.spawn(
      [process.execPath, join(process.env['BIPLANE_ROOT'] ?? REPOSITORY, 'test/service-proxy-support/agent.mjs'), host.name],
      {
        stdio: ['pipe', 'pipe', 'inherit'],
      },
    )
    createInterface({ input: this.#child.stdout as NodeJS.ReadableStream }).on('line', (line) => {
      const { id, ...result } = JSON.parse(line) as { readonly id: number }
      this.#waiting.get(id)?.(result)
      this.#waiting.delete(id)
    })
  }

  async serve(protocol: Protocol, port: number, address?: string): Promise<void> {
    const { error } = (await this.#call('serve', { protocol, port, address })) as Answer
    if (error) throw new Error(`${this.host.name} cannot serve ${protocol} ${port}: ${error}`)
  }

  /** `NAME ADDRESS`, or `refused`, `timeout`, `unreachable`. */
  async ask(
    protocol: Protocol,
    to: string,
    port: number,
    options: { readonly timeoutMs?: number; readonly localPort?: number } = {},
  ): Promise<string> {
    const { answer, error } = (await this.#call('ask', { protocol, to, port, ...options })) as Answer
    return answer ?? error ?? 'nothing'
  }

  /** Who answers so many questions, sorted, each once. */
  async askers(protocol: Protocol, to: string, port: number, times = 24): Promise<string> {
    const answers = await Promise.all(Array.from({ length: times }, () => this.ask(protocol, to, port)))
    return [...new Set(answers.map((answer) => answer.split(' ')[0] ?? ''))].sort().join(' ')
  }

  async startTraffic(protocol: Protocol, to: string, port: number): Promise<void> {
    await this.#call('traffic', { protocol, to, port })
  }

  async progress(): Promise<number> {
    return (await this.#call('progress', {}))['answered'] as number
  }

  async stopTraffic(): Promise<{ readonly answered: number; readonly failures: readonly string[]; readonly by: Record<string, number> }> {
    return (await this.#call('stop', {})) as never
  }

  #call(op: string, rest: object): Promise<Record<string, unknown>> {
    const id = this.#next++
    return new Promise((resolve) => {
      this.#waiting.set(id, resolve)
      this.#child.stdin?.write(`${JSON.stringify({ id, op, ...rest })}\n`)
    })
  }
}
