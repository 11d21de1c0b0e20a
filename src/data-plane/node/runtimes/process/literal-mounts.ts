import type { ResolvedContainer } from '../../runtime.ts'

/**
 * Without private mounts a volume is only at its place in the pod's directory. Programs are told: a mountPath written literally in the command
 * or a variable is replaced by that place, and `BIPLANE_MOUNT_<PATH>` holds it (`/etc/my-app` gives `BIPLANE_MOUNT_ETC_MY_APP`).
 */
export function rewriteMountPaths(container: ResolvedContainer): Pick<ResolvedContainer, 'command' | 'env' | 'workingDir'> {
  // longest first: /data/cache must not be taken for a part of /data
  const mounts = container.mounts.toSorted((a, b) => b.mountPath.length - a.mountPath.length)
  const places = new Map(mounts.map((mount) => [trimmed(mount.mountPath), mount.hostPath]))
  if (places.size === 0) return container
  const literal = new RegExp(`(?<![\\w./-])(${[...places.keys()].map(escape).join('|')})(?![\\w.-])`, 'g')
  const rewrite = (text: string): string => text.replaceAll(literal, (path) => places.get(path) ?? path)
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(container.env)) env[name] = rewrite(value)
  for (const [path, place] of places)
    env[
      `BIPLANE_MOUNT_${path
        .slice(1)
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]+/g, '_')}`
    ] ??= place
  const { workingDir } = container
  return { command: container.command.map(rewrite), env, ...(workingDir === undefined ? {} : { workingDir: rewrite(workingDir) }) }
}

function trimmed(path: string): string {
  return path.replace(/(?<=.)\/+$/, '')
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
