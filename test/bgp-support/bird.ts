import { spawnSync, type ChildProcess } from 'node:child_process'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

/** Why BIRD cannot be a peer here; empty: it can. */
export function birdProblem(): string {
  return spawnSync('bird', ['--version']).error ? 'needs bird2' : ''
}

/** BIRD 2 on a host of the lab. */
export class Bird {
  readonly #host: LabHost
  readonly #dir: string
  #child: ChildProcess | undefined

  private constructor(host: LabHost) {
    this.#host = host
    this.#dir = mkdtempSync(join(tmpdir(), 'biplane-bird-'))
    mkdirSync(this.#dir, { recursive: true })
  }

  static async start(host: LabHost, config: string): Promise<Bird> {
    const bird = new Bird(host)
    await bird.restart(config)
    return bird
  }

  /** @param config of BIRD; router id and device protocol are put before it */
  async restart(config?: string, flags: readonly string[] = []): Promise<void> {
    if (config !== undefined) this.#write(config)
    const check = await this.#host.run(['bird', '-p', '-c', join(this.#dir, 'bird.conf')])
    if (check.code !== 0) throw new Error(`BIRD does not take its configuration: ${check.stderr}`)
    this.#child = this.#host.spawn([
      'bird',
      '-f',
      '-c',
      join(this.#dir, 'bird.conf'),
      '-s',
      this.#socket,
      '-P',
      join(this.#dir, 'pid'),
      ...flags,
    ])
    await poll('BIRD answers', async () => ((await this.#run('show status')).code === 0 ? true : undefined), { everyMs: 50 })
  }

  /** Kills it, without a word to peers. */
  async kill(): Promise<void> {
    const child = this.#child
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    // the child is `ip netns exec`, which has become BIRD
    child.kill('SIGKILL')
    await ended
  }

  async configure(config: string): Promise<void> {
    this.#write(config)
    await this.show('configure')
  }

  /** What birdc prints. */
  async show(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.#run(command)
    if (code !== 0) throw new Error(`birdc ${command}: ${stderr}`)
    return stdout
  }

  /** All about one route, with attributes. */
  route(prefix: string): Promise<string> {
    return this.show(`show route for ${prefix} all`)
  }

  async shows(command: string, pattern: RegExp, withinMs = 20_000): Promise<string> {
    let last = ''
    return poll(
      `birdc ${command} shows ${pattern}`,
      async () => {
        last = await this.show(command)
        return pattern.test(last) ? last : undefined
      },
      { withinMs },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it shows:\n${last}`, { cause: error })
    })
  }

  async stop(): Promise<void> {
    await this.kill()
    rmSync(this.#dir, { recursive: true, force: true })
  }

  get #socket(): string {
    return join(this.#dir, 'ctl')
  }

  #write(config: string): void {
    writeFileSync(join(this.#dir, 'bird.conf'), `protocol device { scan time 1; }\n${config}`)
  }

  #run(command: string): ReturnType<LabHost['run']> {
    return this.#host.run(['birdc', '-s', this.#socket, ...command.split(' ')])
  }
}
