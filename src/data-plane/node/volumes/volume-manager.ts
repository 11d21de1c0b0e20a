import { chmod, chown, mkdir, readlink, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Pod, Volume, VolumeMount } from '../../../api/generated/types.ts'
import { ContainerConfigError, VolumeError } from '../pods/container-config-error.ts'
import { expandAll } from '../recipes/expand.ts'
import type { Mount, Sandbox } from '../runtime.ts'
import { publishFiles, type FileOwner } from './atomic-files.ts'
import type { NodeFacts } from './downward.ts'
import { isRefreshed, planVolume, type VolumePlan, type VolumeSources } from './plan-volume.ts'

export interface VolumeManagerOptions {
  readonly sources: VolumeSources
  readonly clock: Clock
  /** 0 <= x < 1; spreads refreshes. */
  readonly random: () => number
  readonly log: Logger
  readonly facts: Pick<NodeFacts, 'hostIPs' | 'allocatable'>
  /** Who owns written files of pods that name no user; absent: the agent. */
  readonly owner?: FileOwner
}

/** Files of a running pod follow their sources within this time, jittered by half of it; kubelet takes about a minute too. */
const REFRESH_MS = 60_000

/**
 * Makes the volumes of pods real below each pod's directory and keeps ConfigMap, Secret, downward API and token files
 * fresh while the pod lives. One pod's volumes are worked on by one caller at a time.
 */
export class VolumeManager {
  readonly #options: VolumeManagerOptions
  /** Per pod: volume name -> path on this machine. */
  readonly #paths = new Map<string, Map<string, string>>()
  readonly #turns = new Map<string, Promise<void>>()
  /** Monotonic ms of each pod's next refresh. */
  readonly #due = new Map<string, number>()
  #stamp = 0

  constructor(options: VolumeManagerOptions) {
    this.#options = options
  }

  /**
   * Makes every volume ready. Idempotent. A volume that once was ready stays as it is while its source cannot be read.
   * @throws VolumeError
   */
  prepare(pod: Pod, sandbox: Sandbox): Promise<void> {
    return this.#inTurn(sandbox.podUid, async () => {
      const paths = new Map<string, string>()
      for (const volume of pod.spec?.volumes ?? []) paths.set(volume.name, await this.#prepare(volume, pod, sandbox))
      this.#paths.set(sandbox.podUid, paths)
      this.#plan(sandbox.podUid)
    })
  }

  /** Whether the files of a pod are to be looked at again; `refresh` then does it. A pod first seen waits for a random part of the period. */
  isDue(podUid: string): boolean {
    const due = this.#due.get(podUid)
    if (due === undefined) this.#due.set(podUid, this.#options.clock.monotonic() + this.#options.random() * REFRESH_MS)
    return due !== undefined && due <= this.#options.clock.monotonic()
  }

  /** Brings written files up to date, as well as it can: what is there stays when something is missing. */
  refresh(pod: Pod, sandbox: Sandbox): Promise<void> {
    return this.#inTurn(sandbox.podUid, async () => {
      this.#plan(sandbox.podUid)
      for (const volume of pod.spec?.volumes ?? []) {
        const dir = volumeDir(sandbox, volume.name)
        // nothing was ever published there: no container has started yet
        if (!isRefreshed(volume) || !(await isPublished(dir))) continue
        try {
          await this.#publish(await this.#planOf(volume, pod, sandbox), dir, pod)
        } catch (error) {
          const { name, namespace } = pod.metadata
          this.#options.log.debug('volume not refreshed', { pod: name, namespace, volume: volume.name, error: messageOf(error) })
        }
      }
    })
  }

  /** The mounts of one container; makes the directories that subPaths name. @throws ContainerConfigError when a mount names no volume */
  async mounts(pod: Pod, mounts: readonly VolumeMount[], env: Readonly<Record<string, string>>): Promise<Mount[]> {
    const paths = this.#paths.get(pod.metadata.uid ?? '')
    const made: Mount[] = []
    for (const mount of mounts) {
      const base = paths?.get(mount.name)
      if (base === undefined)
        throw new ContainerConfigError('CreateContainerConfigError', `volumeMount "${mount.name}" names no volume of this pod`)
      const sub = mount.subPathExpr ? expandAll([mount.subPathExpr], env)[0] : mount.subPath
      const hostPath = sub ? await this.#subPath(pod, base, sub, mount.name) : base
      made.push({ hostPath, mountPath: mount.mountPath, readOnly: mount.readOnly ?? false })
    }
    return made
  }

  async remove(podUid: string, sandbox?: Sandbox): Promise<void> {
    this.#due.delete(podUid)
    await this.#inTurn(podUid, async () => {
      this.#paths.delete(podUid)
      if (sandbox) await rm(join(sandbox.dir, 'volumes'), { recursive: true, force: true })
    })
    this.#turns.delete(podUid)
  }

  #plan(podUid: string): void {
    const { clock, random } = this.#options
    this.#due.set(podUid, clock.monotonic() + REFRESH_MS * (0.75 + random() / 2))
  }

  #inTurn(podUid: string, work: () => Promise<void>): Promise<void> {
    const mine = (this.#turns.get(podUid) ?? Promise.resolve()).then(work)
    this.#turns.set(
      podUid,
      mine.catch(() => {}),
    )
    return mine
  }

  async #prepare(volume: Volume, pod: Pod, sandbox: Sandbox): Promise<string> {
    const dir = volumeDir(sandbox, volume.name)
    try {
      const plan = await this.#planOf(volume, pod, sandbox)
      if (plan.type === 'hostPath') {
        await checkHostPath(plan.path, plan.kind)
        return plan.path
      }
      if (plan.type === 'files') await this.#publish(plan, dir, pod)
      else await makeEmptyDir(dir, pod)
      return dir
    } catch (error) {
      if (isRefreshed(volume) && (await isPublished(dir))) return dir
      throw new VolumeError(volume.name, messageOf(error))
    }
  }

  #planOf(volume: Volume, pod: Pod, sandbox: Sandbox): Promise<VolumePlan> {
    const { sources, facts } = this.#options
    return planVolume(volume, pod, { sources, facts: { ...facts, podIPs: sandbox.ips } })
  }

  async #publish(plan: VolumePlan, dir: string, pod: Pod): Promise<void> {
    if (plan.type !== 'files') return
    const owner = ownerOf(pod, this.#options.owner)
    await publishFiles(dir, plan.files, { stamp: `${this.#options.clock.now()}_${this.#stamp++}`, ...(owner ? { owner } : {}) })
  }

  async #subPath(pod: Pod, base: string, sub: string, volume: string): Promise<string> {
    if (sub.startsWith('/') || sub.split('/').includes('..'))
      throw new ContainerConfigError('CreateContainerConfigError', `subPath "${sub}" must be relative and must not contain ".."`)
    const path = join(base, sub)
    if (await stat(path).catch(() => undefined)) return path
    const of = (pod.spec?.volumes ?? []).find((candidate) => candidate.name === volume)
    if (!of || isRefreshed(of))
      throw new ContainerConfigError(
        'CreateContainerConfigError',
        `failed to prepare subPath for volumeMount "${volume}": it has no "${sub}"`,
      )
    await mkdir(path, { recursive: true })
    if (of.emptyDir) await chmod(path, 0o777)
    return path
  }
}

const volumeDir = (sandbox: Sandbox, name: string): string => join(sandbox.dir, 'volumes', name)

const isPublished = (dir: string): Promise<boolean> =>
  readlink(join(dir, '..data')).then(
    () => true,
    () => false,
  )

/** Any user of the pod may write, as with upstream's emptyDir. */
async function makeEmptyDir(dir: string, pod: Pod): Promise<void> {
  await mkdir(dir, { recursive: true })
  await chmod(dir, 0o777)
  const group = pod.spec?.securityContext?.fsGroup
  if (group !== undefined) await chown(dir, -1, group).catch(() => {})
}

/** Files with a mode such as 0400 must be readable for who runs. */
function ownerOf(pod: Pod, fallback: FileOwner | undefined): FileOwner | undefined {
  const { runAsUser, fsGroup, runAsGroup } = pod.spec?.securityContext ?? {}
  if (!fallback) return undefined
  return { uid: runAsUser ?? fallback.uid, gid: fsGroup ?? runAsGroup ?? runAsUser ?? fallback.gid }
}

async function checkHostPath(path: string, kind: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (kind === 'DirectoryOrCreate' && !found) return void (await mkdir(path, { recursive: true, mode: 0o755 }))
  const wrong =
    (kind === 'Directory' && !found?.isDirectory()) ||
    (kind === 'File' && !found?.isFile()) ||
    (kind === 'Socket' && !found?.isSocket()) ||
    !found
  const wanted = kind === '' ? 'file or directory' : kind.toLowerCase()
  if (wrong) throw new Error(`hostPath type check failed: ${path} is not a ${wanted}`)
}
