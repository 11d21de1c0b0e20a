import { chownSync, closeSync, openSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock } from '../../../../base/clock.ts'
import { filesDirOf } from '../../recipes/index.ts'
import { type ResolvedContainer, RuntimeError, type Sandbox } from '../../runtime.ts'
import { type ContainerConfig, ContainerRecord } from './container-record.ts'
import type { Host, User } from './host.ts'
import type { Surroundings } from './launch.ts'
import { cgroupName, containerId, type ContainerKey, type Layout, markerName, parseMarker } from './layout.ts'
import { rewriteMountPaths } from './literal-mounts.ts'
import { makeMounts } from './make-mounts.ts'
import { makeDir, writeState } from './state-file.ts'
import { CONTAINER_VARIABLE } from './strays.ts'

export interface ContainerStoreOptions {
  readonly layout: Layout
  readonly host: Host
  readonly clock: Clock
  /** Who containers run as that do not say. */
  readonly defaultUser: User
  /** PATH of containers that have none. */
  readonly searchPath: string
  /** Directories that all containers see as they are on the machine. */
  readonly shared: readonly string[]
}

/** The containers on disk, and how a new one is written. */
export class ContainerStore {
  readonly #options: ContainerStoreOptions
  readonly #records = new Map<string, ContainerRecord>()

  constructor(options: ContainerStoreOptions) {
    this.#options = options
  }

  /** Reads the containers of a pod from disk. */
  load(podUid: string): void {
    const { layout, host } = this.#options
    const names = listDir(layout.containers(podUid))
    for (const name of names) {
      for (const restart of listDir(join(layout.containers(podUid), name))) {
        if (!/^\d{1,9}$/.test(restart)) continue
        const key = { podUid, name, restartCount: Number(restart) }
        const record = ContainerRecord.load(key, layout.container(key), host.bootId)
        if (record) this.#records.set(record.id, record)
      }
    }
  }

  get(id: string): ContainerRecord | undefined {
    return this.#records.get(id)
  }

  list(): readonly ContainerRecord[] {
    return [...this.#records.values()]
  }

  /** Of one pod, the newest restart of each container last. */
  ofPod(podUid: string): readonly ContainerRecord[] {
    return this.list()
      .filter((record) => record.key.podUid === podUid)
      .toSorted((a, b) => a.key.restartCount - b.key.restartCount)
  }

  forget(id: string): void {
    this.#records.delete(id)
  }

  /** Where the container's own root is, if it has one. */
  rootfs(key: ContainerKey): string {
    const { layout, host } = this.#options
    if (host.rootfsBase === layout.root) return join(layout.container(key), 'rootfs')
    return join(host.rootfsBase, markerName(key))
  }

  /** Removes roots in shared memory whose container is no more, and their directory when nothing is left in it. */
  removeStaleRoots(): void {
    const { layout, host } = this.#options
    if (host.rootfsBase === layout.root) return
    for (const name of listDir(host.rootfsBase)) {
      const key = parseMarker(name)
      if (key && !this.#records.has(containerId(key))) rmSync(join(host.rootfsBase, name), { recursive: true, force: true })
    }
    if (listDir(host.rootfsBase).length === 0) rmSync(host.rootfsBase, { recursive: true, force: true })
  }

  /** Writes a new container; its config.json comes last and makes it exist. @throws RuntimeError `InvalidArgument` */
  create(sandbox: Sandbox, container: ResolvedContainer, hostname: string): ContainerRecord {
    const { layout, host, clock, shared } = this.#options
    const key = { podUid: sandbox.podUid, name: container.name, restartCount: container.restartCount }
    const dir = layout.container(key)
    if (container.command.length === 0) throw new RuntimeError('InvalidArgument', `container ${container.name} has an empty command`)
    makeDir(dir)
    const user = host.capabilities.users ? (container.user ?? this.#options.defaultUser) : host.self
    const { mounts } = host.capabilities
    const { command, env, workingDir, places = {} } = mounts ? { ...container, places: undefined } : rewriteMountPaths(container)
    const roots = { rootfs: this.rootfs(key), fstab: join(dir, 'fstab'), keep: [sandbox.dir, ...shared] }
    const plan = makeMounts(mounts ? container.mounts : [], roots)
    const surroundings: Surroundings = {
      user,
      env: this.#environment(env, { key, sandbox, hostname }),
      cwd: workingDir ?? '/',
      mode: plan.mode,
      rootDir: plan.root,
      cgroups: host.cgroups?.dirs(key.podUid, cgroupName(key)) ?? [],
      ...(Object.keys(places).length > 0 ? { places } : {}),
    }
    this.#makeLog(join(dir, 'log'), user)
    this.#makeFilesDir(filesDirOf(sandbox, container.name), user)
    const config: ContainerConfig = { container, command, surroundings, createdAtMs: clock.now() }
    writeState(join(dir, 'config.json'), JSON.stringify(config))
    const record = new ContainerRecord(key, dir, { config, bootId: host.bootId })
    this.#records.set(record.id, record)
    return record
  }

  #environment(
    env: Readonly<Record<string, string>>,
    options: { readonly key: ContainerKey; readonly sandbox: Sandbox; readonly hostname: string },
  ): Record<string, string> {
    const { key, sandbox, hostname } = options
    return {
      PATH: this.#options.searchPath,
      HOME: '/',
      HOSTNAME: hostname,
      ...env,
      BIPLANE_POD_UID: sandbox.podUid,
      [CONTAINER_VARIABLE]: containerId(key),
    }
  }

  // owned by the container's user, so that it can open /dev/stdout as it can where that is a pipe
  #makeLog(path: string, user: User): void {
    closeSync(openSync(path, 'a', 0o600))
    if (user.uid !== this.#options.host.self.uid) chownSync(path, user.uid, user.gid)
  }

  #makeFilesDir(path: string, user: User): void {
    makeDir(path, 0o755)
    if (user.uid !== this.#options.host.self.uid) chownSync(path, user.uid, user.gid)
  }
}

function listDir(dir: string): readonly string[] {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}
