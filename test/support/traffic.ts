import { Agent, get } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'

const ANSWER_WITHIN_MS = 5_000

/** Continuous requests to one URL: some over a new connection each, some over one that is kept. */
export class Traffic {
  readonly failures: string[] = []
  answered = 0
  readonly #keepAlive = new Agent({ keepAlive: true, maxSockets: 1 })
  readonly #workers: readonly Promise<void>[]
  #stopped = false

  /** @param problem what is wrong with an answer of status 200, or undefined */
  constructor(url: string, problem: (body: string) => string | undefined = () => undefined) {
    const agents = [false, false, this.#keepAlive] as const
    this.#workers = agents.map((agent) => this.#work(url, { agent, problem }))
  }

  /** Waits for the last answers. */
  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all(this.#workers)
    this.#keepAlive.destroy()
  }

  async #work(
    url: string,
    options: { readonly agent: Agent | false; readonly problem: (body: string) => string | undefined },
  ): Promise<void> {
    while (!this.#stopped) {
      try {
        const { status, body } = await request(url, options.agent)
        const problem = status === 200 ? options.problem(body) : `status ${status}`
        if (problem === undefined) this.answered++
        else this.failures.push(problem)
      } catch (error) {
        this.failures.push(String(error))
      }
      await delay(5)
    }
  }
}

/** One GET. @param agent false: over a connection of its own */
export function request(url: string, agent: Agent | false = false): Promise<{ readonly status: number; readonly body: string }> {
  return new Promise((resolve, reject) => {
    const sent = get(url, { agent, signal: AbortSignal.timeout(ANSWER_WITHIN_MS) }, (response) => {
      let body = ''
      response.setEncoding('utf8')
      response.on('data', (chunk: string) => (body += chunk))
      response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      response.on('error', reject)
    })
    sent.on('error', reject)
  })
}
