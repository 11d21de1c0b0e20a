import { existsSync, chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { execFileSync, type ChildProcess } from 'node:child_process'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { LabHost } from '../../src/testing/network-lab/index.ts'
import { poll } from '../support/poll.ts'

const DAEMONS = '/usr/lib/frr'

/** Why FRR cannot be a peer here; empty: it can. */
export function frrProblem(): string {
  return existsSync(`${DAEMONS}/bgpd`) && existsSync('/usr/bin/vtysh') ? '' : 'needs frr'
}

/** FRR on a host of the lab: zebra, bgpd and bfdd with sockets of their own. */
export class Frr {
  readonly #host: LabHost
  readonly #dir: string
  readonly #children = new Map<string, ChildProcess>()

  private constructor(host: LabHost) {
    this.#host = host
    this.#dir = mkdtempSync(join(tmpdir(), 'biplane-frr-'))
    // the daemons run as another user
    chmodSync(this.#dir, 0o777)
    mkdirSync(join(this.#dir, 'vty'), { recursive: true })
    chmodSync(join(this.#dir, 'vty'), 0o777)
  }

  static async start(host: LabHost, config: string, daemons: readonly string[] = ['zebra', 'bgpd']): Promise<Frr> {
    const frr = new Frr(host)
    writeFileSync(join(frr.#dir, 'frr.conf'), `hostname them\nlog file ${join(frr.#dir, 'log')} debugging\n${config}\n`, { mode: 0o644 })
    for (const daemon of daemons) await frr.startDaemon(daemon)
    return frr
  }

  async startDaemon(daemon: string, flags: readonly string[] = []): Promise<void> {
    const path = (name: string): string => join(this.#dir, name)
    const common = ['-f', path('frr.conf'), '-i', path(`${daemon}.pid`), '--vty_socket', path('vty'), '-z', path('zserv')]
    const own: Readonly<Record<string, readonly string[]>> = { bfdd: ['--bfdctl', path('bfdd.sock')] }
    this.#children.set(daemon, this.#host.spawn([`${DAEMONS}/${daemon}`, ...common, ...(own[daemon] ?? []), ...flags]))
    await poll(`${daemon} answers`, async () => ((await this.#vtysh('show version', daemon)).code === 0 ? true : undefined), {
      everyMs: 50,
    })
  }

  async killDaemon(daemon: string): Promise<void> {
    const child = this.#children.get(daemon)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill('SIGKILL')
    await ended
  }

  /** What vtysh prints. */
  async show(command: string): Promise<string> {
    const { code, stdout, stderr } = await this.#vtysh(command)
    if (code !== 0) throw new Error(`vtysh ${command}: ${stdout}${stderr}`)
    return stdout
  }

  async shows(command: string, pattern: RegExp, withinMs = 20_000): Promise<string> {
    let last = ''
    return poll(
      `vtysh ${command} shows ${pattern}`,
      async () => {
        last = await this.show(command)
        return pattern.test(last) ? last : undefined
      },
      { withinMs },
    ).catch((error: unknown) => {
      throw new Error(`${String(error)}; it shows:\n${last}`, { cause: error })
    })
  }

  /** Lines of configuration, each a command. */
  async configure(lines: readonly string[]): Promise<void> {
    const args = ['configure terminal', ...lines].flatMap((line) => ['-c', line])
    await this.#host.must(['vtysh', '--vty_socket', join(this.#dir, 'vty'), ...args])
  }

  async stop(): Promise<void> {
    for (const daemon of this.#children.keys()) await this.killDaemon(daemon)
    rmSync(this.#dir, { recursive: true, force: true })
  }

  #vtysh(command: string, daemon?: string): ReturnType<LabHost['run']> {
    const only = daemon === undefined ? [] : ['-d', daemon]
    return this.#host.run(['vtysh', '--vty_socket', join(this.#dir, 'vty'), ...only, '-c', command])
  }
}

/** Version as text, for the output of tests. */
export function frrVersion(): string {
  return execFileSync(`${DAEMONS}/bgpd`, ['--version'], { encoding: 'utf8' }).split('\n')[0] ?? ''
}
