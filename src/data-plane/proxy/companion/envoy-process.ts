import { spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants } from 'node:fs'
import { request } from 'node:http'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Logger } from '../../../base/log.ts'

export interface EnvoyProcessOptions {
  readonly binary: string
  /** Name of the bootstrap, from the working directory. */
  readonly bootstrap: string
  /** Name of the admin socket, from the working directory: the whole may be longer than a socket's name can be. */
  readonly admin: string
  readonly log: Logger
}

const ADMIN_TIMEOUT_MS = 2_000
/** Seconds over which Envoy sends callers away before it closes its listeners. */
const DRAIN_S = 10

/** Names the Envoy to run. */
export const ENVOY_VARIABLE = 'BIPLANE_ENVOY'

/** Where Envoy is: BIPLANE_ENVOY, else `envoy` on the PATH; undefined: nowhere. */
export function findEnvoy(env: Readonly<Record<string, string | undefined>>): string | undefined {
  const onPath = (env['PATH'] ?? '').split(delimiter).flatMap((dir) => (dir === '' ? [] : [join(dir, 'envoy')]))
  return [env[ENVOY_VARIABLE] ?? '', ...onPath].find((path) => {
    try {
      accessSync(path, constants.X_OK)
      return true
    } catch {
      return false
    }
  })
}

/** An Envoy of this process's own. Its access logs go where those of this process go, its own words into the log. */
export class EnvoyProcess {
  readonly #child: ChildProcess
  readonly #options: EnvoyProcessOptions
  #isDraining = false
  /** Why it has ended; never rejects. */
  readonly ended: Promise<string>

  constructor(options: EnvoyProcessOptions) {
    this.#options = options
    const { binary, bootstrap, log } = options
    const args = ['-c', bootstrap, '--disable-hot-restart', '--concurrency', '1', '-l', 'warning']
    this.#child = spawn(binary, [...args, '--drain-time-s', String(DRAIN_S), '--drain-strategy', 'immediate'], {
      stdio: ['ignore', 'inherit', 'pipe'],
    })
    if (this.#child.stderr) createInterface({ input: this.#child.stderr }).on('line', (line) => log.info('envoy', { line }))
    this.ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(error.message))
      this.#child.once('exit', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
  }

  /** Asks the admin interface. @throws Error while it does not listen */
  admin(path: string, method: 'GET' | 'POST' = 'GET'): Promise<{ readonly status: number; readonly body: string }> {
    return new Promise((resolve, reject) => {
      const sent = request({ socketPath: this.#options.admin, path, method, timeout: ADMIN_TIMEOUT_MS }, (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => (body += chunk))
        response.on('error', reject)
        response.on('end', () => resolve({ status: response.statusCode ?? 0, body }))
      })
      sent.on('timeout', () => sent.destroy(new Error('it takes too long')))
      sent.on('error', reject)
      sent.end()
    })
  }

  /** What is missing until it carries connections; undefined: nothing. */
  async notReady(): Promise<string | undefined> {
    try {
      const { status, body } = await this.admin('/ready')
      return status === 200 ? undefined : `Envoy is ${body.trim()}`
    } catch (error) {
      return `Envoy does not answer: ${error instanceof Error ? error.message : String(error)}`
    }
  }

  /** Sends callers from outside away: each answer ends its connection. */
  async drainInbound(): Promise<void> {
    if (this.#isDraining) return
    this.#isDraining = true
    await this.admin('/drain_listeners?inboundonly&graceful&skip_exit', 'POST')
  }

  /** Connections of HTTP that came from outside. */
  get inboundHttpConnections(): Promise<number> {
    return this.#sum(/^http\.inbound_.*\.downstream_cx_active: (\d+)$/)
  }

  /** Connections of all listeners that have one. */
  get connections(): Promise<number> {
    return this.#sum(/^listener\.(?!admin).*\.downstream_cx_active: (\d+)$/)
  }

  /** Ends it at once, and what it carries. */
  async stop(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined) return
    this.#child.kill('SIGTERM')
    await this.ended
  }

  async #sum(line: RegExp): Promise<number> {
    const { body } = await this.admin('/stats?filter=downstream_cx_active%24')
    return body.split('\n').reduce((sum, text) => sum + Number(line.exec(text)?.[1] ?? 0), 0)
  }
}
