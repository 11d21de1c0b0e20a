import { execFile, spawn, spawnSync, type ChildProcess, type SpawnOptions } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { createNetworkNamespace, inNetworkNamespace, removeNetworkNamespace } from '../../base/linux/network-namespace.ts'
import { libcProblem } from '../../base/linux/libc.ts'

/** Why no lab can be built here; empty: it can. Needs Linux, root, iproute2 and nftables. */
export function labProblem(): string {
  if (process.platform !== 'linux') return 'needs Linux'
  if (process.getuid?.() !== 0) return 'needs root'
  const problem = libcProblem()
  if (problem) return problem.what
  for (const tool of ['ip', 'nft']) if (spawnSync(tool, ['-V']).error) return `needs ${tool}`
  return ''
}

export interface CommandResult {
  /** -1: ended by a signal (its time was up). */
  readonly code: number
  readonly stdout: string
  readonly stderr: string
}

/** One host of the lab: a network namespace. */
export interface LabHost {
  readonly name: string
  /** `/run/netns/...`: for `inNetworkNamespace` and `ip netns exec`. */
  readonly path: string
  /** Name for `ip netns exec`. */
  readonly netns: string
  /** Runs a command to its end. Default time limit 10,000 ms. Never rejects for an exit code. */
  run(argv: readonly string[], options?: { readonly input?: string; readonly timeoutMs?: number }): Promise<CommandResult>
  /** As `run`, but an exit code other than 0 is an error. @returns what it printed */
  must(argv: readonly string[], options?: { readonly input?: string; readonly timeoutMs?: number }): Promise<string>
  /** Starts a process that is killed with the lab at the latest. */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess
  /** Runs `fn` with this thread inside the host: sockets made in it stay there. Synchronous. */
  inside<T>(fn: () => T): T
  /** Removes the host before the lab's end: what was in it dies as with a machine. */
  remove(): Promise<void>
}

export interface SegmentPort {
  readonly host: LabHost
  /** Name of the interface in the host, at most 15 characters. */
  readonly device: string
  /** With prefix lengths, both families. */
  readonly addresses?: readonly string[]
  /** Default 1500. */
  readonly mtu?: number
}

/** A wire with two or more ends. */
export interface Segment {
  /** The end of `host` loses its carrier, as when the cable is pulled. */
  cut(host: LabHost): Promise<void>
  /** Frames from and to `host` vanish while the carrier stays: what only keepalives notice. */
  blackhole(host: LabHost): Promise<void>
  /** Undoes either. */
  heal(host: LabHost): Promise<void>
}

export interface NetworkLab {
  host(name: string): Promise<LabHost>
  /** Joins hosts by a wire of its own; devices come up with their addresses. */
  segment(ports: readonly SegmentPort[]): Promise<Segment>
  /** Ends every process that was started in the lab and removes all of it. Idempotent; never throws. */
  remove(): Promise<void>
}

const RUN_MS = 10_000
const NETNS_DIR = '/run/netns'
let labs = 0

/**
 * Builds a lab of network namespaces, with wires that can be cut and healed. Namespaces are called `bpl<pid>x<n>-<name>`; what a killed
 * process has left is removed when the next lab is made. Always `remove()` it in `afterAll`.
 */
export async function createNetworkLab(): Promise<NetworkLab> {
  const problem = labProblem()
  if (problem !== '') throw new Error(`no network lab here: ${problem}`)
  await sweepLeftovers()
  const lab = new Lab(`bpl${process.pid}x${labs++}`)
  await lab.open()
  return lab
}

class Lab implements NetworkLab {
  readonly #prefix: string
  readonly #hosts = new Map<string, Host>()
  readonly #children = new Set<ChildProcess>()
  #fabric: Host | undefined
  #segments = 0
  #ports = 0

  constructor(prefix: string) {
    this.#prefix = prefix
  }

  async open(): Promise<void> {
    this.#fabric = this.#make('fabric')
  }

  async host(name: string): Promise<LabHost> {
    if (this.#hosts.has(name)) throw new Error(`the lab has a host "${name}" already`)
    const host = this.#make(name)
    await host.must(['ip', 'link', 'set', 'lo', 'up'])
    return host
  }

  #make(name: string): Host {
    const host = new Host({ name, netns: `${this.#prefix}-${name}`, children: this.#children, gone: () => this.#hosts.delete(name) })
    createNetworkNamespace(host.path)
    this.#hosts.set(name, host)
    return host
  }

  async segment(ports: readonly SegmentPort[]): Promise<Segment> {
    const fabric = this.#fabric as Host
    const bridge = `seg${this.#segments++}`
    const inFabric = new Map<LabHost, string>()
    const setUp = [`link add ${bridge} type bridge mcast_snooping 0`, `link set ${bridge} up`]
    for (const { host, device, mtu = 1500 } of ports) {
      const end = `p${this.#ports++}`
      inFabric.set(host, end)
      setUp.push(
        `link add ${end} mtu ${mtu} type veth peer name ${device} mtu ${mtu} netns ${host.netns}`,
        `link set ${end} master ${bridge}`,
        `link set ${end} up`,
      )
    }
    await fabric.batch(setUp)
    await Promise.all(
      ports.map(({ host, device, addresses = [] }) =>
        (host as Host).batch([
          ...addresses.map((address) => `address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`),
          `link set ${device} up`,
        ]),
      ),
    )
    const end = (host: LabHost): string => {
      const name = inFabric.get(host)
      if (name === undefined) throw new Error(`host "${host.name}" is not on this segment`)
      return name
    }
    return {
      cut: (host) => fabric.batch([`link set ${end(host)} down`]),
      blackhole: async (host) => void (await fabric.must(['nft', '-f', '-'], { input: blackholeTable(end(host)) })),
      heal: async (host) => {
        await fabric.run(['nft', 'delete', 'table', 'netdev', `hole-${end(host)}`])
        await fabric.batch([`link set ${end(host)} up`])
      },
    }
  }

  async remove(): Promise<void> {
    for (const child of this.#children) child.kill('SIGKILL')
    await Promise.all([...this.#hosts.values()].map((host) => host.remove()))
  }
}

interface HostParts {
  readonly name: string
  readonly netns: string
  readonly children: Set<ChildProcess>
  readonly gone: () => void
}

class Host implements LabHost {
  readonly name: string
  readonly netns: string
  readonly path: string
  readonly #parts: HostParts

  constructor(parts: HostParts) {
    this.name = parts.name
    this.netns = parts.netns
    this.path = `${NETNS_DIR}/${parts.netns}`
    this.#parts = parts
  }

  run(argv: readonly string[], options: { readonly input?: string; readonly timeoutMs?: number } = {}): Promise<CommandResult> {
    return runCommand(['ip', 'netns', 'exec', this.netns, ...argv], options)
  }

  async must(argv: readonly string[], options: { readonly input?: string; readonly timeoutMs?: number } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(argv, options)
    if (code !== 0) throw new Error(`${argv.join(' ')} on ${this.name} ended with ${code}: ${stderr.trim()}`)
    return stdout
  }

  async batch(lines: readonly string[]): Promise<void> {
    await this.must(['ip', '-batch', '-'], { input: `${lines.join('\n')}\n` })
  }

  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    const child = spawn('ip', ['netns', 'exec', this.netns, ...argv], { stdio: 'ignore', ...options })
    this.#parts.children.add(child)
    child.once('exit', () => this.#parts.children.delete(child))
    return child
  }

  inside<T>(fn: () => T): T {
    return inNetworkNamespace(this.path, fn)
  }

  async remove(): Promise<void> {
    this.#parts.gone()
    await removeNamespace(this.netns)
  }
}

function runCommand(
  argv: readonly string[],
  { input, timeoutMs = RUN_MS }: { readonly input?: string; readonly timeoutMs?: number },
): Promise<CommandResult> {
  return new Promise((resolve) => {
    const child = execFile(
      argv[0] as string,
      argv.slice(1),
      { timeout: timeoutMs, killSignal: 'SIGKILL', maxBuffer: 256 * 1024 * 1024 },
      (error, stdout, stderr) => {
        const code = error ? (typeof error.code === 'number' ? error.code : -1) : 0
        resolve({ code, stdout, stderr: stderr || (code === -1 ? String(error?.message) : '') })
      },
    )
    child.stdin?.on('error', () => {})
    child.stdin?.end(input ?? '')
  })
}

/** Kills, by pid, what still runs in a namespace, then removes its name. */
async function removeNamespace(netns: string): Promise<void> {
  const { stdout } = await runCommand(['ip', 'netns', 'pids', netns], {})
  for (const pid of stdout.split('\n').filter((line) => /^\d+$/.test(line))) {
    try {
      process.kill(Number(pid), 'SIGKILL')
    } catch {
      // gone by itself
    }
  }
  try {
    removeNetworkNamespace(`${NETNS_DIR}/${netns}`)
  } catch {
    // removed by something else: that is what was wanted
  }
}

async function sweepLeftovers(): Promise<void> {
  for (const netns of listNamespaces()) {
    const pid = /^bpl(\d+)x\d+-/.exec(netns)?.[1]
    if (pid !== undefined && !isAlive(Number(pid))) await removeNamespace(netns)
  }
}

function listNamespaces(): readonly string[] {
  try {
    return readdirSync(NETNS_DIR)
  } catch {
    return []
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

const blackholeTable = (device: string): string => `table netdev hole-${device} {
  chain in { type filter hook ingress device "${device}" priority 0; policy drop; }
  chain out { type filter hook egress device "${device}" priority 0; policy drop; }
}
`
