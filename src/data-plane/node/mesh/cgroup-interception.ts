import { existsSync, readFileSync, readlinkSync } from 'node:fs'
import { release } from 'node:os'
import type { Pod } from '../../../api/generated/types.ts'
import { sleep, type Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { isHosted } from '../../../policy/traffic/model/index.ts'
import type { Nft } from '../../forwarding/contract.ts'
import type { PodProtection } from '../network/pod-protection.ts'
import type { PodCgroup } from '../runtime.ts'
import { parseMountInfo } from '../runtimes/process/mountinfo.ts'
import { cgroupProblem, compileCgroupInterception, type CgroupPod } from './plan-cgroup-interception.ts'
import { isIntercepted } from './plan-interception.ts'

export interface CgroupInterceptionOptions {
  /** Name of the node's table, which nobody else on this machine has. */
  readonly table: string
  /** The kernel's tables, of the node's own namespace. */
  readonly nft: Pick<Nft, 'run' | 'foreignChanges' | 'close'>
  readonly clock: Clock
  readonly log: Logger
}

/** Two programs that put one table right do not do so all the time. */
const REPAIR_MS = 200
const REPAIR_AGAIN_MS = 2_000

/**
 * Leads what others dial at the addresses of meshed pods to their sidecars, where pods share the network of the node: by the cgroup that a socket is of. What is in
 * force stays while the agent is away; the next one replaces it as a whole.
 */
export class CgroupInterception implements PodProtection {
  readonly #options: CgroupInterceptionOptions
  readonly #pods = new Map<string, CgroupPod>()
  #next: Promise<void> | undefined
  #tail: Promise<void>
  #begin: () => void = () => {}
  #hasBegun = false

  constructor(options: CgroupInterceptionOptions) {
    this.#options = options
    this.#tail = new Promise((resolve) => (this.#begin = resolve))
  }

  /** All pods that an earlier agent has left have been asked for. Nothing is changed before: its rules hold until then. */
  async begin(): Promise<void> {
    this.#begin()
    this.#hasBegun = true
    // what is left of pods that are gone
    await this.#commit().catch((error: unknown) => this.#options.log.warn('the table of the mesh is as it was', told(error)))
  }

  /** Puts the table right when another program has changed it (`nft flush ruleset`), until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    const { nft, table, clock, log } = this.#options
    for await (const { pid, process } of nft.foreignChanges([`ip ${table}`], signal)) {
      log.warn('another program has changed the table of the mesh; it is put right', { table, pid, process })
      await sleep(clock, REPAIR_MS, signal).catch(() => {})
      while (!signal.aborted && !(await this.#isPutRight())) await sleep(clock, REPAIR_AGAIN_MS, signal).catch(() => {})
    }
  }

  async protect(pod: Pod, ips: readonly string[], cgroup?: PodCgroup): Promise<void> {
    const { uid = '' } = pod.metadata
    const [ip] = ips
    if (ip === undefined) return
    let isChanged = false
    // its address may have been another's a moment ago
    for (const [other, { ip: taken }] of this.#pods) if (taken === ip && other !== uid) isChanged = this.#pods.delete(other)
    // the proxy of a node is in no pod's cgroup
    if (cgroup && isIntercepted(pod) && !isHosted(pod.metadata.annotations)) {
      this.#pods.set(uid, { pod, ip, cgroup })
      isChanged = true
    }
    if (isChanged) await this.#commit()
  }

  release(podUid: string): void {
    if (!this.#pods.delete(podUid)) return
    // the next change takes it along
    this.#commit().catch((error: unknown) => this.#options.log.warn('rules of a pod that has ended are left', { podUid, ...told(error) }))
  }

  /** Takes the table away: the node's workloads have ended for good. */
  async remove(): Promise<void> {
    this.#pods.clear()
    if (this.#hasBegun) await this.#commit()
  }

  close(): void {
    this.#options.nft.close()
  }

  async #isPutRight(): Promise<boolean> {
    try {
      await this.#commit()
      return true
    } catch (error) {
      this.#options.log.warn('the table of the mesh cannot be put right yet', told(error))
      return false
    }
  }

  /** Resolves when the table is as the pods of now want it; one transaction for all who ask meanwhile. */
  #commit(): Promise<void> {
    if (this.#next) return this.#next
    const next = this.#tail.then(async () => {
      this.#next = undefined
      for (let text = this.#text(); ;) {
        try {
          return await this.#options.nft.run(text)
        } catch (error) {
          // a pod that ends takes its cgroup along at any time: then it is another text
          const now = this.#text()
          if (now === text) throw error
          text = now
        }
      }
    })
    this.#next = next
    this.#tail = next.catch(() => {})
    return next
  }

  #text(): string {
    const pods = [...this.#pods.values()].map(({ cgroup, ...pod }) => ({
      ...pod,
      ...(cgroup && existsSync(cgroup.path) ? { cgroup } : {}),
    }))
    return compileCgroupInterception(this.#options.table, pods)
  }
}

/** Why the machine cannot do that; undefined: it can. To be asked once the cgroups of the node's pods have a parent. */
export async function cgroupInterceptionProblem({
  nft,
  table,
}: {
  readonly nft: Pick<Nft, 'run'>
  readonly table: string
}): Promise<string | undefined> {
  try {
    const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
    const problem = cgroupProblem({ mounts, namespace: readlinkSync('/proc/self/ns/cgroup'), release: release() })
    if (problem !== undefined) return problem
    const root = mounts.find(({ fsType }) => fsType === 'cgroup2')?.mountPoint ?? ''
    const trial = `${table}-trial`
    const pod = { metadata: { name: trial }, spec: { containers: [] } }
    const text = compileCgroupInterception(trial, [{ pod, ip: '127.0.0.1', cgroup: { path: `${root}/biplane`, level: 1 } }])
    // one transaction that ends where it began
    await nft.run(`${text}${compileCgroupInterception(trial, [])}`)
    return undefined
  } catch (error) {
    return messageOf(error)
  }
}

const told = (error: unknown): { readonly error: string } => ({ error: messageOf(error) })
