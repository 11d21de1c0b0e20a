import { chmod, chown, mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import type { Clock } from '../../../base/clock.ts'
import type { Pod, VolumeMount } from '../../../api/generated/types.ts'
import { ContainerConfigError } from '../pods/container-config-error.ts'
import { expandAll } from '../recipes/expand.ts'
import type { Mount, Sandbox } from '../runtime.ts'
import { publishFiles } from './atomic-files.ts'
import { planVolume, type VolumeSources } from './plan-volume.ts'

interface PreparedPod {
  /** Volume name -> path on this machine. */
  readonly paths: Map<string, string>
  readonly sandbox: Sandbox
}

/**
 * Makes the volumes of pods real below each pod's directory and keeps ConfigMap, Secret, downward API and token files
 * fresh while the pod lives.
 */
export class VolumeManager {
  readonly #sources: VolumeSources
  readonly #clock: Clock
  readonly #prepared = new Map<string, PreparedPod>()
  #stamp = 0

  constructor(sources: VolumeSources, clock: Clock) {
    this.#sources = sources
    this.#clock = clock
  }

  /** Idempotent; also refreshes what has changed. @throws ContainerConfigError */
  async prepare(pod: Pod, sandbox: Sandbox): Promise<void> {
    const prepared: PreparedPod = this.#prepared.get(sandbox.podUid) ?? { paths: new Map(), sandbox }
    this.#prepared.set(sandbox.podUid, prepared)
    for (const volume of pod.spec?.volumes ?? []) {
      const plan = await planVolume(volume, pod, this.#sources)
      const dir = join(sandbox.dir, 'volumes', volume.name)
      if (plan.type === 'hostPath') {
        await checkHostPath(plan.path, plan.kind)
        prepared.paths.set(volume.name, plan.path)
        continue
      }
      prepared.paths.set(volume.name, dir)
      if (plan.type === 'files') {
        await publishFiles(dir, plan.files, `${this.#clock.now()}_${this.#stamp++}`)
        continue
      }
      await mkdir(dir, { recursive: true })
      // any user of the pod may write, as with upstream's emptyDir
      await chmod(dir, 0o777)
      const group = pod.spec?.securityContext?.fsGroup
      if (group !== undefined) await chown(dir, -1, group).catch(() => {})
    }
  }

  /** The mounts of one container. @throws ContainerConfigError when a mount names no volume */
  mounts(podUid: string, mounts: readonly VolumeMount[], env: Readonly<Record<string, string>>): Mount[] {
    const prepared = this.#prepared.get(podUid)
    return mounts.map((mount) => {
      const base = prepared?.paths.get(mount.name)
      if (base === undefined)
        throw new ContainerConfigError('CreateContainerConfigError', `volumeMount "${mount.name}" names no volume of this pod`)
      const sub = mount.subPathExpr ? expandAll([mount.subPathExpr], env)[0] : mount.subPath
      if (sub && (sub.startsWith('/') || sub.split('/').includes('..')))
        throw new ContainerConfigError('CreateContainerConfigError', `subPath "${sub}" must be relative and must not contain ".."`)
      return { hostPath: sub ? join(base, sub) : base, mountPath: mount.mountPath, readOnly: mount.readOnly ?? false }
    })
  }

  async remove(podUid: string): Promise<void> {
    const prepared = this.#prepared.get(podUid)
    this.#prepared.delete(podUid)
    if (prepared) await rm(join(prepared.sandbox.dir, 'volumes'), { recursive: true, force: true })
  }
}

async function checkHostPath(path: string, kind: string): Promise<void> {
  const found = await stat(path).catch(() => undefined)
  if (kind === 'DirectoryOrCreate' && !found) return void (await mkdir(path, { recursive: true, mode: 0o755 }))
  const wrong =
    (kind === 'Directory' && !found?.isDirectory()) ||
    (kind === 'File' && !found?.isFile()) ||
    (kind === 'Socket' && !found?.isSocket()) ||
    !found
  if (wrong)
    throw new ContainerConfigError(
      'ContainerCreating',
      `hostPath type check failed: ${path} is not a ${kind === '' ? 'file or directory' : kind.toLowerCase()}`,
    )
}
