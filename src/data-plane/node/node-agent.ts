import { join } from 'node:path'
import { sleep, type Clock } from '../../base/clock.ts'
import { messageOf } from '../../base/errors.ts'
import type { Logger } from '../../base/log.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Pod, Service } from '../../api/generated/types.ts'
import { deepEqual } from '../../api/meta/equality.ts'
import { imageRecipes, type ImageRecipe } from '../../api/biplane.dev/v1alpha1/image-recipe.ts'
import { configMaps } from '../../api/core/v1/config-map.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { secrets } from '../../api/core/v1/secret.ts'
import { services } from '../../api/core/v1/service.ts'
import { keyOf } from '../../api/meta/object.ts'
import type { Client } from '../../client/client.ts'
import { createInformer } from '../../client/informer.ts'
import { appliedAnnotations, refusalsOf, type AppliedReport } from '../../policy/applied.ts'
import type { Informer } from '../../client/cache.ts'
import { EventSink } from '../../controller/event-recorder.ts'
import { LastGoodList } from './api-sync/last-good.ts'
import type { NodeDescription } from './api-sync/node-status.ts'
import { runRegistration, type RegistrationOptions } from './api-sync/node-registration.ts'
import { ObjectCache } from './api-sync/object-cache.ts'
import { StatusManager } from './api-sync/status-manager.ts'
import { TokenCache } from './api-sync/token-cache.ts'
import type { PodProxies } from './mesh/hosted-pods.ts'
import type { PodProtection } from './network/pod-protection.ts'
import { HookRunner } from './pods/lifecycle-hook.ts'
import { PodWorker } from './pods/pod-worker.ts'
import type { PodWorkerDeps } from './pods/pod-worker-deps.ts'
import { isTerminal } from './pods/pod-view.ts'
import { resolveContainer, writeHosts, type ResolveDeps } from './pods/resolve-container.ts'
import { Prober } from './probes/prober.ts'
import type { ResolvedContainer, Runtime, RuntimePod } from './runtime.ts'
import type { FileOwner } from './volumes/atomic-files.ts'
import { VolumeManager } from './volumes/volume-manager.ts'

export interface NodeAgentOptions {
  readonly node: NodeDescription
  readonly client: Client
  readonly runtime: Runtime
  readonly clock: Clock
  /** 0 <= x < 1. */
  readonly random: () => number
  readonly log: Logger
  readonly metrics: Metrics
  /** Where last good copies are kept; absent: nowhere (hollow nodes). */
  readonly stateDir?: string
  readonly builtinRecipes?: readonly ImageRecipe[]
  /** Default `cluster.local`. */
  readonly clusterDomain?: string
  readonly baseEnv?: Readonly<Record<string, string>>
  readonly heartbeatMs?: number
  /** How often every pod is looked at although nothing hinted at a change. Default 10,000. */
  readonly relistMs?: number
  /** Who owns the files of volumes of pods that name no user; absent: who runs the agent. */
  readonly volumeOwner?: FileOwner
  /** Called once, when the control plane knows the node and how each of its pods is now. */
  readonly onRegistered?: () => void
  /** What guards pods with a network of their own before their first process. */
  readonly protection?: PodProtection
  /** What carries the connections of meshed pods that have no sidecar. */
  readonly proxies?: PodProxies
  /** Why pods cannot have a network just now: the node is not ready meanwhile. */
  readonly network?: { problem(): string | undefined; readonly onChange: (fn: () => void) => () => void }
  /** What services and policies of this node have in force; asked at each heartbeat. Goes with `network`. */
  readonly applied?: () => readonly AppliedReport[]
  /** Text of a pod's /etc/resolv.conf (see `planResolvConf`); absent: pods have the node's. */
  readonly resolvConf?: (pod: Pod) => string
  /** A hollow node keeps no list of services and recipes. */
  readonly hollow?: boolean
}

/** The kubelet: keeps the pods that are bound to one node running and says how they are. */
export class NodeAgent {
  readonly #options: NodeAgentOptions
  readonly #workers = new Map<string, PodWorker>()
  /** Uids of pods whose worker is done and whose API object is about to go: they need no second worker. */
  readonly #released = new Set<string>()
  readonly #podInformer: Informer<Pod>
  readonly #services: LastGoodList<Service> | undefined
  readonly #serviceInformer: Informer<Service> | undefined
  readonly #recipes: LastGoodList<ImageRecipe> | undefined
  readonly #recipeInformer: Informer<ImageRecipe> | undefined
  readonly #background = new Set<Promise<void>>()
  #problem: string | undefined = 'the node agent is starting'

  constructor(options: NodeAgentOptions) {
    this.#options = options
    const { client, clock, random, log } = options
    const dependencies = { client, clock, random, log }
    this.#podInformer = createInformer(pods, dependencies, { fieldSelector: `spec.nodeName=${options.node.name}` })
    if (options.hollow) return
    const keep = (name: string): { clock: Clock; log: Logger; path?: string } => ({
      clock,
      log,
      ...(options.stateDir ? { path: join(options.stateDir, `${name}.json`) } : {}),
    })
    this.#serviceInformer = createInformer(services, dependencies)
    this.#services = new LastGoodList(this.#serviceInformer, keep('services'))
    this.#recipeInformer = createInformer(imageRecipes, dependencies)
    this.#recipes = new LastGoodList(this.#recipeInformer, keep('imagerecipes'))
  }

  #tellServices: () => void = () => {}
  /** Resolves when the list of services is whole: by a copy of an earlier agent, or by the API. */
  readonly servicesKnown: Promise<void> = new Promise((resolve) => (this.#tellServices = resolve))
  #tellAdopted: () => void = () => {}
  /** Resolves when what an earlier agent has left running is taken over, and its protection asked for. */
  readonly adopted: Promise<void> = new Promise((resolve) => (this.#tellAdopted = resolve))

  /** The services this node knows, also while the control plane is away. */
  get services(): LastGoodList<Service> | undefined {
    return this.#services
  }

  /** Worker of a pod by namespace and name: for logs and, later, exec. */
  findPod(namespace: string, name: string): PodWorker | undefined {
    let found: PodWorker | undefined
    // a successor of the same name comes after the one that still ends
    for (const worker of this.#workers.values()) {
      if (worker.pod.metadata.namespace === namespace && worker.pod.metadata.name === name) found = worker
    }
    return found
  }

  get podCount(): number {
    return this.#workers.size
  }

  /** Adopts what runs, then works until the signal aborts. Containers are left running. @throws NodeNameTakenError */
  async run(signal: AbortSignal): Promise<void> {
    const { client, clock, log, random, runtime } = this.#options
    const probed = await runtime.probe()
    this.#problem = probed.ok ? undefined : probed.problems.map((problem) => `${problem.what}: ${problem.fix}`).join('; ')
    const events = new EventSink({ client, clock, random, log, metrics: this.#options.metrics, host: this.#options.node.name })
    const recorder = events.recorder('kubelet')
    for (const { what, fix } of probed.problems) {
      log.warn('node capability missing', { what, fix })
      const { name } = this.#options.node
      // as for all kubelets, events about a node have its name as uid
      recorder.event({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } }, 'Warning', 'MissingCapability', `${what}; ${fix}`)
    }
    const record = (pod: Pod, type: 'Normal' | 'Warning', reason: string, message: string): void =>
      recorder.event({ apiVersion: 'v1', kind: 'Pod', ...pod }, type, reason, message)
    const statuses = new StatusManager({ client, clock, log, signal })
    const resolve = this.#resolveDeps(probed.capabilities.mounts)
    if (this.#options.resolvConf && !probed.capabilities.mounts) log.warn("pods ask the node's resolvers: files cannot be mounted for them")
    const deps = this.#workerDeps({ resolve, record, statuses })

    if (await this.#services?.load()) this.#tellServices()
    else void this.#serviceInformer?.whenSynced(signal).then(this.#tellServices, () => {})
    await this.#recipes?.load()
    if (probed.ok) for (const found of await runtime.listPods()) this.#adopt(found, deps, signal)
    this.#tellAdopted()
    this.#options.metrics.gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox')
    this.#options.metrics.onRender(() =>
      this.#options.metrics.gauge('kubelet_running_pods', 'Number of pods that have a running pod sandbox').with().set(this.#workers.size),
    )
    this.#follow({ deps, statuses, volumes: resolve.volumes }, signal)
    this.#services?.onChange(() => this.#beside(this.#rewriteHosts(resolve), 'hosts files not written'))
    // a program that only waited for its recipe should not wait for its back-off
    this.#recipes?.onChange(() => {
      for (const worker of this.#workers.values()) worker.recipesChanged()
    })

    const registration = {
      client,
      clock,
      log,
      node: this.#options.node,
      problem: () => this.#problem ?? this.#options.network?.problem(),
      ...(this.#options.network ? { onProblemChange: this.#options.network.onChange } : {}),
      ...this.#packetReports(),
      ...(this.#options.heartbeatMs ? { heartbeatMs: this.#options.heartbeatMs } : {}),
      onRegistered: () => this.#beside(this.#tellWhenSettled(statuses, signal), 'not known whether all pods are told of'),
    }
    await Promise.all([
      events.run(signal),
      this.#podInformer.run(signal),
      this.#serviceInformer?.run(signal),
      this.#recipeInformer?.run(signal),
      this.#sweepDeleted(signal),
      probed.ok ? this.#hints(signal) : undefined,
      this.#relist(resolve.volumes, signal),
      runRegistration(registration, signal),
    ])
    await Promise.all([...this.#workers.values()].map((worker) => worker.stopped()))
    await Promise.all([...this.#background, this.#services?.settled(), this.#recipes?.settled()])
  }

  /** What a node with a packet plane says of it. */
  #packetReports(): Pick<RegistrationOptions, 'packets' | 'leaseAnnotations'> {
    const { network, applied = () => [] } = this.#options
    if (!network) return {}
    return {
      packets: () => ({ networkProblem: network.problem(), refusals: refusalsOf(applied()) }),
      leaseAnnotations: () => appliedAnnotations(applied()),
    }
  }

  #resolveDeps(mounts: boolean): ResolveDeps {
    const { client, clock, node, stateDir } = this.#options
    const cache = new ObjectCache({ client, clock, ...(stateDir ? { dir: join(stateDir, 'objects') } : {}) })
    const tokens = new TokenCache(client, clock)
    const sources = {
      configMap: (namespace: string, name: string) => cache.get(configMaps, namespace, name),
      secret: (namespace: string, name: string) => cache.get(secrets, namespace, name),
      serviceAccountToken: tokens.get.bind(tokens),
    }
    const hostIPs = node.addresses.filter((address) => address.type === 'InternalIP').map((address) => address.address)
    const { random, log, volumeOwner } = this.#options
    const facts = { hostIPs, allocatable: node.capacity }
    return {
      sources,
      volumes: new VolumeManager({ sources, clock, random, log, facts, ...(volumeOwner ? { owner: volumeOwner } : {}) }),
      recipes: () => [...(this.#recipes?.list() ?? []), ...(this.#options.builtinRecipes ?? [])],
      services: () => this.#services?.list() ?? [],
      hostIPs,
      allocatable: node.capacity,
      mounts,
      resolvConf: this.#options.resolvConf,
      clusterDomain: this.#options.clusterDomain ?? 'cluster.local',
      baseEnv: this.#options.baseEnv ?? {},
    }
  }

  #workerDeps(parts: {
    readonly resolve: ResolveDeps
    readonly record: PodWorkerDeps['record']
    readonly statuses: StatusManager
  }): PodWorkerDeps {
    const { runtime, clock, log, random } = this.#options
    const { resolve, record, statuses } = parts
    const prober = new Prober({ runtime, clock, random, record })
    const hooks = new HookRunner(runtime, clock)
    return {
      runtime,
      clock,
      log,
      hostIPs: resolve.hostIPs,
      protection: this.#options.protection,
      proxies: this.#options.proxies,
      prepareVolumes: (pod, sandbox) => (this.#options.hollow ? Promise.resolve() : resolve.volumes.prepare(pod, sandbox)),
      removeVolumes: (uid) => resolve.volumes.remove(uid),
      resolveContainer: (pod, sandbox, name, restartCount) =>
        this.#options.hollow ? hollowContainer(pod, name, restartCount) : resolveContainer(pod, { sandbox, name, restartCount }, resolve),
      probes: prober,
      runHook: (pod, call) => hooks.run(pod, call),
      record,
      publish: (pod, status) => statuses.publish(pod, status),
      released: (pod, status) => {
        const uid = pod.metadata.uid ?? ''
        this.#workers.delete(uid)
        if (this.#podInformer.lister.get(keyOf(pod))?.metadata.uid === uid) this.#released.add(uid)
        if (status) statuses.release(pod, status)
      },
    }
  }

  #adopt(found: RuntimePod, deps: PodWorkerDeps, signal: AbortSignal): void {
    const worker = new PodWorker(deps, found.pod, found)
    this.#workers.set(found.sandbox.podUid, worker)
    worker.start(signal)
  }

  #follow(
    parts: { readonly deps: PodWorkerDeps; readonly statuses: StatusManager; readonly volumes: VolumeManager },
    signal: AbortSignal,
  ): void {
    const { deps, statuses, volumes } = parts
    const upsert = (pod: Pod, previous?: Pod): void => {
      const uid = pod.metadata.uid ?? ''
      const known = this.#workers.get(uid)
      if (known) {
        known.update(pod)
        statuses.observe(pod)
        if (previous && metadataChanged(pod, previous)) this.#refreshVolumes(volumes, known)
        return
      }
      if (this.#released.has(uid)) return
      // finished before this agent came and nothing of it is left here: only a deletion needs work
      if (isTerminal(pod) && !pod.metadata.deletionTimestamp) return
      const worker = new PodWorker(deps, pod)
      this.#workers.set(uid, worker)
      worker.start(signal)
    }
    this.#podInformer.addHandler({
      add: upsert,
      update: upsert,
      delete: (pod) => {
        const uid = pod.metadata.uid ?? ''
        statuses.forget(uid)
        this.#released.delete(uid)
        this.#workers.get(uid)?.remove(pod)
      },
    })
  }

  async #tellWhenSettled(statuses: StatusManager, signal: AbortSignal): Promise<void> {
    await this.#podInformer.whenSynced(signal)
    await Promise.all([...this.#workers.values()].map((worker) => worker.spoken))
    await statuses.sent()
    if (!signal.aborted) this.#options.onRegistered?.()
  }

  /** Pods that were deleted while no agent ran: adopted, but unknown to a synced list. */
  async #sweepDeleted(signal: AbortSignal): Promise<void> {
    await this.#podInformer.whenSynced(signal).catch(() => {})
    if (signal.aborted) return
    const wanted = new Set(this.#podInformer.lister.list().map((pod) => pod.metadata.uid))
    for (const [uid, worker] of this.#workers) if (!wanted.has(uid)) worker.remove()
  }

  async #hints(signal: AbortSignal): Promise<void> {
    try {
      for await (const hint of this.#options.runtime.events(signal)) this.#workers.get(hint.podUid)?.nudge()
    } catch (error) {
      if (!signal.aborted) this.#options.log.warn('runtime events ended; relisting only', { error: messageOf(error) })
    }
  }

  async #relist(volumes: VolumeManager, signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      await sleep(this.#options.clock, this.#options.relistMs ?? 10_000, signal).catch(() => {})
      if (signal.aborted) return
      for (const [uid, worker] of this.#workers) {
        worker.nudge()
        if (volumes.isDue(uid)) this.#refreshVolumes(volumes, worker)
      }
    }
  }

  #refreshVolumes(volumes: VolumeManager, { pod, sandbox }: PodWorker): void {
    if (!sandbox || this.#options.hollow || isTerminal(pod) || pod.metadata.deletionTimestamp !== undefined) return
    this.#beside(volumes.refresh(pod, sandbox), 'volumes not refreshed')
  }

  /** Work that nobody waits for until the end. */
  #beside(work: Promise<void>, message: string): void {
    const logged = work.catch((error: unknown) => this.#options.log.debug(message, { error: messageOf(error) }))
    this.#background.add(logged)
    void logged.finally(() => this.#background.delete(logged))
  }

  async #rewriteHosts(resolve: ResolveDeps): Promise<void> {
    if (!resolve.mounts) return
    for (const worker of this.#workers.values()) {
      const sandbox = worker.sandbox
      if (sandbox)
        await writeHosts(worker.pod, sandbox, resolve).catch((error: unknown) =>
          this.#options.log.debug('hosts file not written', { error: messageOf(error) }),
        )
    }
  }
}

/** What the downward API shows of a running pod. */
const metadataChanged = ({ metadata: next }: Pod, { metadata: previous }: Pod): boolean =>
  !deepEqual(next.labels, previous.labels) || !deepEqual(next.annotations, previous.annotations)

/** A hollow node runs nothing, so nothing is looked up. */
async function hollowContainer(pod: Pod, name: string, restartCount: number): Promise<ResolvedContainer> {
  const spec = [...(pod.spec?.initContainers ?? []), ...(pod.spec?.containers ?? [])].find((container) => container.name === name)
  return { name, image: spec?.image ?? '', restartCount, command: ['hollow'], env: {}, mounts: [], limits: {} }
}
