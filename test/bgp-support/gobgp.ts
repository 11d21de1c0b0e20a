import { spawnSync, type ChildProcess } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

/** Why GoBGP cannot be a peer here; empty: it can. */
export function gobgpProblem(): string {
  return spawnSync('gobgpd', ['--version']).error || spawnSync('gobgp', ['--version']).error ? 'needs gobgpd' : ''
}

/** GoBGP on a host of the lab. */
export class Gobgp {
  readonly #host: LabHost
  readonly #dir: string
  #child: ChildProcess | undefined

  private constructor(host: LabHost) {
    this.#host = host
    this.#dir = mkdtempSync(join(tmpdir(), 'biplane-gobgp-'))
  }

  /** @param config TOML */
  static async start(host: LabHost, config: string, flags: readonly string[] = []): Promise<Gobgp> {
    const gobgp = new Gobgp(host)
    writeFileSync(join(gobgp.#dir, 'gobgpd.conf'), config)
    await gobgp.restart(flags)
    return gobgp
  }

  async restart(flags: readonly string[] = []): Promise<void> {
    this.#child = this.#host.spawn([
      'gobgpd',
      '-f',
      join(this.#dir, 'gobgpd.conf'),
      '--pprof-disable',
      '--api-hosts',
      '127.0.0.1:50051',
      ...flags,
    ])
    await poll('GoBGP answers', async () => ((await this.#host.run(['gobgp', 'neighbor'])).code === 0 ? true : undefined), { everyMs: 50 })
  }

  /** What gobgp prints. */
  async run(command: string): Promise<string> {
    return this.#host.must(['gobgp', ...command.split(' ')])
  }

  async shows(command: string, pattern: RegExp, withinMs = 20_000): Promise<string> {
    let last = ''
    return poll(
      `gobgp ${command} shows ${pattern}`,
      async () => {
        last = await this.run(command)
        return pattern.test(last) ? last : undefined
      },
      { withinMs },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it shows:\n${last}`, { cause: error })
    })
  }

  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}
