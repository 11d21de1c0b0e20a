import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { isHosted } from '../../../policy/traffic/model/index.ts'
import { MESH_AUDIENCE } from '../../../protocols/mesh-link.ts'
import type { TokenCache } from '../api-sync/token-cache.ts'
import type { Sandbox } from '../runtime.ts'
import { describeHosted, hostedLayout, type HostedLayout } from './hosted-pod.ts'
import { localServices } from './local-services.ts'

/** What carries the connections of pods from outside of them. */
export interface PodProxies {
  /**
   * Resolves once the pod's connections are carried; at once for pods that have a sidecar of their own, or none. Awaited before each start of a container, when
   * the control plane knows the pod's addresses; a rejection keeps the container from starting, is shown, and tried again.
   */
  attach(pod: Pod, sandbox: Sandbox): Promise<void>
  /** The pod's containers have ended: what they had open may be closed. Also called for pods that were never attached. */
  detach(podUid: string): void
}

export interface HostedPodsOptions {
  /** Shared with the proxy. */
  readonly dir: string
  /** Who the proxy runs as, where that is not the agent's own user. */
  readonly user?: { readonly uid: number; readonly gid: number }
  readonly tokens: Pick<TokenCache, 'get'>
  readonly services: () => readonly Service[]
  /** What is missing until the proxy carries the connections of the pod with this address; undefined: nothing. */
  readonly problemAt: (ip: string) => Promise<string | undefined>
  readonly clock: Clock
  readonly log: Logger
}

const TOKEN_LIFE_S = 3_600
/** How often tokens are looked after; the cache knows which are due. */
const TOKENS_EVERY_MS = 30_000
/** A start is tried again soon, and other work of the pod is not to wait longer for it. */
const READY_WITHIN_MS = 2_000
const LOOK_MS = 50

/** The pods of a node that its own proxy serves: tells the proxy of them, gives it their tokens, and knows when it carries their connections. */
export class HostedPods implements PodProxies {
  readonly #options: HostedPodsOptions
  readonly #layout: HostedLayout
  readonly #pods = new Map<string, Pod>()
  readonly #listeners = new Set<() => void>()

  constructor(options: HostedPodsOptions) {
    this.#options = options
    this.#layout = hostedLayout(options.dir)
    mkdirSync(options.dir, { recursive: true, mode: 0o711 })
    for (const dir of [this.#layout.pods, this.#layout.tokens]) {
      mkdirSync(dir, { recursive: true, mode: 0o750 })
      this.#give(dir, 'group')
    }
    mkdirSync(this.#layout.state, { recursive: true, mode: 0o700 })
    this.#give(this.#layout.state, 'owner')
  }

  get count(): number {
    return this.#pods.size
  }

  /** Called when there is one more pod, or one less. @returns stops it */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async attach(pod: Pod, sandbox: Sandbox): Promise<void> {
    if (!isHosted(pod.metadata.annotations)) return
    const { uid = '' } = pod.metadata
    const isNew = !this.#pods.has(uid)
    this.#pods.set(uid, pod)
    if (isNew) this.#tell()
    await this.#renewToken(pod)
    if (!this.#pods.has(uid)) throw new Error('the pod has ended')
    // where nothing is intercepted the proxy serves the services itself
    localServices(pod, sandbox, this.#options.services())
    this.#write(join(this.#layout.pods, `${uid}.json`), JSON.stringify(describeHosted(pod, sandbox, this.#layout)))
    await this.#whenReady(sandbox.ips[0] ?? '')
  }

  detach(podUid: string): void {
    const { pods, tokens } = this.#layout
    rmSync(join(pods, `${podUid}.json`), { force: true })
    rmSync(join(tokens, podUid), { force: true })
    if (this.#pods.delete(podUid)) this.#tell()
  }

  /** Lets go of pods that an earlier agent has left and that are none any more. To be called once all that are have been attached. */
  sweep(): void {
    for (const file of readdirSync(this.#layout.pods)) {
      const uid = /^(.*)\.json$/.exec(file)?.[1]
      if (uid !== undefined && !this.#pods.has(uid)) this.detach(uid)
    }
  }

  /** Keeps the tokens fresh until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, log } = this.#options
    while (!signal.aborted) {
      await sleep(clock, TOKENS_EVERY_MS, signal).catch(() => {})
      if (signal.aborted) return
      for (const pod of this.#pods.values()) {
        await this.#renewToken(pod).catch((error: unknown) =>
          log.warn('the token of a pod is not fresh', {
            pod: pod.metadata.name,
            namespace: pod.metadata.namespace,
            error: messageOf(error),
          }),
        )
      }
    }
  }

  async #renewToken(pod: Pod): Promise<void> {
    const path = join(this.#layout.tokens, pod.metadata.uid ?? '')
    try {
      const options = { audience: MESH_AUDIENCE, expirationSeconds: TOKEN_LIFE_S }
      const token = await this.#options.tokens.get(pod, pod.spec?.serviceAccountName || 'default', options)
      if (this.#pods.has(pod.metadata.uid ?? '')) this.#write(path, token)
    } catch (error) {
      // the one that is there is good for a while, and the proxy has an identity
      if (!existsSync(path)) throw new Error(`no token for its proxy: ${messageOf(error)}`, { cause: error })
    }
  }

  async #whenReady(ip: string): Promise<void> {
    const { clock, problemAt } = this.#options
    for (const until = clock.monotonic() + READY_WITHIN_MS; ;) {
      const problem = await problemAt(ip)
      if (problem === undefined) return
      if (clock.monotonic() >= until) throw new Error(`the proxy of the node does not carry its connections yet: ${problem}`)
      await sleep(clock, LOOK_MS)
    }
  }

  #write(path: string, text: string): void {
    if (existsSync(path) && readFileSync(path, 'utf8') === text) return
    writeFileSync(`${path}.tmp`, text, { mode: 0o640 })
    this.#give(`${path}.tmp`, 'group')
    renameSync(`${path}.tmp`, path)
  }

  #give(path: string, as: 'owner' | 'group'): void {
    const { user } = this.#options
    if (user) chownSync(path, as === 'owner' ? user.uid : (process.getuid?.() ?? 0), user.gid)
  }

  #tell(): void {
    for (const listener of this.#listeners) listener()
  }
}
