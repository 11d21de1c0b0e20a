import { BUILT_IN_KINDS } from '../api/registry.ts'
import type { Client } from '../client/client.ts'
import type { Deployment, Pod, PodSpec, ReplicaSet, Service } from '../api/generated/types.ts'
import { deployments } from '../api/apps/v1/deployment.ts'
import { replicaSets } from '../api/apps/v1/replica-set.ts'
import { pods } from '../api/core/v1/pod.ts'
import type { Draft } from '../api/meta/object.ts'
import { FakeClock } from '../base/fake-clock.ts'
import { addControllers } from '../control-plane/controllers/index.ts'
import { addScheduler } from '../control-plane/scheduler/index.ts'
import { FakeKubelet, type FakeKubeletOptions } from './fake-kubelet.ts'
import { startTestCluster, type TestCluster } from './test-cluster.ts'

/** A cluster with all built-in controllers, the scheduler and fake nodes, on a clock that the test moves. */
export interface RunningCluster extends AsyncDisposable {
  readonly cluster: TestCluster
  readonly client: Client
  readonly clock: FakeClock
  readonly kubelet: FakeKubelet
  /** Moves time and lets everything settle. */
  advance(ms: number): Promise<void>
  /** Keys written while time moves on: everything but the heartbeats of nodes. */
  writes(ms: number): Promise<string[]>
  pods(): Promise<Pod[]>
  sets(): Promise<ReplicaSet[]>
  deployment(name: string): Promise<Deployment>
}

export async function startRunningCluster(
  options: Omit<FakeKubeletOptions, 'client' | 'clock'> & { readonly nodes?: readonly string[] } = {},
): Promise<RunningCluster> {
  const clock = new FakeClock()
  const cluster = await startTestCluster({ clock })
  const { client } = cluster
  const manager = cluster.manager()
  addControllers(manager, { kinds: BUILT_IN_KINDS, caPem: 'PEM' })
  addScheduler(manager, { random: () => 0.5 })
  const kubelet = new FakeKubelet({ client, clock, ...options })
  for (const name of options.nodes ?? ['n1']) await kubelet.addNode(name)
  const stop = new AbortController()
  const running = Promise.all([manager.run(stop.signal), kubelet.run(stop.signal)])
  const advance = async (ms: number): Promise<void> => {
    // in steps, because each hop through a watch takes turns of the event loop and no time
    for (let left = ms; left > 0; left -= 1_000) await clock.advance(Math.min(left, 1_000))
    for (let turn = 0; turn < 10; turn++) await clock.advance(0)
  }
  await advance(1_000)
  const writes = async (ms: number): Promise<string[]> => {
    const written: string[] = []
    const watch = cluster.store.watch('/registry/')
    const reading = (async () => {
      for await (const batch of watch) for (const event of batch.events) written.push(event.key)
    })()
    await clock.advance(ms)
    watch.close()
    await reading
    return written.filter((key) => !key.includes('/leases/kube-node-lease/'))
  }
  const namespace = 'default'
  return {
    cluster,
    client,
    clock,
    kubelet,
    advance,
    writes,
    pods: async () => (await client.of(pods).list({ namespace })).items,
    sets: async () => (await client.of(replicaSets).list({ namespace })).items,
    deployment: (name) => client.of(deployments).get(name, { namespace }),
    async [Symbol.asyncDispose]() {
      stop.abort(new Error('test ended'))
      await running
      await cluster.stop()
    },
  }
}

export const template = (image: string, spec: Partial<PodSpec> = {}): NonNullable<Deployment['spec']>['template'] => ({
  metadata: { labels: { app: 'web' } },
  spec: { containers: [{ name: 'c', image }], ...spec },
})

export function webDeployment(spec: Partial<NonNullable<Deployment['spec']>> = {}): Draft<Deployment> {
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { replicas: 3, selector: { matchLabels: { app: 'web' } }, template: template('v1'), ...spec },
  }
}

export function webService(spec: Partial<NonNullable<Service['spec']>> = {}): Draft<Service> {
  return {
    metadata: { name: 'web', namespace: 'default' },
    spec: { selector: { app: 'web' }, ports: [{ name: 'http', port: 80, targetPort: 8080 }], ...spec },
  }
}
