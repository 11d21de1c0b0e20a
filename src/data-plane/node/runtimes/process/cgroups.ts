import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { MountInfo } from './mountinfo.ts'
import { sendSignal } from './proc.ts'
import { isMissing } from './state-file.ts'

export type Controller = 'cpu' | 'cpuacct' | 'memory' | 'pids'

/** A mounted cgroup tree and what it controls for us: perhaps nothing, in a tree of version 2, which then still tells whose a socket is. */
export interface Hierarchy {
  readonly version: 1 | 2
  readonly path: string
  readonly controllers: readonly Controller[]
}

/** How far below the root of its tree the cgroup of a pod is: `biplane/<owner>/<podUid>`. */
export const POD_LEVEL = 3

const WANTED: readonly Controller[] = ['cpu', 'cpuacct', 'memory', 'pids']

/**
 * Finds who controls what: machines mount version 1, version 2 or a mixture, where each controller is in one of them.
 * @param offeredAt what the version 2 root can control, from its cgroup.controllers
 */
export function findHierarchies(mounts: readonly MountInfo[], offeredAt: (path: string) => readonly string[]): readonly Hierarchy[] {
  const free = new Set<Controller>(WANTED)
  const found: Hierarchy[] = []
  const add = (version: 1 | 2, path: string, offered: readonly string[]): void => {
    const controllers = WANTED.filter((controller) => free.has(controller) && offered.includes(controller))
    for (const controller of controllers) free.delete(controller)
    if (controllers.length > 0) found.push({ version, path, controllers })
  }
  for (const mount of mounts) if (mount.fsType === 'cgroup') add(1, mount.mountPoint, mount.options)
  for (const mount of mounts) {
    if (mount.fsType !== 'cgroup2') continue
    const offered = offeredAt(mount.mountPoint)
    // version 2 accounts CPU time with or without its controller
    add(2, mount.mountPoint, offered.includes('memory') ? [...offered, 'cpuacct'] : offered)
  }
  const unified = mounts.find(({ fsType }) => fsType === 'cgroup2')
  if (unified && !found.some(({ version }) => version === 2)) found.push({ version: 2, path: unified.mountPoint, controllers: [] })
  return found
}

export interface CgroupLimits {
  readonly cpuMillis?: number
  readonly memoryBytes?: number
  readonly pids?: number
}

const CPU_PERIOD_US = 100_000

/** The files that put limits in force, each with its text. */
export function planLimits(hierarchy: Hierarchy, limits: CgroupLimits): readonly { readonly file: string; readonly text: string }[] {
  const one = hierarchy.version === 1
  const files: { file: string; text: string }[] = []
  const has = (controller: Controller): boolean => hierarchy.controllers.includes(controller)
  if (limits.cpuMillis !== undefined && has('cpu')) {
    // the kernel refuses less than a millisecond a period
    const quota = Math.max(1000, Math.round((limits.cpuMillis * CPU_PERIOD_US) / 1000))
    if (one) files.push({ file: 'cpu.cfs_period_us', text: String(CPU_PERIOD_US) }, { file: 'cpu.cfs_quota_us', text: String(quota) })
    else files.push({ file: 'cpu.max', text: `${quota} ${CPU_PERIOD_US}` })
  }
  if (limits.memoryBytes !== undefined && has('memory')) {
    files.push({ file: one ? 'memory.limit_in_bytes' : 'memory.max', text: String(limits.memoryBytes) })
  }
  if (limits.pids !== undefined && has('pids')) files.push({ file: 'pids.max', text: String(limits.pids) })
  return files
}

/**
 * The cgroups of one runtime, all below `biplane/<owner>` of each hierarchy; nothing outside of it is ever touched. One cgroup for each start
 * of a container: `<podUid>/<container>.<restart>`. In the tree of version 2 the pod's own stays as long as the pod: the kernel knows it by a number that a
 * successor of the same name would not have.
 */
export class Cgroups {
  #hierarchies: readonly Hierarchy[]
  readonly #owner: string

  /** @param owner unique on this machine */
  constructor(hierarchies: readonly Hierarchy[], owner: string) {
    this.#hierarchies = hierarchies
    this.#owner = owner
  }

  /** Makes the common parents. Throws when the machine does not let us; a tree that controls nothing is done without then. */
  prepare(): void {
    this.#hierarchies = this.#hierarchies.filter((hierarchy) => {
      try {
        this.#makeParents(hierarchy, [])
        return true
      } catch (error) {
        if (hierarchy.controllers.length > 0) throw error
        return false
      }
    })
  }

  /** The pod's own cgroup of version 2, which all of its containers are in; undefined: there is none here. */
  podDir(podUid: string): string | undefined {
    const unified = this.#hierarchies.find(({ version }) => version === 2)
    return unified && join(unified.path, 'biplane', this.#owner, podUid)
  }

  /** Makes the pod's own cgroup, before its first container. */
  createPod(podUid: string): void {
    for (const hierarchy of this.#hierarchies) if (hierarchy.version === 2) this.#makeParents(hierarchy, [podUid])
  }

  /** Removes the pod's own cgroup, after its last container. */
  removePod(podUid: string): void {
    const dir = this.podDir(podUid)
    if (dir !== undefined) removeDir(dir)
  }

  /** Pods that have a cgroup of their own. */
  listPods(): readonly string[] {
    const unified = this.#hierarchies.find(({ version }) => version === 2)
    return unified ? subdirs(join(unified.path, 'biplane', this.#owner)) : []
  }

  /** Makes the cgroups of a container with its limits. */
  create(podUid: string, name: string, limits: CgroupLimits): void {
    for (const hierarchy of this.#hierarchies) {
      const dir = join(this.#makeParents(hierarchy, [podUid]), name)
      mkdirSync(dir, { recursive: true })
      for (const { file, text } of planLimits(hierarchy, limits)) writeFileSync(join(dir, file), text)
    }
  }

  /** The directories a process of the container joins. */
  dirs(podUid: string, name: string): readonly string[] {
    return this.#hierarchies.map((hierarchy) => join(hierarchy.path, 'biplane', this.#owner, podUid, name))
  }

  /** The file whose line `oom_kill N` counts kills for want of memory; empty when memory is not controlled. */
  oomFile(podUid: string, name: string): string {
    const found = this.#of('memory', podUid, name)
    return found ? join(found.dir, found.version === 1 ? 'memory.oom_control' : 'memory.events') : ''
  }

  /** CPU time and working set (memory without inactive page cache, as the kubelet counts it); undefined when the cgroup is gone. */
  usage(podUid: string, name: string): { readonly cpuNanos: bigint; readonly memoryBytes: number } | undefined {
    const cpu = this.#of('cpuacct', podUid, name)
    const memory = this.#of('memory', podUid, name)
    if (!cpu || !memory) return undefined
    try {
      const cpuNanos =
        cpu.version === 1 ? BigInt(read(cpu.dir, 'cpuacct.usage').trim()) : BigInt(counter(read(cpu.dir, 'cpu.stat'), 'usage_usec')) * 1000n
      const used = Number(read(memory.dir, memory.version === 1 ? 'memory.usage_in_bytes' : 'memory.current'))
      const cached = counter(read(memory.dir, 'memory.stat'), memory.version === 1 ? 'total_inactive_file' : 'inactive_file')
      return { cpuNanos, memoryBytes: Math.max(0, used - cached) }
    } catch (error) {
      if (isMissing(error)) return undefined
      throw error
    }
  }

  /** Kills what still runs in the container's cgroups; false when nothing did. Processes take a moment to end: call again until then. */
  kill(podUid: string, name: string): boolean {
    const pids = new Set<number>()
    for (const dir of this.dirs(podUid, name)) for (const pid of procsOf(dir)) pids.add(pid)
    for (const pid of pids) sendSignal(pid, 'SIGKILL')
    return pids.size > 0
  }

  /** Removes the container's cgroups, and those of version 1 of the pod when they are empty then. What is still busy stays, for the next call. */
  remove(podUid: string, name: string): void {
    for (const hierarchy of this.#hierarchies) {
      const pod = join(hierarchy.path, 'biplane', this.#owner, podUid)
      if (removeDir(join(pod, name)) && hierarchy.version === 1) removeDir(pod)
    }
  }

  /** Every container cgroup on this machine that belongs to this runtime. */
  list(): readonly { readonly podUid: string; readonly name: string }[] {
    const found = new Map<string, { podUid: string; name: string }>()
    for (const hierarchy of this.#hierarchies) {
      const parent = join(hierarchy.path, 'biplane', this.#owner)
      for (const podUid of subdirs(parent)) {
        for (const name of subdirs(join(parent, podUid))) found.set(`${podUid}/${name}`, { podUid, name })
      }
    }
    return [...found.values()]
  }

  /** Removes the runtime's own parents when nothing is left in them. */
  removeParents(): void {
    for (const hierarchy of this.#hierarchies) {
      const owner = join(hierarchy.path, 'biplane', this.#owner)
      for (const podUid of subdirs(owner)) removeDir(join(owner, podUid))
      if (removeDir(owner)) removeDir(join(hierarchy.path, 'biplane'))
    }
  }

  #of(controller: Controller, podUid: string, name: string): { readonly dir: string; readonly version: 1 | 2 } | undefined {
    const hierarchy = this.#hierarchies.find((candidate) => candidate.controllers.includes(controller))
    return hierarchy && { dir: join(hierarchy.path, 'biplane', this.#owner, podUid, name), version: hierarchy.version }
  }

  #makeParents(hierarchy: Hierarchy, path: readonly string[]): string {
    let dir = hierarchy.path
    for (const part of ['biplane', this.#owner, ...path]) {
      if (hierarchy.version === 2) delegate(dir, hierarchy.controllers)
      dir = join(dir, part)
      mkdirSync(dir, { recursive: true })
    }
    if (hierarchy.version === 2) delegate(dir, hierarchy.controllers)
    return dir
  }
}

// version 2: children have only the controllers that their parent hands down
function delegate(dir: string, controllers: readonly Controller[]): void {
  const missing = controllers.filter((name) => name !== 'cpuacct' && !read(dir, 'cgroup.subtree_control').split(/\s/).includes(name))
  if (missing.length > 0) writeFileSync(join(dir, 'cgroup.subtree_control'), missing.map((name) => `+${name}`).join(' '))
}

function read(dir: string, file: string): string {
  return readFileSync(join(dir, file), 'latin1')
}

function counter(text: string, name: string): number {
  for (const line of text.split('\n')) if (line.startsWith(`${name} `)) return Number(line.slice(name.length + 1))
  return 0
}

function procsOf(dir: string): number[] {
  try {
    return read(dir, 'cgroup.procs')
      .split('\n')
      .map(Number)
      .filter((pid) => pid > 0)
  } catch (error) {
    if (isMissing(error) || (error as NodeJS.ErrnoException).code === 'ENODEV') return []
    throw error
  }
}

function subdirs(dir: string): string[] {
  if (!existsSync(dir)) return []
  return readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
}

/** False when processes or other cgroups are left in it. */
function removeDir(dir: string): boolean {
  try {
    rmdirSync(dir)
    return true
  } catch (error) {
    if (isMissing(error)) return true
    const code = (error as NodeJS.ErrnoException).code
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false
    throw error
  }
}
