import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { RuntimeError } from '../../runtime.ts'

/** Which start of which container of which pod. */
export interface ContainerKey {
  readonly podUid: string
  readonly name: string
  readonly restartCount: number
}

/**
 * Paths below the root of a process runtime:
 * ```
 * shim-<hash>.sh                      the shim, one file for each version of it
 * events/<uid>+<name>+<restart>       empty, made by shims when something happened
 * trash/                              what is being removed
 * netns/<uid>                         network namespaces, where pods have their own
 * pods/<uid>/pod.json ip volumes/ files/ (the agent's; ip has one address a line)
 * pods/<uid>/containers/<name>/<restart>/
 *     config.json                     what createContainer was told
 *     claim                           the shim: pid, start time, boot id
 *     pid                             the program: pid, start time
 *     exit                            exit code, OOM kills, then reason and message if known
 *     log, log.1, log.index           output; times of offsets
 *     fstab, rootfs/                  private mounts
 * ```
 */
export class Layout {
  readonly root: string

  constructor(root: string) {
    this.root = root
  }

  get pods(): string {
    return join(this.root, 'pods')
  }
  get events(): string {
    return join(this.root, 'events')
  }
  get trash(): string {
    return join(this.root, 'trash')
  }

  get networkNamespaces(): string {
    return join(this.root, 'netns')
  }

  /** Of a pod that was started when pods had networks of their own, by an agent that gives them none. */
  networkNamespaceLeft(uid: string): string | undefined {
    const path = join(this.networkNamespaces, checkName(uid, 'pod uid'))
    return existsSync(path) ? path : undefined
  }

  pod(uid: string): string {
    return join(this.root, 'pods', checkName(uid, 'pod uid'))
  }

  /** Holds one directory for each container name. */
  containers(podUid: string): string {
    return join(this.pod(podUid), 'containers')
  }

  container(key: ContainerKey): string {
    return join(this.containers(key.podUid), checkName(key.name, 'container name'), String(key.restartCount))
  }

  /** The file a shim makes to say that something happened to its container. */
  marker(key: ContainerKey): string {
    return join(this.events, markerName(key))
  }
}

/** `<podUid>/<container>/<restart count>`. */
export function containerId(key: ContainerKey): string {
  return `${key.podUid}/${key.name}/${key.restartCount}`
}

/** Inverse of containerId. @throws RuntimeError `InvalidArgument` */
export function parseContainerId(id: string): ContainerKey {
  const parts = /^([^/]+)\/([^/]+)\/(\d{1,9})$/.exec(id)
  if (!parts) throw new RuntimeError('InvalidArgument', `"${id}" is not a container id: expected <pod uid>/<container>/<restart count>`)
  return {
    podUid: checkName(parts[1] as string, 'pod uid'),
    name: checkName(parts[2] as string, 'container name'),
    restartCount: Number(parts[3]),
  }
}

/** One file name for a container; no character in it means anything to a shell or in mount options. */
export function markerName(key: ContainerKey): string {
  return [key.podUid, key.name, key.restartCount].join('+')
}

/** What a marker file tells of; undefined for a file that is none. */
export function parseMarker(file: string): ContainerKey | undefined {
  const parts = /^([^+]+)\+([^+]+)\+(\d{1,9})$/.exec(file)
  return parts ? { podUid: parts[1] as string, name: parts[2] as string, restartCount: Number(parts[3]) } : undefined
}

// uids and names become file names: nothing may climb out of its directory
function checkName(name: string, what: string): string {
  if (/^[A-Za-z0-9_][A-Za-z0-9._-]{0,252}$/.test(name)) return name
  throw new RuntimeError('InvalidArgument', `${what} "${name}" cannot be used as a file name: use letters, digits, "-", "_" and "."`)
}

/** Name of a container's cgroup below its pod's. */
export function cgroupName(key: ContainerKey): string {
  return `${key.name}.${key.restartCount}`
}

/** Inverse of cgroupName. */
export function parseCgroupName(podUid: string, name: string): ContainerKey | undefined {
  const parts = /^(.+)\.(\d{1,9})$/.exec(name)
  return parts ? { podUid, name: parts[1] as string, restartCount: Number(parts[2]) } : undefined
}
