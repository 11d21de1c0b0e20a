import { StatusError } from '../../../base/errors.ts'
import type { Eviction, Pod, PodDisruptionBudget } from '../../../api/generated/types.ts'
import { cloneJson } from '../../../api/meta/clone.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import { isPodReady } from '../../../api/pod-status.ts'
import type { ServerResponse } from '../contract.ts'
import {
  badRequest,
  decodeKeyValue,
  deleteObject,
  forbidden,
  getObject,
  resourceOf,
  scanObjects,
  timestamp,
  updateObject,
  type Resource,
} from '../registry/index.ts'
import { decodeBody } from './body.ts'
import { writeRequestOf, type Call } from './call.ts'
import { asRecord, decodeObjectOf } from './decode-object.ts'
import { readDeleteOptions } from './delete-handlers.ts'
import { writeOptions } from './query-options.ts'
import { renderValue } from './render.ts'

const EVICTIONS = resourceOf({
  group: 'policy',
  version: 'v1',
  kind: 'Eviction',
  plural: 'evictions',
  namespaced: true,
  schema: 'io.k8s.api.policy.v1.Eviction',
})
/** Evictions that a budget may remember before its controller confirms them. Source: upstream MaxDisruptedPodSize. */
const MAX_DISRUPTED_PODS = 2000

/**
 * `POST pods/x/eviction`: a deletion that asks the pod's disruption budget first.
 * Source: k8s.io/kubernetes pkg/registry/core/pod/storage.EvictionREST.
 */
export async function evictionHandler(call: Call): Promise<ServerResponse> {
  const { dryRun: dryRunQuery, fieldValidation } = writeOptions(call.request, 'CreateOptions')
  const decoded = decodeBody(call.request)
  if (!decoded) throw badRequest('the request has no body: send the Eviction')
  const raw = asRecord(decoded.value, 'Eviction')
  const { warn } = writeRequestOf(call, dryRunQuery)
  const deleteOptions = asRecord(cloneJson(raw['deleteOptions'] ?? {}), 'DeleteOptions')
  const eviction = decodeObjectOf(EVICTIONS, decoded, { fieldValidation, warn }) as Eviction
  if (eviction.metadata.name && eviction.metadata.name !== call.name) {
    throw badRequest(`name in URL does not match name in Eviction object: ${call.name} and ${eviction.metadata.name}`)
  }
  const { options, dryRun } = readDeleteOptions({ request: { ...call.request, query: {} } }, deleteOptions)
  const request = { ...writeRequestOf(call, dryRun || dryRunQuery), subresource: '' }
  await takeFromBudget(call, request.dryRun)
  await deleteObject(call.context, request, options)
  return renderValue({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', code: 201 }, 201)
}

/** @throws {StatusError} `TooManyRequests`, cause `DisruptionBudget`, when the budget has nothing left */
async function takeFromBudget(call: Call, dryRun: boolean): Promise<void> {
  const { context, resource, namespace, name } = call
  const pod = decodeKeyValue(resource, await getObject(context.store, resource, { namespace, name })) as Pod
  if (isBeyondBudgets(pod)) return
  const budgets = context.resources.find('policy', 'v1', 'poddisruptionbudgets')
  if (!budgets) return
  const found = await budgetsOf(call, budgets, pod)
  if (found.length > 1) {
    throw new StatusError(
      'InternalError',
      'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.',
    )
  }
  const [budget] = found
  if (!budget) return
  const request = {
    ...writeRequestOf(call, dryRun),
    resource: budgets,
    name: budget.metadata.name,
    subresource: 'status',
    trusted: true,
  }
  const now = timestamp(context.clock.now())
  await updateObject(context, request, (current) => {
    const next = cloneJson(current) as PodDisruptionBudget
    if (!needsNoBudget(next, pod)) takeOne(next, pod, now)
    return next
  })
}

/** Pods that are over, or have not begun, disturb nobody. */
function isBeyondBudgets(pod: Pod): boolean {
  const phase = pod.status?.phase
  return phase === 'Succeeded' || phase === 'Failed' || phase === 'Pending' || pod.metadata.deletionTimestamp !== undefined
}

async function budgetsOf(call: Call, budgets: Resource, pod: Pod): Promise<readonly PodDisruptionBudget[]> {
  const found: PodDisruptionBudget[] = []
  const selection = {
    namespace: call.namespace,
    matches: (object: object) => labelSelectorMatcher((object as PodDisruptionBudget).spec?.selector)(pod.metadata.labels),
  }
  await scanObjects(call.context.store, budgets, { selection, limit: 0 }, (_, object) => void found.push(object as PodDisruptionBudget))
  return found
}

/** A pod that is not ready counts for nothing: its eviction takes nothing from the budget, if the policy or its health allows. */
function needsNoBudget(budget: PodDisruptionBudget, pod: Pod): boolean {
  if (isPodReady(pod)) return false
  if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow') return true
  const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {}
  return desiredHealthy > 0 && currentHealthy >= desiredHealthy
}

/** @throws {StatusError} when the budget does not allow one more disruption */
function takeOne(budget: PodDisruptionBudget, pod: Pod, now: string): void {
  const { name, generation = 0 } = budget.metadata
  const status = budget.status ?? {}
  if ((status.observedGeneration ?? 0) < generation) {
    throw tooManyRequests(`The disruption budget ${name} is still being processed by the server.`, 10)
  }
  const { disruptionsAllowed = 0, disruptedPods = {}, desiredHealthy = 0, currentHealthy = 0 } = status
  const refuse = (why: string): never => {
    throw forbidden({ group: 'policy', plural: 'poddisruptionbudgets' }, name, why)
  }
  if (disruptionsAllowed < 0) refuse('pdb disruptions allowed is negative')
  if (Object.keys(disruptedPods).length > MAX_DISRUPTED_PODS) {
    refuse('DisruptedPods map too big - too many evictions not confirmed by PDB controller')
  }
  if (disruptionsAllowed === 0) {
    throw tooManyRequests(`The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`)
  }
  // the controller takes the pod out again once it sees it gone
  budget.status = {
    ...status,
    disruptionsAllowed: disruptionsAllowed - 1,
    disruptedPods: { ...disruptedPods, [pod.metadata.name]: now },
  }
}

function tooManyRequests(why: string, retryAfterSeconds?: number): StatusError {
  const causes = [{ reason: 'DisruptionBudget', message: why }]
  const details = { causes, ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }) }
  return new StatusError('TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", { details })
}
