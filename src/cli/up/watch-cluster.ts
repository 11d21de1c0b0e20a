import { isConditionTrue } from '../../api/conditions.ts'
import type { Pod, Service } from '../../api/generated/types.ts'
import { daemonSets } from '../../api/apps/v1/daemon-set.ts'
import { deployments } from '../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../api/apps/v1/replica-set.ts'
import { statefulSets } from '../../api/apps/v1/stateful-set.ts'
import { nodes } from '../../api/core/v1/node.ts'
import { pods } from '../../api/core/v1/pod.ts'
import { services } from '../../api/core/v1/service.ts'
import type { Timer } from '../../base/clock.ts'
import { silentLogger } from '../../base/log.ts'
import { createInformerFactory } from '../../client/informer-factory.ts'
import type { Session } from '../connect.ts'
import type { CliContext } from '../context.ts'
import type { ProgressView } from './progress-view.ts'
import { planWorkloadSteps, type Workloads } from './workload-steps.ts'

export interface ClusterWatch {
  /** Resolves when the node is Ready and every workload named (`deployment/default/web`) is. */
  whenReady(ids: readonly string[], signal: AbortSignal): Promise<void>
  /** Steps of workloads that are not ready, as text. */
  notReady(ids: readonly string[]): readonly string[]
  services(): readonly Service[]
  run(signal: AbortSignal): Promise<void>
}

const SETTLE_MS = 50

/**
 * Follows nodes, workloads and pods, and shows them as steps; restarts and replaced pods as notes.
 * @param options `joined` resolves when the API speaks of this life of the node: what an earlier one left there is not shown
 */
export function watchCluster(
  context: CliContext,
  session: Session,
  options: { readonly view: ProgressView; readonly nodeName: string; readonly joined: Promise<void> },
): ClusterWatch {
  const { clock, random } = context
  const { view, nodeName } = options
  const factory = createInformerFactory({ client: session.client, clock, random, log: silentLogger })
  const informers = {
    deployments: factory.informer(deployments),
    statefulSets: factory.informer(statefulSets),
    daemonSets: factory.informer(daemonSets),
    replicaSets: factory.informer(replicaSets),
    pods: factory.informer(pods),
  }
  const nodeInformer = factory.informer(nodes)
  const serviceInformer = factory.informer(services)
  const shown = new Map<string, string>()
  const waiting = new Set<() => void>()
  let isJoined = false
  let nodeReady = false
  let timer: Timer | undefined

  const refresh = (): void => {
    timer = undefined
    if (!isJoined) return
    const node = nodeInformer.lister.get(nodeName)
    nodeReady = isConditionTrue(node?.status?.conditions, 'Ready')
    if (node)
      view.step({
        id: 'node',
        title: `node ${nodeName}`,
        detail: nodeReady ? 'Ready (process runtime)' : 'NotReady',
        state: nodeReady ? 'done' : 'working',
      })
    const steps = planWorkloadSteps(listAll(informers))
    for (const step of steps) {
      view.step(step)
      shown.set(step.id, step.state === 'done' ? '' : `${step.title} ${step.detail}`)
    }
    const present = new Set(steps.map((step) => step.id))
    for (const id of shown.keys()) {
      if (present.has(id)) continue
      shown.delete(id)
      view.forget(id)
    }
    for (const check of waiting) check()
  }
  const changed = (): void => {
    timer ??= clock.after(SETTLE_MS, refresh)
  }
  for (const informer of [...Object.values(informers), nodeInformer])
    informer.addHandler({ add: changed, update: changed, delete: changed })
  void options.joined.then(() => {
    isJoined = true
    changed()
  })
  informers.pods.addHandler({ update: (next, previous) => noteRestarts(view, next, previous) })

  const notReady = (ids: readonly string[]): readonly string[] => [
    ...(nodeReady ? [] : [`node ${nodeName} is not Ready`]),
    ...ids.flatMap((id) => {
      const state = shown.get(id)
      return state === '' ? [] : [state ?? `${id} does not exist`]
    }),
  ]
  return {
    notReady,
    services: () => serviceInformer.lister.list(),
    run: (signal) => factory.run(signal),
    whenReady: (ids, signal) =>
      new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason as Error)
        const finish = (settle: () => void) => (): void => {
          waiting.delete(check)
          settle()
        }
        const check = (): void => {
          if (notReady(ids).length === 0) finish(resolve)()
        }
        waiting.add(check)
        signal.addEventListener(
          'abort',
          finish(() => reject(signal.reason as Error)),
          { once: true },
        )
        check()
      }),
  }
}

function listAll(informers: { readonly [K in keyof Workloads]: { readonly lister: { list(): Workloads[K] } } }): Workloads {
  return {
    deployments: informers.deployments.lister.list(),
    statefulSets: informers.statefulSets.lister.list(),
    daemonSets: informers.daemonSets.lister.list(),
    replicaSets: informers.replicaSets.lister.list(),
    pods: informers.pods.lister.list(),
  }
}

function noteRestarts(view: ProgressView, next: Pod, previous: Pod): void {
  for (const status of next.status?.containerStatuses ?? []) {
    const before = previous.status?.containerStatuses?.find(({ name }) => name === status.name)
    if (!before || status.restartCount <= before.restartCount) continue
    const last = status.lastState?.terminated
    const how = last ? ` after ${last.reason ?? 'Error'} (exit code ${last.exitCode})` : ''
    view.note(`pod ${next.metadata.namespace}/${next.metadata.name}: container ${status.name} restarted${how}`)
  }
}
