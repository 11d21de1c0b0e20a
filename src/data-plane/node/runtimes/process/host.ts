import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { accessSync, constants, mkdirSync, mkdtempSync, readFileSync, rmSync, statfsSync } from 'node:fs'
import { platform } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { messageOf } from '../../../../base/errors.ts'
import type { RuntimeCapabilities, RuntimeProblem } from '../../runtime.ts'
import { Cgroups, findHierarchies } from './cgroups.ts'
import { parseMountInfo } from './mountinfo.ts'
import { readBootId } from './proc.ts'
import { readState } from './state-file.ts'

export interface User {
  readonly uid: number
  readonly gid: number
}

const TOOLS = ['sh', 'mv', 'env', 'setpriv', 'unshare', 'nsenter', 'mount', 'fallocate'] as const
type Tools = Readonly<Record<(typeof TOOLS)[number], string>>

/** What this machine lets the runtime do. */
export interface Host {
  /** False: pods cannot run here at all. */
  readonly ok: boolean
  readonly capabilities: RuntimeCapabilities
  readonly problems: readonly RuntimeProblem[]
  /** Absolute paths; empty for a tool that is not installed. */
  readonly tools: Tools
  readonly bootId: string
  /** Who the agent is. */
  readonly self: User
  /** When limits can be enforced. */
  readonly cgroups: Cgroups | undefined
  /** Where the roots of containers with private mounts live: overlayfs cannot write to itself. */
  readonly rootfsBase: string
}

export interface HostOptions {
  readonly rootDir: string
  readonly nodeName: string
  /** Capabilities not to use though the machine has them. */
  readonly without?: Partial<RuntimeCapabilities> | undefined
}

const OVERLAYFS = 0x794c7630
const TOOL_DIRS = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin']

/** Probes the machine by trying: no capability is derived from a version or a distribution. */
export async function detectHost(options: HostOptions): Promise<Host> {
  const self = { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 }
  const tools = Object.fromEntries(TOOLS.map((name) => [name, findTool(name)])) as Tools
  const problems: RuntimeProblem[] = []
  const capabilities: RuntimeCapabilities = { limits: false, mounts: false, users: false }
  const rootfsBase = baseForRoots(options.rootDir)
  const host = { capabilities, problems, tools, self, rootfsBase, cgroups: undefined, bootId: readBootId() }
  if (platform() !== 'linux' || host.bootId === '' || !tools.sh || !tools.mv) {
    problems.push({
      what: `pods cannot run here: processes need Linux with /proc and a POSIX shell, this is ${platform()}`,
      fix: 'join a Linux machine as a node; the control plane runs anywhere',
    })
    return { ...host, ok: false }
  }
  if (self.uid !== 0) {
    problems.push({
      what: 'no resource limits, no private mounts and no separate users: the agent is not root',
      fix: 'run `biplane node` as root, or keep volumes to programs that read their path from a variable (BIPLANE_MOUNT_...)',
    })
    return { ...host, ok: true }
  }
  const attempt = async (capability: keyof RuntimeCapabilities, what: string, fn: () => Promise<void>): Promise<boolean> => {
    if (options.without?.[capability]) return false
    try {
      await fn()
      return true
    } catch (error) {
      const text = ((error as { stderr?: string }).stderr ?? '').trim() || messageOf(error)
      problems.push({ what: `${what}: ${text}`, fix: FIXES[capability] })
      return false
    }
  }
  let cgroups: Cgroups | undefined
  const [limits, mounts, users] = await Promise.all([
    attempt('limits', 'cpu and memory limits are not enforced', async () => {
      cgroups = prepareCgroups(options)
    }),
    attempt('mounts', 'volumes do not appear at their mountPath', () => tryMounts(tools, rootfsBase)),
    attempt('users', 'containers run as root', () => trySetpriv(tools)),
  ])
  return { ...host, ok: true, capabilities: { limits, mounts, users }, cgroups }
}

/** A directory of this runtime that is no overlay: its own, or one in shared memory. */
function baseForRoots(rootDir: string): string {
  try {
    mkdirSync(rootDir, { recursive: true, mode: 0o711 })
    return statfsSync(rootDir).type === OVERLAYFS ? `/dev/shm/biplane-${hashOf(rootDir)}` : rootDir
  } catch {
    return rootDir
  }
}

const FIXES: Readonly<Record<keyof RuntimeCapabilities, string>> = {
  limits: 'mount the cpu, memory and pids cgroup controllers writable for the agent',
  mounts: 'install util-linux 2.34 or newer and let the agent mount (CAP_SYS_ADMIN, overlayfs)',
  users: 'install setpriv (util-linux)',
}

function prepareCgroups(options: HostOptions): Cgroups {
  const mounts = parseMountInfo(readFileSync('/proc/self/mountinfo', 'utf8'))
  const hierarchies = findHierarchies(mounts, (path) => (readState(join(path, 'cgroup.controllers')) ?? '').trim().split(' '))
  const lacking = (['cpu', 'memory'] as const).filter((name) => !hierarchies.some((hierarchy) => hierarchy.controllers.includes(name)))
  if (lacking.length > 0) throw new Error(`no cgroup controller for ${lacking.join(' and ')} is mounted`)
  const cgroups = new Cgroups(hierarchies, `${options.nodeName}-${hashOf(options.rootDir)}`)
  cgroups.prepare()
  return cgroups
}

async function tryMounts(tools: Tools, base: string): Promise<void> {
  for (const name of ['unshare', 'nsenter', 'mount'] as const) if (!tools[name]) throw new Error(`${name} is not installed`)
  if (!/^[\w/.+@-]+$/.test(base)) throw new Error(`the path ${base} has characters that mount options cannot hold`)
  mkdirSync(base, { recursive: true, mode: 0o711 })
  const dir = mkdtempSync(join(base, 'probe-'))
  try {
    await tryOverlay(tools, dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}

async function tryOverlay(tools: Tools, dir: string): Promise<void> {
  for (const part of ['upper', 'work', 'root']) mkdirSync(join(dir, part), { recursive: true })
  const overlay = `lowerdir=/,upperdir=${dir}/upper,workdir=${dir}/work`
  const script = `"${tools.mount}" -n -t overlay overlay -o ${overlay} ${dir}/root && exec "${tools.unshare}" --root=${dir}/root --wd=/ -- true`
  await run(tools.unshare, ['--mount', '--propagation', 'private', '--', tools.sh, '-c', script])
}

async function trySetpriv(tools: Tools): Promise<void> {
  if (!tools.setpriv) throw new Error('setpriv is not installed')
  const keep = '-all,+net_bind_service'
  const caps = [`--inh-caps=${keep}`, `--ambient-caps=${keep}`, `--bounding-set=${keep}`]
  await run(tools.setpriv, ['--reuid=65534', '--regid=65534', '--clear-groups', '--no-new-privs', ...caps, '--', 'true'])
}

async function run(file: string, args: readonly string[]): Promise<void> {
  await promisify(execFile)(file, [...args], { timeout: 10_000, killSignal: 'SIGKILL', env: { PATH: TOOL_DIRS.join(':') } })
}

function findTool(name: string): string {
  for (const dir of TOOL_DIRS) {
    try {
      accessSync(join(dir, name), constants.X_OK)
      return join(dir, name)
    } catch {
      // not here
    }
  }
  return ''
}

function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
