import { isStatus, StatusError } from '../../../base/errors.ts'
import type { Deployment, Pod, ReplicaSet } from '../../../api/generated/types.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { podTemplateHash } from '../../../api/meta/hash.ts'
import { controllerOf, isControlledBy, ownerReference } from '../../../api/meta/owner.ts'
import { podPhaseIsTerminal } from '../../../api/pod-status.ts'
import type { Informer } from '../../../client/cache.ts'
import {
  terminal,
  watchOf,
  type EventRecorder,
  type Manager,
  type Reconciler,
  type Request,
  type Result,
} from '../../../controller/contract.ts'
import { ownedBy } from '../../../controller/mappers.ts'
import { isNamespaceTerminating } from '../namespace-terminating.ts'
import { claimSets } from './claim-sets.ts'
import { deploymentStatus, isComplete, progressDeadlineInMs, type StatusInput } from './deployment-status.ts'
import { fenceposts, planRecreate, planRollingUpdate, planScale, type Sizes } from './plan-rollout.ts'
import {
  DESIRED_REPLICAS,
  findNewSet,
  MAX_REPLICAS,
  replicasOf,
  REVISION,
  revisionOf,
  setAnnotations,
  setsToForget,
  TEMPLATE_HASH,
} from './revisions.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'

/** Rolls every Deployment out through ReplicaSets. Source: kubernetes/pkg/controller/deployment. */
export function addDeploymentController(manager: Manager): void {
  const informers = {
    deployments: manager.informers.informer(deployments),
    sets: manager.informers.informer(replicaSets),
    pods: manager.informers.informer(pods),
  }
  manager.addController({
    name: 'deployment',
    concurrency: 8,
    watches: [
      watchOf(deployments),
      watchOf(replicaSets, ownedBy(deployments)),
      // Recreate waits for the last old pod: only deletions matter
      watchOf(
        pods,
        (pod) => deploymentOf(pod, informers.sets),
        (_pod, previous) => previous === undefined,
      ),
    ],
    reconciler: new DeploymentReconciler(manager, informers),
  })
}

function deploymentOf(pod: Pod, sets: Informer<ReplicaSet>): Request[] {
  const owner = controllerOf(pod)
  const set = owner?.kind === 'ReplicaSet' ? sets.lister.get(`${pod.metadata.namespace}/${owner.name}`) : undefined
  const deployment = set && controllerOf(set)
  return deployment?.kind === 'Deployment' ? [{ namespace: pod.metadata.namespace ?? '', name: deployment.name }] : []
}

interface Informers {
  readonly deployments: Informer<Deployment>
  readonly sets: Informer<ReplicaSet>
  readonly pods: Informer<Pod>
}

interface Round {
  readonly deployment: Deployment
  readonly sets: readonly ReplicaSet[]
  readonly signal: AbortSignal
}

class DeploymentReconciler implements Reconciler {
  readonly #manager: Manager
  readonly #informers: Informers
  readonly #recorder: EventRecorder

  constructor(manager: Manager, informers: Informers) {
    this.#manager = manager
    this.#informers = informers
    this.#recorder = manager.recorder('deployment-controller')
  }

  async reconcile(request: Request, signal: AbortSignal): Promise<Result> {
    const deployment = this.#informers.deployments.lister.get(`${request.namespace}/${request.name}`)
    if (!deployment) return {}
    const sets = await claimSets(deployment, this.#informers.sets.lister.list(request.namespace), this.#manager.client, signal)
    const round: Round = { deployment, sets, signal }
    if (deployment.metadata.deletionTimestamp) {
      const newSet = findNewSet(deployment, sets)
      return await this.#finish(round, { sets, ...(newSet ? { newSet } : {}) })
    }
    return this.#isScaling(deployment, sets) || deployment.spec?.paused ? await this.#scaleOnly(round) : await this.#rollOut(round)
  }

  /** Sizes follow `spec.replicas` without a new set being made. */
  async #scaleOnly(round: Round): Promise<Result> {
    const newSet = findNewSet(round.deployment, round.sets)
    const sets = await this.#resize(round, planScale(round.deployment, newSet, oldOf(round.sets, newSet)), true)
    const current = sets.find((set) => set.metadata.uid === newSet?.metadata.uid)
    return await this.#finish(round, { sets, ...(current ? { newSet: current } : {}) })
  }

  async #rollOut(round: Round): Promise<Result> {
    const { deployment } = round
    const recreate = deployment.spec?.strategy?.type === 'Recreate'
    const known = findNewSet(deployment, round.sets)
    const oldGone = !recreate || this.#oldPodsGone(round, known)
    // Recreate makes the new set only after the last old pod has gone
    if (recreate && !known && (oldOf(round.sets, known).some((set) => replicasOf(set) > 0) || !oldGone)) {
      const sets = await this.#resize(round, planRecreate(deployment, undefined, round.sets, false))
      return await this.#finish(round, { sets })
    }
    const { newSet, rolled, collisionCount, createError } = await this.#ensureNewSet(round, known)
    if (createError) {
      await this.#finish(round, { sets: round.sets, createError: createError.message })
      throw createError
    }
    if (!newSet) return await this.#finish(round, { sets: round.sets, ...(collisionCount === undefined ? {} : { collisionCount }) })
    const all = [...oldOf(round.sets, newSet), newSet]
    const old = oldOf(all, newSet)
    const plan = recreate ? planRecreate(deployment, newSet, old, oldGone) : planRollingUpdate(deployment, newSet, old)
    const sets = await this.#resize({ ...round, sets: all }, plan)
    const current = sets.find((set) => set.metadata.uid === newSet.metadata.uid) ?? newSet
    return await this.#finish(round, { sets, newSet: current, ...(rolled ? { rolled } : {}) })
  }

  async #ensureNewSet(
    round: Round,
    known: ReplicaSet | undefined,
  ): Promise<{ newSet?: ReplicaSet; rolled?: NonNullable<StatusInput['rolled']>; collisionCount?: number; createError?: Error }> {
    const { deployment, sets, signal } = round
    const revision = Math.max(0, ...oldOf(sets, known).map(revisionOf)) + 1
    if (known) {
      const newSet = await this.#annotate(deployment, known, revision, signal)
      const first = !deployment.status?.conditions?.some((condition) => condition.type === 'Progressing')
      return { newSet, ...(first ? { rolled: { reason: 'FoundNewReplicaSet', name: newSet.metadata.name } } : {}) }
    }
    const draft = this.#newSet(deployment, sets, revision)
    try {
      const newSet = await this.#manager.client.of(replicaSets).create(draft, { namespace: deployment.metadata.namespace, signal })
      await this.#setRevision(deployment, newSet, signal)
      this.#recorder.event(
        withKind(deployment),
        'Normal',
        'ScalingReplicaSet',
        `Scaled up replica set ${newSet.metadata.name} from 0 to ${replicasOf(newSet)}`,
      )
      return { newSet, rolled: { reason: 'NewReplicaSetCreated', name: newSet.metadata.name } }
    } catch (error) {
      if (!isStatus(error, 'AlreadyExists')) return { createError: this.#notCreated(deployment, draft.metadata.name, error) }
      const existing = await this.#manager.client
        .of(replicaSets)
        .get(draft.metadata.name, { namespace: deployment.metadata.namespace, signal })
      // ours, only the cache did not show it yet; else another template has this hash
      if (isControlledBy(existing, deployment) && findNewSet(deployment, [existing])) return { newSet: existing }
      return { collisionCount: (deployment.status?.collisionCount ?? 0) + 1 }
    }
  }

  /** @throws what says nothing about the deployment: its namespace goes away, or everything ends */
  #notCreated(deployment: Deployment, name: string, error: unknown): Error {
    if (isNamespaceTerminating(error)) throw terminal(error)
    if (!(error instanceof StatusError)) throw error
    const message = `Failed to create new replica set "${name}": ${error.message}`
    this.#recorder.event(withKind(deployment), 'Warning', 'ReplicaSetCreateError', message)
    return new Error(message, { cause: error })
  }

  #newSet(deployment: Deployment, sets: readonly ReplicaSet[], revision: number): ReplicaSet {
    const template = deployment.spec?.template
    const hash = podTemplateHash(template, deployment.status?.collisionCount)
    const labels = { ...template?.metadata?.labels, [TEMPLATE_HASH]: hash }
    const selector = deployment.spec?.selector
    const draft: ReplicaSet = {
      metadata: {
        name: `${deployment.metadata.name}-${hash}`,
        ...(deployment.metadata.namespace ? { namespace: deployment.metadata.namespace } : {}),
        labels,
        annotations: setAnnotations(deployment, undefined, revision),
        ownerReferences: [ownerReference(deployment, deployments, { controller: true, blockOwnerDeletion: true })],
      },
      spec: {
        replicas: 0,
        minReadySeconds: deployment.spec?.minReadySeconds,
        selector: { ...selector, matchLabels: { ...selector?.matchLabels, [TEMPLATE_HASH]: hash } },
        template: { ...template, metadata: { ...template?.metadata, labels } },
      },
    }
    const recreate = deployment.spec?.strategy?.type === 'Recreate'
    const size = recreate
      ? replicasOf(deployment)
      : (planRollingUpdate(deployment, draft, oldOf(sets, undefined)).get(draft.metadata.name) ?? 0)
    return {
      ...draft,
      metadata: { ...draft.metadata, annotations: { ...draft.metadata.annotations, ...sizeAnnotations(deployment) } },
      spec: { ...draft.spec, replicas: size, selector: draft.spec?.selector ?? {} },
    }
  }

  async #annotate(deployment: Deployment, set: ReplicaSet, revision: number, signal: AbortSignal): Promise<ReplicaSet> {
    const annotations = setAnnotations(deployment, set, revision)
    const minReadySeconds = deployment.spec?.minReadySeconds ?? 0
    let newSet = set
    if (!deepEqual(annotations, set.metadata.annotations ?? {}) || (set.spec?.minReadySeconds ?? 0) !== minReadySeconds) {
      newSet = await this.#manager.client.of(replicaSets).update(
        {
          ...set,
          metadata: { ...set.metadata, annotations },
          spec: { ...set.spec, minReadySeconds, selector: set.spec?.selector ?? {} },
        },
        { signal },
      )
    }
    await this.#setRevision(deployment, newSet, signal)
    return newSet
  }

  async #setRevision(deployment: Deployment, set: ReplicaSet, signal: AbortSignal): Promise<void> {
    const revision = String(revisionOf(set))
    if (deployment.metadata.annotations?.[REVISION] === revision) return
    const { name, namespace } = deployment.metadata
    await this.#manager.client
      .of(deployments)
      .patch(name, { metadata: { annotations: { [REVISION]: revision } } }, { type: 'merge', namespace, signal })
  }

  /** @param allMarked record the sizes on every set, also on those that keep theirs */
  async #resize(round: Round, sizes: Sizes, allMarked = false): Promise<ReplicaSet[]> {
    const { deployment, sets, signal } = round
    const marks = sizeAnnotations(deployment)
    return await Promise.all(
      sets.map(async (set) => {
        const size = sizes.get(set.metadata.name)
        const marked = Object.entries(marks).every(([key, value]) => set.metadata.annotations?.[key] === value)
        if (size === undefined && (marked || !allMarked || replicasOf(set) === 0)) return set
        const replicas = size ?? replicasOf(set)
        const next = {
          ...set,
          metadata: { ...set.metadata, annotations: { ...set.metadata.annotations, ...marks } },
          spec: { ...set.spec, replicas, selector: set.spec?.selector ?? {} },
        }
        const updated = await this.#manager.client.of(replicaSets).update(next, { signal })
        if (replicas !== replicasOf(set)) {
          const verb = replicas > replicasOf(set) ? 'up' : 'down'
          this.#recorder.event(
            withKind(deployment),
            'Normal',
            'ScalingReplicaSet',
            `Scaled ${verb} replica set ${set.metadata.name} from ${replicasOf(set)} to ${replicas}`,
          )
        }
        return updated
      }),
    )
  }

  async #finish(round: Round, input: Omit<StatusInput, 'nowMs'>): Promise<Result> {
    const { deployment, signal } = round
    const nowMs = this.#manager.clock.now()
    const status = deploymentStatus(deployment, { ...input, nowMs })
    if (!deployment.metadata.deletionTimestamp && (deployment.spec?.paused || isComplete(deployment, status)))
      await this.#forget(deployment, oldOf(input.sets, input.newSet), signal)
    if (!deepEqual(status, deployment.status)) {
      const { name, namespace, uid } = deployment.metadata
      // a merge patch, because our own revision annotation has moved the resourceVersion
      await this.#manager.client
        .of(deployments)
        .patch(name, { metadata: { uid }, status }, { type: 'merge', namespace, subresource: 'status', signal })
        .catch(ignoreGone)
    }
    const requeueAfterMs = progressDeadlineInMs(deployment, status, nowMs)
    return requeueAfterMs === undefined ? {} : { requeueAfterMs }
  }

  async #forget(deployment: Deployment, oldSets: readonly ReplicaSet[], signal: AbortSignal): Promise<void> {
    for (const set of setsToForget(deployment, oldSets)) {
      await this.#manager.client
        .of(replicaSets)
        .delete(set.metadata.name, { namespace: set.metadata.namespace, preconditions: { uid: set.metadata.uid ?? '' }, signal })
        .catch(ignoreGone)
    }
  }

  /** `spec.replicas` differs from what active sets were last sized for. */
  #isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
    return sets.some((set) => {
      const desired = set.metadata.annotations?.[DESIRED_REPLICAS]
      return replicasOf(set) > 0 && desired !== undefined && Number(desired) !== replicasOf(deployment)
    })
  }

  #oldPodsGone(round: Round, newSet: ReplicaSet | undefined): boolean {
    const old = new Set(oldOf(round.sets, newSet).map((set) => set.metadata.uid))
    return !this.#informers.pods.lister
      .list(round.deployment.metadata.namespace)
      .some((pod) => old.has(controllerOf(pod)?.uid) && !podPhaseIsTerminal(pod.status?.phase))
  }
}

const oldOf = (sets: readonly ReplicaSet[], newSet: ReplicaSet | undefined): ReplicaSet[] =>
  sets.filter((set) => set.metadata.uid !== newSet?.metadata.uid)

function sizeAnnotations(deployment: Deployment): Record<string, string> {
  return {
    [DESIRED_REPLICAS]: String(replicasOf(deployment)),
    [MAX_REPLICAS]: String(replicasOf(deployment) + fenceposts(deployment).maxSurge),
  }
}

const withKind = (deployment: Deployment): Deployment => ({ apiVersion: 'apps/v1', kind: 'Deployment', ...deployment })
