import { readFileSync } from 'node:fs'
import { platform } from 'node:os'
import type { Endpoint } from '../compose/control-plane.ts'
import { dataLayout } from '../compose/layout.ts'
import { readIfPresent } from '../connect.ts'
import type { CliContext } from '../context.ts'
import { createJoinTokens } from '../../control-plane/pki/join-tokens.ts'
import { CliError } from '../errors/cli-error.ts'
import type { ListenAddress } from '../program/options.ts'
import type { NetworkMode } from '../compose/network-mode.ts'
import { planUpRanges } from './plan-up-network.ts'
import type { ProgressView } from './progress-view.ts'
import { SupervisedChild, type Launch } from './supervised-child.ts'
import type { UpDirectory } from './up-directory.ts'

export interface LocalClusterOptions {
  readonly context: CliContext
  readonly directory: UpDirectory
  readonly listen: ListenAddress
  readonly nodeName: string
  readonly isDefaultDir: boolean
  readonly view: ProgressView
  /** What the user asked for; else what the cluster has already. */
  readonly ranges?: AddressRanges
  readonly network: { readonly mode: NetworkMode; readonly addresses: readonly string[] }
}

/** CIDRs, comma-separated where there are two families. */
export interface AddressRanges {
  readonly serviceCidr?: string | undefined
  readonly clusterCidr?: string | undefined
}

const TOKEN_TTL_MS = 5 * 60 * 1000
const LOG_LINES = 12

/** The two processes of `up`: a control plane, and a node that joins it as soon as it serves. */
export class LocalCluster {
  readonly #options: LocalClusterOptions
  readonly #controlPlane: SupervisedChild
  readonly #node: SupervisedChild
  #listen: ListenAddress
  #nodeStarted = false
  #resolveServing: () => void = () => {}
  /** The API server answers for the first time. */
  readonly serving: Promise<void>
  #resolveJoined: () => void = () => {}
  /** The node of this cluster, not one of an earlier life, has said how its pods are. */
  readonly joined: Promise<void>

  constructor(options: LocalClusterOptions) {
    const { context, directory } = options
    const { clock } = context
    this.#options = options
    this.#listen = options.listen
    this.joined = new Promise((resolve) => (this.#resolveJoined = resolve))
    this.serving = new Promise((resolve) => (this.#resolveServing = resolve))
    this.#controlPlane = new SupervisedChild({
      role: 'control plane',
      launch: () => this.#launchControlPlane(),
      logFile: directory.logFile('control-plane'),
      clock,
      readyStage: 'apiserver',
      onProgress: (stage, detail) => this.#onControlPlane(stage, detail),
      onDied: (how, pauseMs) => this.#onDied('control plane', how, pauseMs),
    })
    this.#node = new SupervisedChild({
      role: 'node',
      launch: () => this.#launchNode(),
      logFile: directory.logFile('node'),
      clock,
      readyStage: 'ready',
      onProgress: (stage) => {
        if (stage === 'ready') this.#resolveJoined()
      },
      onDied: (how, pauseMs) => this.#onDied('node', how, pauseMs),
    })
  }

  /** Rejects when one of the two cannot be made to work; resolves when both have been stopped. */
  async run(): Promise<void> {
    this.#options.view.step({ id: 'store', title: 'store', detail: '', state: 'working' })
    this.#controlPlane.start()
    const ends = [this.#controlPlane.ended.then((how) => ({ how, child: this.#controlPlane, log: 'control-plane', role: 'control plane' }))]
    ends.push(this.#node.ended.then((how) => ({ how, child: this.#node, log: 'node', role: 'node' })))
    const first = await Promise.race(ends)
    if (first.how === 'give-up') throw this.#failure(first.role, first.log, first.child.lastDeath)
    await Promise.all(ends)
  }

  /** Ends both in an orderly way. */
  async stop(options: { readonly stopWorkloads: boolean }): Promise<void> {
    await Promise.all([this.#node.stop(options), this.#controlPlane.stop(options)])
  }

  kill(): void {
    this.#node.kill()
    this.#controlPlane.kill()
  }

  get pids(): { readonly controlPlane: number | undefined; readonly node: number | undefined } {
    return { controlPlane: this.#controlPlane.pid, node: this.#node.pid }
  }

  #onControlPlane(stage: string, detail: string): void {
    const { view } = this.#options
    if (stage === 'store') {
      view.step({ id: 'store', title: 'store', detail, state: 'done' })
      view.step({ id: 'apiserver', title: 'apiserver', detail: '', state: 'working' })
    } else if (stage === 'apiserver') {
      // whatever port was picked is kept: clients know it
      this.#listen = { ...this.#listen, port: Number(new URL(detail).port || 443) }
      view.step({ id: 'apiserver', title: 'apiserver', detail, state: 'done' })
      view.step({ id: 'controllers', title: 'controllers, scheduler', detail: '', state: 'working' })
      this.#resolveServing()
      this.#startNode()
    } else if (stage === 'ready') view.step({ id: 'controllers', title: 'controllers, scheduler', detail: 'in sync', state: 'done' })
  }

  #startNode(): void {
    if (this.#nodeStarted) return
    this.#nodeStarted = true
    const { view, nodeName } = this.#options
    const title = `node ${nodeName}`
    if (platform() !== 'linux') {
      view.step({ id: 'node', title, detail: `not on ${platform()}: pods stay Pending until a Linux machine joins`, state: 'failed' })
      this.#resolveJoined()
      return
    }
    view.step({ id: 'node', title, detail: 'joining (process runtime)', state: 'working' })
    this.#node.start()
  }

  #onDied(role: string, how: string, pauseMs: number): void {
    const { view, nodeName } = this.#options
    view.note(`${role} process died (${how}); it is started again in ${pauseMs} ms, workloads run on`)
    if (role === 'node') view.step({ id: 'node', title: `node ${nodeName}`, detail: 'restarting', state: 'working' })
    else view.step({ id: 'apiserver', title: 'apiserver', detail: 'restarting', state: 'working' })
  }

  #failure(role: string, log: string, how: string): CliError {
    const file = this.#options.directory.logFile(log)
    const lines = (readIfPresent(file) ?? '').trimEnd().split('\n').slice(-LOG_LINES)
    return new CliError(`the ${role} does not start (${how})`, { where: file, why: lines.join('\n') })
  }

  #launchControlPlane(): Promise<Launch> {
    const { context, directory } = this.#options
    const { host, port } = this.#listen
    const listen = host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
    const { serviceCidr, clusterCidr } = this.#ranges()
    const args = ['control-plane', '--data-dir', directory.dataDir, '--listen', listen, '--service-cidr', serviceCidr]
    if (clusterCidr) args.push('--cluster-cidr', clusterCidr)
    return Promise.resolve({ argv: [...context.self, ...args], env: context.env })
  }

  async #launchNode(): Promise<Launch> {
    const { context, directory, nodeName, network } = this.#options
    const layout = dataLayout(directory.dataDir)
    const endpoint = JSON.parse(readFileSync(layout.endpoint, 'utf8')) as Endpoint
    const token = await createJoinTokens(layout.joinTokens, { clock: context.clock }).create({ ttlMs: TOKEN_TTL_MS })
    const args = ['node', '--data-dir', directory.dataDir, '--server', endpoint.server, '--name', nodeName]
    args.push('--network', network.mode, '--address', network.addresses.join(','))
    // command lines are public on a machine, environments are not
    return { argv: [...context.self, ...args], env: { ...context.env, BIPLANE_TOKEN: `${token.id}.${token.secret}` } }
  }

  #ranges(): { readonly serviceCidr: string; readonly clusterCidr: string | undefined } {
    const { directory, isDefaultDir: isDefault, ranges: asked = {}, network } = this.#options
    const text = readIfPresent(dataLayout(directory.dataDir).endpoint)
    const known = text === undefined ? {} : (JSON.parse(text) as Endpoint)
    return planUpRanges(directory.dataDir, { ...network, isDefault, asked, known })
  }
}
