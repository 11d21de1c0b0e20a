import type { ResolvedContainer } from '../../runtime.ts'

/** Where a volume really is, by its mountPath. */
export type MountPlaces = Readonly<Record<string, string>>

/**
 * Without private mounts a volume is only at its place in the pod's directory. Programs are told: a mountPath written literally in the command
 * or a variable is replaced by that place, and `BIPLANE_MOUNT_<PATH>` holds it (`/etc/my-app` gives `BIPLANE_MOUNT_ETC_MY_APP`).
 * @returns also `places`, for commands that are run beside the program: see replaceMountPaths
 */
export function rewriteMountPaths(
  container: ResolvedContainer,
): Pick<ResolvedContainer, 'command' | 'env' | 'workingDir'> & { readonly places: MountPlaces } {
  const places: Record<string, string> = {}
  for (const mount of container.mounts) places[trimmed(mount.mountPath)] = mount.hostPath
  const rewrite = (text: string): string => replaceMountPaths([text], places)[0] as string
  const env: Record<string, string> = {}
  for (const [name, value] of Object.entries(container.env)) env[name] = rewrite(value)
  for (const [path, place] of Object.entries(places))
    env[
      `BIPLANE_MOUNT_${path
        .slice(1)
        .toUpperCase()
        .replaceAll(/[^A-Z0-9]+/g, '_')}`
    ] ??= place
  const { workingDir } = container
  return { command: container.command.map(rewrite), env, places, ...(workingDir === undefined ? {} : { workingDir: rewrite(workingDir) }) }
}

/** The words of a command, with the place of a volume wherever its mountPath is written. */
export function replaceMountPaths(words: readonly string[], places: MountPlaces): readonly string[] {
  // longest first: /data/cache must not be taken for a part of /data
  const paths = Object.keys(places).toSorted((a, b) => b.length - a.length)
  if (paths.length === 0) return words
  const literal = new RegExp(`(?<![\\w./-])(${paths.map(escape).join('|')})(?![\\w.-])`, 'g')
  return words.map((word) => word.replaceAll(literal, (path) => places[path] ?? path))
}

function trimmed(path: string): string {
  return path.replace(/(?<=.)\/+$/, '')
}

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, '\\$&')
}
