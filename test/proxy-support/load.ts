import { Agent } from 'node:http'
import type { SocketAddress } from '../../src/policy/traffic/model/index.ts'
import { ask, type Answer, type Question } from './peers.ts'

/** Requests one after another on some kept connections, until they are stopped. */
export class Load {
  readonly answers: Answer[] = []
  readonly errors: string[] = []
  readonly #agent: Agent
  readonly #runs: Promise<void>[]
  readonly #watchers = new Set<() => void>()
  #isOver = false

  constructor(to: SocketAddress, clients: number, question: (i: number) => Question = () => ({})) {
    this.#agent = new Agent({ keepAlive: true, maxSockets: clients })
    let sent = 0
    this.#runs = Array.from({ length: clients }, async () => {
      while (!this.#isOver) {
        try {
          this.answers.push(await ask(to, { ...question(sent++), agent: this.#agent }))
        } catch (error) {
          this.errors.push((error as Error).message)
          // an error that comes at once would fill memory
          if (this.errors.length > 100) return
        }
        for (const look of this.#watchers) look()
      }
    })
  }

  /** Resolves when so many more were answered. @throws Error when that takes longer than 5 s */
  async more(count: number): Promise<void> {
    const wanted = this.answers.length + count
    await new Promise<void>((resolve, reject) => {
      const timer = setTimeout(
        () => reject(new Error(`${this.answers.length} of ${wanted} answers within 5 s; ${this.errors[0] ?? ''}`)),
        5_000,
      )
      const look = (): void => {
        if (this.answers.length < wanted && this.errors.length <= 100) return
        clearTimeout(timer)
        this.#watchers.delete(look)
        resolve()
      }
      this.#watchers.add(look)
    })
  }

  /** What went wrong: no answer, or another status than 200. */
  async stop(): Promise<readonly string[]> {
    this.#isOver = true
    await Promise.all(this.#runs)
    this.#agent.destroy()
    return [...this.errors, ...this.answers.filter(({ status }) => status !== 200).map(({ status, body }) => `${status} ${body}`)]
  }
}
