import { dirname, join } from 'node:path'
import { type Mount, RuntimeError } from '../../runtime.ts'
import type { MountMode } from './launch.ts'

/** What is at a path of the machine. */
export interface PathFacts {
  /** The path with the symbolic links of its existing part resolved. */
  readonly real: string
  /** Absent: nothing is there. */
  readonly kind?: 'dir' | 'file'
}

export interface MountFacts {
  /** Looks at a path of the machine. */
  readonly look: (path: string) => PathFacts
  /** Mount points of the machine. */
  readonly mountPoints: readonly string[]
  /** Private directory for the container's own root; only used when one is needed. */
  readonly rootfs: string
  /**
   * Directories that stay where they are, also below a mountPath and in a root of the container's own: the pod's, with the files of recipes, and those
   * that all containers share. Below an overlay, sockets could not be dialled, files would not be seen to change, and what is written would go with the container.
   */
  readonly keep?: readonly string[]
}

/** Something that must exist before mounting, made by the agent in a directory that is the container's own or a volume's. */
export interface Placeholder {
  /** What it is to look like when the machine has it (owner, mode). */
  readonly like: string
  readonly path: string
  readonly kind: 'dir' | 'file'
}

export interface MountPlan {
  readonly mode: MountMode
  /** The container's root directory; `/` unless `mode` is `root`. */
  readonly root: string
  /** In order, parents first. */
  readonly placeholders: readonly Placeholder[]
  /** Lines for `mount -a`, in order. */
  readonly fstab: readonly string[]
}

/**
 * Plans how `mounts` appear at their mountPath without a change of the machine. When every mountPath exists, bind mounts in a private namespace do.
 * Otherwise, or when one hides one of `facts.keep`, the container gets a root of its own: an overlay over the machine's root (and over each of its file systems in which something is
 * missing) whose upper directory holds the missing mount points and whatever the container writes.
 * @throws RuntimeError `InvalidArgument`
 */
export function planMounts(mounts: readonly Mount[], facts: MountFacts): MountPlan {
  if (mounts.length === 0) return { mode: 'none', root: '/', placeholders: [], fstab: [] }
  const keep = (facts.keep ?? []).filter((dir) => facts.look(dir).kind !== undefined)
  const first = placeAll(mounts, facts)
  // mounted over itself, such a directory would hide the shim's files and the volumes that are mounted next: it needs a root of its own
  const hides = first.some(({ target }) => keep.some((dir) => isBelow(facts.look(dir).real, target)))
  const mode = first.some((mount) => mount.missing) || hides ? 'root' : 'bind'
  const kept = keep.map((dir) => ({ hostPath: dir, mountPath: dir, readOnly: false }))
  const placed = mode === 'root' ? placeAll([...mounts, ...kept], facts) : first
  const missing = placed.filter((mount) => mount.missing)
  const base = mode === 'root' ? planRoot(missing, facts) : { root: '/', placeholders: [], fstab: [] }
  const nested = placed.flatMap((mount) => (mount.inVolume ? [mount.inVolume] : []))
  const binds = placed.map((mount) =>
    fstabLine(mount.hostPath, join(base.root, mount.target), { type: 'none', options: mount.readOnly ? 'rbind,ro' : 'rbind' }),
  )
  return { mode, root: base.root, placeholders: [...base.placeholders, ...nested], fstab: [...base.fstab, ...binds] }
}

interface Placed extends Mount {
  /** Where it is mounted, symbolic links resolved. */
  readonly target: string
  readonly kind: 'dir' | 'file'
  /** The machine has nothing at `target`. */
  readonly missing: boolean
  /** The mount point inside an outer volume. */
  readonly inVolume?: Placeholder
}

function placeAll(mounts: readonly Mount[], facts: MountFacts): readonly Placed[] {
  const placed: Placed[] = []
  const depth = (path: string): number => path.split('/').length
  const trimmed = mounts.map((mount) => ({ ...mount, mountPath: mount.mountPath.replace(/(?<=.)\/+$/, '') }))
  for (const mount of trimmed.toSorted((a, b) => depth(a.mountPath) - depth(b.mountPath))) placed.push(place(mount, placed, facts))
  return placed
}

function place(mount: Mount, outer: readonly Placed[], facts: MountFacts): Placed {
  const { mountPath } = mount
  if (!mountPath.startsWith('/') || mountPath === '/' || mountPath.split('/').includes('..')) {
    throw new RuntimeError('InvalidArgument', `mountPath "${mount.mountPath}" must be an absolute path below / without ".."`)
  }
  const { kind } = facts.look(mount.hostPath)
  if (!kind) throw new RuntimeError('InvalidArgument', `the volume for mountPath "${mountPath}" has nothing at ${mount.hostPath}`)
  const parent = outer.findLast((candidate) => mountPath.startsWith(`${candidate.mountPath}/`))
  if (parent) {
    const rest = mountPath.slice(parent.mountPath.length)
    const path = join(parent.hostPath, rest)
    const inVolume: Placeholder = { like: path, path, kind }
    return { ...mount, kind, target: join(parent.target, rest), missing: false, inVolume }
  }
  const at = facts.look(mountPath)
  if (at.kind && at.kind !== kind) {
    const names = { dir: 'a directory', file: 'a file' }
    throw new RuntimeError(
      'InvalidArgument',
      `mountPath "${mountPath}" is ${names[at.kind]} on this machine, but the volume is ${names[kind]}`,
    )
  }
  return { ...mount, kind, target: at.real, missing: at.kind === undefined }
}

function planRoot(missing: readonly Placed[], facts: MountFacts): Omit<MountPlan, 'mode'> {
  const root = join(facts.rootfs, 'root')
  const points = facts.mountPoints.filter((point) => point !== '/' && facts.look(point).kind !== undefined)
  const layers = new Map<string, string>([['/', join(facts.rootfs, 'upper')]])
  const placeholders: Placeholder[] = [
    { like: '/', path: root, kind: 'dir' },
    { like: '/', path: join(facts.rootfs, 'upper'), kind: 'dir' },
    { like: '/', path: join(facts.rootfs, 'work'), kind: 'dir' },
  ]
  for (const { target, kind } of missing) {
    const point = deepest(target, points)
    if (['/proc', '/sys', '/dev'].some((special) => point === special || point.startsWith(`${special}/`))) {
      throw new RuntimeError('InvalidArgument', `mountPath "${target}" does not exist, and ${point} cannot hold new directories`)
    }
    if (!layers.has(point)) {
      layers.set(point, join(facts.rootfs, `upper-${layers.size}`))
      placeholders.push({ like: point, path: layers.get(point) as string, kind: 'dir' })
      placeholders.push({ like: '/', path: workOf(layers.get(point) as string), kind: 'dir' })
    }
    placeholders.push(...missingParts(target, { kind, point, upper: layers.get(point) as string }))
  }
  return { root, placeholders, fstab: treeOf('/', { root, points, layers }) }
}

/** The directories from the mounted file system down to the mount point, and that itself. */
function missingParts(target: string, layer: { kind: 'dir' | 'file'; point: string; upper: string }): readonly Placeholder[] {
  const parts: Placeholder[] = [{ like: target, path: join(layer.upper, below(layer.point, target)), kind: layer.kind }]
  for (let path = dirname(target); path !== layer.point; path = dirname(path)) {
    parts.unshift({ like: path, path: join(layer.upper, below(layer.point, path)), kind: 'dir' })
  }
  return parts
}

interface Tree {
  readonly root: string
  readonly points: readonly string[]
  readonly layers: ReadonlyMap<string, string>
}

/** Mounts `point` and all below it into the new root: as it is, or as an overlay where something has to be added. */
function treeOf(point: string, tree: Tree): string[] {
  const upper = tree.layers.get(point)
  const inside = tree.points.filter((other) => other !== point && isBelow(other, point))
  if (upper === undefined) {
    // a recursive bind carries all that is mounted below; overlays come on top
    const overlaid = inside.filter((other) => tree.layers.has(other))
    const line = fstabLine(point, join(tree.root, point), { type: 'none', options: 'rbind' })
    return [line, ...overlaid.filter((other) => deepest(dirname(other), overlaid) === '/').flatMap((other) => treeOf(other, tree))]
  }
  const options = `lowerdir=${point},upperdir=${upper},workdir=${workOf(upper)}`
  const children = inside.filter((other) => !inside.some((middle) => middle !== other && isBelow(other, middle)))
  return [
    fstabLine('overlay', point === '/' ? tree.root : join(tree.root, point), { type: 'overlay', options }),
    ...children.flatMap((child) => treeOf(child, tree)),
  ]
}

function workOf(upper: string): string {
  return upper.replace(/upper(-\d+)?$/, 'work$1')
}

function isBelow(path: string, point: string): boolean {
  return point === '/' || path.startsWith(`${point}/`)
}

function below(point: string, path: string): string {
  return point === '/' ? path : path.slice(point.length)
}

/** The mount point that holds `path`; `/` when none of `points` does. */
function deepest(path: string, points: readonly string[]): string {
  let found = '/'
  for (const point of points) {
    if ((path === point || isBelow(path, point)) && point.length > found.length) found = point
  }
  return found
}

function fstabLine(source: string, target: string, options: { readonly type: string; readonly options: string }): string {
  return [source, target, options.type, options.options, '0', '0'].map(escape).join(' ')
}

/** As fstab(5) wants it. */
function escape(field: string): string {
  return field.replaceAll(/[\s\\#]/g, (character) => `\\${character.charCodeAt(0).toString(8).padStart(3, '0')}`)
}
