import { readdirSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Pod } from '../../../../api/generated/types.ts'
import type { Clock } from '../../../../base/clock.ts'
import { parseIp } from '../../../../base/ip.ts'
import type { Logger } from '../../../../base/log.ts'
import { RuntimeError, type Sandbox } from '../../runtime.ts'
import type { PodAddresses } from '../../network/addresses/pod-addresses.ts'
import type { Layout } from './layout.ts'
import { isMissing, makeDir, readJsonState, readState, writeState } from './state-file.ts'

/** A pod as it is on disk. */
export interface StoredPod {
  readonly sandbox: Sandbox
  pod: Pod
}

export interface PodStoreOptions {
  readonly layout: Layout
  readonly addresses: PodAddresses
  /** Addresses of pods that use the machine's own network. */
  readonly hostAddresses: readonly string[]
  /** Where a pod's own network namespace is to be; undefined: it has none. */
  readonly namespaceOf: (podUid: string) => string | undefined
  readonly clock: Clock
  readonly log: Logger
}

/** The pods' directories and addresses. A directory appears and disappears as a whole, so a crash leaves no half pod. */
export class PodStore {
  readonly #options: PodStoreOptions
  readonly #pods = new Map<string, StoredPod>()
  #sequence = 0

  constructor(options: PodStoreOptions) {
    this.#options = options
  }

  /** Reads what is on disk; damaged directories go to the trash. */
  load(): void {
    const { layout, log, addresses } = this.#options
    for (const dir of [layout.pods, layout.events, layout.trash]) makeDir(dir)
    for (const uid of readdirSync(layout.pods)) {
      const pod = readJsonState<Pod>(join(layout.pods, uid, 'pod.json'))
      const ips = (readState(join(layout.pods, uid, 'ip')) ?? '').split('\n').filter((line) => line !== '')
      if (!pod?.metadata || ips.length === 0 || ips.some((ip) => parseIp(ip) === undefined)) {
        log.warn('a pod directory is damaged and is removed', { uid })
        this.#discard(join(layout.pods, uid), uid)
        continue
      }
      if (pod.spec?.hostNetwork || addresses.claim(ips)) this.#remember(uid, pod, ips)
      else this.#remember(uid, pod, this.#moved(uid, ips))
    }
  }

  get(uid: string): StoredPod | undefined {
    return this.#pods.get(uid)
  }

  list(): readonly StoredPod[] {
    return [...this.#pods.values()]
  }

  /** Makes the pod's directory and gives it an address, or records what has changed. */
  ensure(pod: Pod): Sandbox {
    const { layout, hostAddresses, addresses } = this.#options
    const uid = pod.metadata.uid
    if (!uid) throw new RuntimeError('InvalidArgument', `pod ${pod.metadata.name} has no uid`)
    const dir = layout.pod(uid)
    const text = JSON.stringify(pod)
    const stored = this.#pods.get(uid)
    if (stored) {
      if (JSON.stringify(stored.pod) !== text) writeState(join(dir, 'pod.json'), text)
      stored.pod = pod
      return stored.sandbox
    }
    const ips = pod.spec?.hostNetwork ? hostAddresses : addresses.take()
    try {
      const unfinished = this.#inTrash(uid)
      makeDir(join(unfinished, 'containers'))
      writeState(join(unfinished, 'ip'), linesOf(ips))
      writeState(join(unfinished, 'pod.json'), text)
      renameSync(unfinished, dir)
    } catch (error) {
      // a disk that is full for an hour must not use up the node's addresses
      if (!pod.spec?.hostNetwork) addresses.release(ips)
      throw error
    }
    return this.#remember(uid, pod, ips)
  }

  /** Removes the pod's directory with all that is in it, and frees its address. */
  async remove(uid: string): Promise<void> {
    const stored = this.#pods.get(uid)
    if (!stored) return
    this.#discard(stored.sandbox.dir, uid)
    this.#pods.delete(uid)
    if (!stored.pod.spec?.hostNetwork) this.#options.addresses.release(stored.sandbox.ips)
    await this.emptyTrash()
  }

  /** Takes a directory away at once; its contents follow with `emptyTrash`. */
  discard(dir: string): void {
    this.#discard(dir, dir.split('/').slice(-2).join('-'))
  }

  async emptyTrash(): Promise<void> {
    const { trash } = this.#options.layout
    for (const name of readdirSync(trash)) {
      await rm(join(trash, name), { recursive: true, force: true })
    }
  }

  #discard(dir: string, name: string): void {
    try {
      renameSync(dir, this.#inTrash(name))
    } catch (error) {
      if (!isMissing(error)) throw error
    }
  }

  #inTrash(name: string): string {
    const { layout, clock } = this.#options
    return join(layout.trash, `${name}-${clock.now()}-${this.#sequence++}`)
  }

  #remember(uid: string, pod: Pod, ips: readonly string[]): Sandbox {
    // a pod of the time when this node gave its pods loopback addresses stays in the machine's network
    const shares = pod.spec?.hostNetwork || ips[0]?.startsWith('127.')
    const networkNamespace = shares ? undefined : this.#options.namespaceOf(uid)
    const sandbox: Sandbox = { podUid: uid, ips, dir: this.#options.layout.pod(uid), ...(networkNamespace ? { networkNamespace } : {}) }
    this.#pods.set(uid, { sandbox, pod })
    return sandbox
  }

  #moved(uid: string, ips: readonly string[]): readonly string[] {
    const others = this.#options.addresses.take()
    this.#options.log.error('two pods have one address, the second gets another', { uid, address: ips[0], other: others[0] })
    writeState(join(this.#options.layout.pod(uid), 'ip'), linesOf(others))
    return others
  }
}

const linesOf = (ips: readonly string[]): string => ips.map((ip) => `${ip}\n`).join('')
