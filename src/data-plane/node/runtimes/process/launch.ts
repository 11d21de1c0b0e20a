import type { Host, User } from './host.ts'
import { replaceMountPaths, type MountPlaces } from './literal-mounts.ts'

/** How the file system of a container differs from the machine's: not, by mounts over what exists, or by a root of its own. */
export type MountMode = 'none' | 'bind' | 'root'

/** The surroundings of a container: what its program and every command run beside it share. */
export interface Surroundings {
  readonly user: User
  readonly env: Readonly<Record<string, string>>
  readonly cwd: string
  readonly mode: MountMode
  /** Root directory, for mode `root`. */
  readonly rootDir: string
  /** Cgroup directories to join. */
  readonly cgroups: readonly string[]
  /** Where volumes really are, without private mounts. */
  readonly places?: MountPlaces
}

/** A process to spawn, with nothing but these variables. */
export interface SpawnPlan {
  readonly file: string
  readonly args: readonly string[]
  readonly env: Readonly<Record<string, string>>
}

/** Files the shim works with. */
export interface ShimFiles {
  readonly shim: string
  readonly dir: string
  readonly marker: string
  readonly fstab: string
  /** Holds the `oom_kill` counter; empty: none. */
  readonly oomFile: string
}

/** The shim's command line: it sets up what must be done as root, then becomes the program with the rights of its user. */
export function planShim(host: Host, surroundings: Surroundings, options: { files: ShimFiles; command: readonly string[] }): SpawnPlan {
  const { files, command } = options
  const { mode, cwd, rootDir } = surroundings
  const inRoot = mode === 'root' ? [host.tools.unshare, `--root=${rootDir}`, `--wd=${cwd}`, '--'] : []
  const shim = [
    host.tools.sh,
    files.shim,
    files.dir,
    files.marker,
    host.tools.mv,
    surroundings.cgroups.join(' '),
    files.oomFile,
    mode === 'root' ? '/' : cwd,
    host.tools.mount,
    mode === 'none' ? '' : files.fstab,
    ...inRoot,
    ...programOf(host, surroundings, command),
  ]
  const argv = mode === 'none' ? shim : [host.tools.unshare, '--mount', '--propagation', 'private', '--', ...shim]
  return { file: argv[0] as string, args: argv.slice(1), env: shellVariables(surroundings.env) }
}

const EXEC = 'for c in $1; do echo 0 > "$c/cgroup.procs" || exit 126; done; cd "$2" || exit 126; shift 2; exec "$@"'

/** A command beside the running program `pid`: in its namespace, cgroups, directory, and with its rights. */
export function planExec(host: Host, surroundings: Surroundings, options: { pid: number; command: readonly string[] }): SpawnPlan {
  const enter = surroundings.mode === 'none' ? [] : [host.tools.nsenter, '-t', String(options.pid), '--mount', '--root', '--']
  const argv = [
    ...enter,
    host.tools.sh,
    '-c',
    EXEC,
    'exec',
    surroundings.cgroups.join(' '),
    surroundings.cwd,
    ...programOf(host, surroundings, replaceMountPaths(options.command, surroundings.places ?? {})),
  ]
  return { file: argv[0] as string, args: argv.slice(1), env: shellVariables(surroundings.env) }
}

function programOf(host: Host, { user, env }: Surroundings, command: readonly string[]): readonly string[] {
  const late = Object.keys(env).filter(isLate)
  const variables = late.length === 0 ? [] : [host.tools.env, ...late.map((name) => `${name}=${env[name]}`)]
  return [...becomeUser(host, user), ...variables, ...command]
}

// a container may bind low ports upstream even without root: its network is its own. The one right that is kept stands for that
const KEPT = '-all,+net_bind_service'

function becomeUser(host: Host, user: User): readonly string[] {
  if (!host.capabilities.users || user.uid === 0) return []
  return [
    host.tools.setpriv,
    `--reuid=${user.uid}`,
    `--regid=${user.gid}`,
    '--clear-groups',
    '--no-new-privs',
    `--inh-caps=${KEPT}`,
    `--ambient-caps=${KEPT}`,
    `--bounding-set=${KEPT}`,
    '--',
  ]
}

const SHELL_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/
const MEANT_FOR_PROGRAM = /^(LD_|GLIBC_|MALLOC_|LIBMOUNT_|BASH|_bp_)|^(ENV|IFS|PS[1-4]|OPTIND|PPID|CDPATH|PWD|OLDPWD|SHELLOPTS|SHLVL|_)$/

/**
 * Whether a variable is set only for the program itself, on the command line of `env`: a shell drops names that it cannot use, though
 * Kubernetes allows them, and some names would change what the shell, the loader or `mount` do before it, with the agent's rights.
 */
function isLate(name: string): boolean {
  return !SHELL_NAME.test(name) || MEANT_FOR_PROGRAM.test(name)
}

function shellVariables(env: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !isLate(name)))
}
