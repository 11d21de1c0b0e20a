import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import type { Logger } from '../../../base/log.ts'
import type { ProxySettings } from '../../../policy/traffic/model/index.ts'
import { ConfigClient } from '../config/index.ts'
import { askCertificate, WorkloadIdentity } from '../identity/index.ts'

export interface SettingsFollowerOptions {
  /** `proxyName(...)`. */
  readonly name: string
  readonly cluster: string
  /** Path of the node agent's socket. */
  readonly dial: string
  readonly tokenPath: string
  /** Where identity and last good settings are kept. */
  readonly stateDir: string
  readonly clock: Clock
  readonly random: () => number
  readonly log: Logger
}

/**
 * Identity and settings of a proxy that is not ours: what our own proxy reads from its configuration before all else. The settings come over a stream of their
 * own, so that the control plane knows when a new authority is trusted here, too.
 */
export class SettingsFollower {
  readonly identity: WorkloadIdentity
  readonly #config: ConfigClient
  readonly #name: string
  readonly #listeners = new Set<() => void>()
  #settings: ProxySettings | undefined

  constructor(options: SettingsFollowerOptions) {
    const { name, cluster, dial, tokenPath, stateDir, clock, random, log } = options
    this.#name = name
    this.identity = new WorkloadIdentity({
      path: join(stateDir, 'identity.json'),
      sign: (csr) => askCertificate(csr, { dial, tokenPath }),
      clock,
      random,
      log,
    })
    this.#config = new ConfigClient({
      node: { id: name, cluster, userAgent: 'biplane' },
      dial,
      headers: () => bearer(tokenPath),
      file: join(stateDir, 'settings.json'),
      onSnapshot: ({ settings }) => this.#take(settings),
      clock,
      random,
      log,
    })
  }

  /** Called when settings, identity or trust have changed. */
  onChange(listener: () => void): void {
    this.identity.onChange(listener)
    this.#listeners.add(listener)
  }

  get settings(): ProxySettings | undefined {
    return this.#settings
  }

  async start(): Promise<void> {
    this.#config.want('proxy', this.#name)
    await this.#config.start()
  }

  /** What is missing; undefined: settings and, where there is to be one, an identity are there. */
  notReady(): string | undefined {
    if (!this.#settings) {
      const { reason } = this.#config.status
      return `no configuration yet${reason === undefined ? '' : `: ${reason}`}`
    }
    if (this.#settings.identity === undefined || this.identity.material) return undefined
    return `no certificate yet${this.identity.problem === undefined ? '' : `: ${this.identity.problem}`}`
  }

  async close(): Promise<void> {
    this.identity.stop()
    await this.#config.close()
  }

  #take(settings: ProxySettings | undefined): void {
    if (!settings) return
    this.#settings = settings
    this.identity.setTrust(settings.trust)
    this.identity.want(settings.identity === undefined ? undefined : { spiffeId: settings.identity, issuer: settings.issuer ?? '' })
    for (const listener of this.#listeners) listener()
  }
}

/** Headers that say whose stream it is. */
export async function bearer(tokenPath: string): Promise<Readonly<Record<string, string>>> {
  return { authorization: `Bearer ${(await readFile(tokenPath, 'utf8')).trim()}` }
}
