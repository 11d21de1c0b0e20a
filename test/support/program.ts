import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export const REPOSITORY: string = fileURLToPath(new URL('../..', import.meta.url))

const STARTS_WITHIN_MS = 10_000
const ENDS_WITHIN_MS = 10_000

/** An example's program as a plain process on a free port of 127.0.0.1, without a cluster. */
export class Program {
  readonly port: number
  readonly #child: ChildProcess

  private constructor(child: ChildProcess, port: number) {
    this.#child = child
    this.port = port
  }

  /** @param path below examples/; @returns once it listens */
  static async start(path: string, env: Readonly<Record<string, string>> = {}): Promise<Program> {
    const child = spawn(process.execPath, [`${REPOSITORY}examples/${path}`], {
      env: { HOST: '127.0.0.1', PORT: '0', LEAVE_MS: '50', ...env },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const timer = setTimeout(() => child.kill('SIGKILL'), STARTS_WITHIN_MS)
    try {
      for await (const line of createInterface({ input: child.stdout })) {
        const port = /listens on .*:(\d+)$/.exec(line)?.[1]
        if (port !== undefined) return new Program(child, Number(port))
      }
      throw new Error(`${path} ended before it listened`)
    } finally {
      clearTimeout(timer)
      child.stdout.resume()
    }
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** How others are told where it is. */
  serviceEnv(name: string): Record<string, string> {
    const prefix = name.toUpperCase().replaceAll('-', '_')
    return { [`${prefix}_SERVICE_HOST`]: '127.0.0.1', [`${prefix}_SERVICE_PORT`]: String(this.port) }
  }

  signal(name: NodeJS.Signals): void {
    this.#child.kill(name)
  }

  /** Sends SIGTERM unless it has ended; after 10 s SIGKILL. @returns exit code, or the signal that ended it */
  async stop(): Promise<number | NodeJS.Signals | null> {
    const child = this.#child
    if (child.exitCode === null && child.signalCode === null) {
      const ended = once(child, 'exit')
      child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), ENDS_WITHIN_MS)
      await ended
      clearTimeout(timer)
    }
    return child.exitCode ?? child.signalCode
  }
}
