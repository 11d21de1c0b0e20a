import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { chmodSync, existsSync, mkdtempSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { systemClock } from '../../src/base/clock.ts'
import { pods } from '../../src/api/core/v1/pod.ts'
import { nodes } from '../../src/api/core/v1/node.ts'
import type { Pod } from '../../src/api/generated/types.ts'
import { dataLayout } from '../../src/cli/compose/layout.ts'
import {
  accessOf,
  createClient,
  createHttpsTransport,
  isStatus,
  parseKubeconfig,
  type Client,
  type Transport,
} from '../../src/client/index.ts'
import { createNetworkLab, type CommandResult, type LabHost, type NetworkLab, type Segment } from '../../src/testing/network-lab/index.ts'
import { forwardInto, type Forward } from './forward-into.ts'
import { planTopology, type Topology } from './lab-topology.ts'
import { LAB_PREFIX, removeAll, run, sweep, type RunOptions } from './lab-processes.ts'
import { poll } from './poll.ts'
import { REPOSITORY } from './program.ts'

export interface LabClusterOptions {
  /** Names of the nodes. Default `a`, `b`, `c`. */
  readonly nodes?: readonly string[]
  /** See Topology. Default `lan`. */
  readonly topology?: Topology
  /** More arguments for `biplane node`, beside name, address, data directory and `--network kernel`. */
  readonly nodeArgs?: readonly string[]
  /** More arguments for `biplane control-plane`. Default: cluster and service ranges of both families. */
  readonly controlPlaneArgs?: readonly string[]
  /** More variables of all processes. */
  readonly env?: Readonly<Record<string, string>>
  /** Path of the command. Default `dist/biplane.js` of this repository. */
  readonly program?: string
  /** Called when the hosts are there and nothing runs yet. */
  readonly prepare?: (cluster: LabCluster) => Promise<void>
}

export interface LabNode {
  readonly name: string
  readonly host: LabHost
  /** Of the node, IPv4 then IPv6. */
  readonly addresses: readonly [string, string]
  readonly dataDir: string
}

const READY_MS = 60_000

/**
 * A cluster of real processes in a network lab: a control plane on host `control` and nodes in kernel mode, each in a network namespace of its own.
 * `dist/biplane.js` must have been built. Needs what the lab needs (labProblem). Always `stop()` it in `afterAll`.
 *
 *   const cluster = await LabCluster.start({ topology: 'lan' })
 *   const pod = await cluster.createPod('web', { node: 'a', command: ['node', '-e', '...'] })      // once it is Ready
 *   await cluster.inPod('web', ['ping', '-c1', cluster.node('b').addresses[0]])
 *   await cluster.control.must(['curl', ...])                 // a machine outside of the pod network
 */
export class LabCluster {
  readonly dir: string
  readonly lab: NetworkLab
  /** Host of the control plane; it has no route to pods: what is outside. */
  readonly control: LabHost
  /** Of the control plane's host, IPv4 then IPv6. */
  readonly controlAddresses: readonly [string, string]
  /** The links between hosts: one called `lan`, or one for each host behind host `router`. */
  readonly segments: ReadonlyMap<string, Segment>
  readonly nodes: readonly LabNode[]
  readonly #options: LabClusterOptions
  readonly #processes = new Map<string, ChildProcess>()
  readonly #transports: Transport[] = []
  #forward: Forward | undefined
  #client: Client | undefined
  /** The bundle that processes are started from; another one is an upgrade. */
  program: string

  private constructor(parts: {
    readonly dir: string
    readonly lab: NetworkLab
    readonly control: LabHost
    readonly controlAddresses: readonly [string, string]
    readonly segments: ReadonlyMap<string, Segment>
    readonly nodes: readonly LabNode[]
    readonly options: LabClusterOptions
  }) {
    this.dir = parts.dir
    this.lab = parts.lab
    this.control = parts.control
    this.controlAddresses = parts.controlAddresses
    this.segments = parts.segments
    this.nodes = parts.nodes
    this.#options = parts.options
    this.program = parts.options.program ?? join(REPOSITORY, 'dist/biplane.js')
  }

  /** @returns once every node is Ready */
  static async start(options: LabClusterOptions = {}): Promise<LabCluster> {
    sweep()
    const dir = mkdtempSync(join(tmpdir(), `${LAB_PREFIX}${process.pid}-`))
    // containers run as another user, who must be able to come here
    chmodSync(dir, 0o755)
    const lab = await createNetworkLab()
    try {
      const { hosts, segments, addresses } = await planTopology(lab, options.topology ?? 'lan', [
        'control',
        ...(options.nodes ?? ['a', 'b', 'c']),
      ])
      const named = (name: string): LabHost => hosts.get(name) as LabHost
      const labNodes = (options.nodes ?? ['a', 'b', 'c']).map((name): LabNode => ({
        name,
        host: named(name),
        addresses: addresses.get(name) as [string, string],
        dataDir: join(dir, name),
      }))
      const cluster = new LabCluster({
        dir,
        lab,
        control: named('control'),
        controlAddresses: addresses.get('control') as [string, string],
        segments,
        nodes: labNodes,
        options,
      })
      try {
        await cluster.#open()
        return cluster
      } catch (error) {
        const said = cluster.logs()
        await cluster.stop()
        throw new Error(`the cluster did not become ready: ${String(error)}\n${said}`, { cause: error })
      }
    } catch (error) {
      await lab.remove()
      throw error
    }
  }

  node(name: string): LabNode {
    const found = this.nodes.find((node) => node.name === name)
    if (!found) throw new Error(`the cluster has no node "${name}"`)
    return found
  }

  /** As an administrator, from this process. */
  get client(): Client {
    if (!this.#client) throw new Error('the control plane has not been started')
    return this.#client
  }

  /** For kubectl in this process's network. */
  get kubeconfig(): string {
    return join(this.dir, 'kubeconfig')
  }

  /** Runs kubectl, which must be on the PATH. @returns what it prints */
  async kubectl(...args: readonly string[]): Promise<string> {
    const { code, stdout, stderr } = await run(['kubectl', '--kubeconfig', this.kubeconfig, ...args], { timeoutMs: 60_000 })
    if (code !== 0) throw new Error(`kubectl ${args.join(' ')} ended with ${code}: ${stderr}`)
    return stdout
  }

  /** Runs a command of biplane as administrator, in this process's network. Never rejects for an exit code. */
  biplane(...args: readonly string[]): Promise<CommandResult> {
    return run([process.execPath, this.program, ...args, '--kubeconfig', this.kubeconfig], {})
  }

  /** Runs a command of biplane in the network of a node. */
  biplaneOn(name: string, args: readonly string[]): Promise<CommandResult> {
    return run([process.execPath, this.program, ...args], { namespace: this.node(name).host.path, timeoutMs: 60_000 })
  }

  async startControlPlane(): Promise<void> {
    const [address] = this.controlAddresses
    const args = this.#options.controlPlaneArgs ?? [
      '--cluster-cidr',
      '10.244.0.0/16,fd00:10:244::/48',
      '--service-cidr',
      '10.96.0.0/16,fd00:10:96::/112',
    ]
    this.#spawn('control-plane', this.control, [
      'control-plane',
      '--data-dir',
      join(this.dir, 'control'),
      '--listen',
      `${address}:6443`,
      ...args,
    ])
    const file = dataLayout(join(this.dir, 'control')).adminKubeconfig
    await this.#until('the control plane serves', 'control-plane', () => (existsSync(file) ? true : undefined))
    this.#forward ??= await forwardInto(this.control, { address, port: 6443 })
    writeFileSync(
      this.kubeconfig,
      readFileSync(file, 'utf8').replaceAll(`https://${address}:6443`, `https://127.0.0.1:${this.#forward.port}`),
    )
    const config = parseKubeconfig(readFileSync(this.kubeconfig, 'utf8'), this.kubeconfig)
    if (!this.#client) {
      const transport = createHttpsTransport({
        ...accessOf(config, { clock: systemClock, readFile: () => undefined }),
        clock: systemClock,
        random: Math.random,
      })
      this.#transports.push(transport)
      this.#client = createClient(transport)
    }
    await this.#until('the API answers', 'control-plane', async () => {
      await this.client.of(nodes).list()
      return true
    })
  }

  /** Starts the agent of a node; returns at once. @param args beside those of all nodes */
  startNode(name: string, args: readonly string[] = []): void {
    const { host, addresses, dataDir } = this.node(name)
    const control = join(this.dir, 'control')
    const printed = execFileSync(process.execPath, [this.program, 'token', 'create', '--data-dir', control, '-o', 'json'], {
      encoding: 'utf8',
    })
    const { token, caHash, server } = JSON.parse(printed) as Readonly<Record<'token' | 'caHash' | 'server', string>>
    const own = ['--name', name, '--server', server, '--ca-hash', caHash, '--data-dir', dataDir, '--address', addresses.join(',')]
    this.#spawn(name, host, ['node', ...own, '--network', 'kernel', ...(this.#options.nodeArgs ?? []), ...args], { BIPLANE_TOKEN: token })
  }

  /** Ends a process: a node by its name, or `control-plane`. What runs in pods runs on. */
  async kill(name: string, signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#processes.get(name)
    this.#processes.delete(name)
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await exited
  }

  async ready(name: string): Promise<void> {
    await this.#until(`node ${name} is ready`, name, async () => {
      const node = await this.client.of(nodes).get(name)
      return node.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') || undefined
    })
  }

  /**
   * Creates a pod in namespace `default` and waits until it is Ready. @param options command: of container `main`; spec: what else the pod's spec has;
   * container: what else the container has
   */
  async createPod(
    name: string,
    options: {
      readonly node: string
      readonly command?: readonly string[]
      readonly labels?: Readonly<Record<string, string>>
      readonly spec?: Partial<NonNullable<Pod['spec']>>
      readonly container?: Partial<NonNullable<Pod['spec']>['containers'][number]>
    },
  ): Promise<Pod> {
    const main = { name: 'main', image: 'host', command: [...(options.command ?? ['sleep', '3600'])], ...options.container }
    const spec = { nodeName: options.node, terminationGracePeriodSeconds: 1, ...options.spec, containers: [main] }
    await this.client.of(pods).create({ metadata: { name, namespace: 'default', labels: { app: name, ...options.labels } }, spec })
    return await this.readyPod(name)
  }

  async readyPod(name: string): Promise<Pod> {
    const isReady = (pod: Pod): boolean =>
      pod.status?.conditions?.some((condition) => condition.type === 'Ready' && condition.status === 'True') === true
    return await poll(
      `pod ${name} is ready`,
      async () => {
        const pod = await this.client.of(pods).get(name, { namespace: 'default' })
        if (isReady(pod)) return pod
        const states = pod.status?.containerStatuses?.map((status) => status.state) ?? pod.status
        throw new Error(`${JSON.stringify(states)}; its node said: ${this.logs(pod.spec?.nodeName).slice(-1_000)}`)
      },
      { withinMs: READY_MS, everyMs: 50 },
    )
  }

  /** Deletes a pod and waits until it is gone. */
  async deletePod(name: string): Promise<void> {
    await this.client.of(pods).delete(name, { namespace: 'default' })
    await poll(`pod ${name} is gone`, async () => {
      try {
        await this.client.of(pods).get(name, { namespace: 'default' })
        return undefined
      } catch (error) {
        if (isStatus(error, 'NotFound')) return true
        throw error
      }
    })
  }

  /** Path of a pod's network namespace. */
  async namespaceOf(name: string): Promise<string> {
    const { metadata, spec } = await this.client.of(pods).get(name, { namespace: 'default' })
    const { dataDir } = this.node(spec?.nodeName ?? '')
    return join(dataLayout(dataDir).node(spec?.nodeName ?? '').pods, 'netns', metadata.uid ?? '')
  }

  /** Runs a command with the network of a pod, but as root and with the files of this machine. Never rejects for an exit code. */
  async inPod(name: string, argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return await this.inNamespace(await this.namespaceOf(name), argv, options)
  }

  /** As inPod, by the path of the namespace: the control plane is not asked. */
  inNamespace(namespace: string, argv: readonly string[], options: RunOptions = {}): Promise<CommandResult> {
    return run(argv, { ...options, namespace })
  }

  /** What a process has written: a node by its name, or `control-plane`; without a name all of them. */
  logs(name?: string): string {
    if (name === undefined)
      return [...new Set(['control-plane', ...this.nodes.map((node) => node.name)])]
        .map((one) => `--- ${one}\n${this.logs(one)}`)
        .join('\n')
    const file = join(this.dir, `${name}.log`)
    return existsSync(file) ? readFileSync(file, 'utf8') : ''
  }

  /** Ends and removes everything. */
  async stop(): Promise<void> {
    for (const transport of this.#transports) await transport.close()
    await this.#forward?.close()
    await Promise.all([...this.#processes.keys()].map((name) => this.kill(name)))
    await removeAll(this.dir)
    await this.lab.remove()
  }

  /** Polls, but not for a process that has ended. */
  async #until(what: string, name: string, probe: () => Promise<boolean | undefined> | boolean | undefined): Promise<void> {
    const child = this.#processes.get(name)
    const found = await poll(what, () => (child && child.exitCode !== null ? 'ended' : probe()), { withinMs: READY_MS })
    if (found === 'ended') throw new Error(`biplane ${name} ended with ${child?.exitCode} before ${what}: ${this.logs(name).slice(-2_000)}`)
  }

  async #open(): Promise<void> {
    await this.#options.prepare?.(this)
    await this.startControlPlane()
    for (const { name } of this.nodes) this.startNode(name)
    await Promise.all(this.nodes.map(({ name }) => this.ready(name)))
  }

  #spawn(name: string, host: LabHost, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const log = openSync(join(this.dir, `${name}.log`), 'a')
    const options = {
      cwd: this.dir,
      env: { PATH: process.env['PATH'], HOME: this.dir, ...this.#options.env, ...env },
      stdio: ['ignore', log, log] as ('ignore' | number)[],
    }
    // not by `ip netns exec`, which gives the process mounts of its own: what it mounts would end with it
    const child = host.inside(() => spawn(process.execPath, [this.program, ...args], options))
    this.#processes.set(name, child)
  }
}
