/** A mount of this mount namespace. */
export interface MountInfo {
  readonly mountPoint: string
  /** What of the file system is seen there: `/` is all of it. */
  readonly root: string
  readonly fsType: string
  /** Super block options, such as the controllers of a v1 cgroup hierarchy. */
  readonly options: readonly string[]
}

/** Parses /proc/self/mountinfo. Of mounts stacked on one point the last one, which is seen, counts. Source: proc_pid_mountinfo(5). */
export function parseMountInfo(text: string): readonly MountInfo[] {
  const mounts = new Map<string, MountInfo>()
  for (const line of text.split('\n')) {
    const fields = line.split(' ')
    const separator = fields.indexOf('-', 6)
    if (separator === -1) continue
    const mountPoint = unescape(fields[4] as string)
    mounts.delete(mountPoint)
    const root = unescape(fields[3] as string)
    mounts.set(mountPoint, { mountPoint, root, fsType: fields[separator + 1] ?? '', options: (fields[separator + 3] ?? '').split(',') })
  }
  return [...mounts.values()]
}

function unescape(text: string): string {
  return text.replaceAll(/\\([0-7]{3})/g, (_match, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))
}
