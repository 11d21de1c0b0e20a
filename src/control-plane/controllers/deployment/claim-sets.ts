import { isStatus } from '../../../base/errors.ts'
import type { Deployment, OwnerReference, ReplicaSet } from '../../../api/generated/types.ts'
import { deployments } from '../../../api/apps/v1/deployment.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { controllerOf, isControlledBy, ownerReference } from '../../../api/meta/owner.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import type { Client } from '../../../client/client.ts'

/**
 * The sets that belong to a deployment: its own that still match its selector (others are released), and matching
 * orphans (adopted). Source: kubernetes/pkg/controller ReplicaSetControllerRefManager.
 */
export async function claimSets(
  deployment: Deployment,
  candidates: readonly ReplicaSet[],
  client: Client,
  signal: AbortSignal,
): Promise<ReplicaSet[]> {
  const matches = labelSelectorMatcher(deployment.spec?.selector ?? {})
  const going = deployment.metadata.deletionTimestamp !== undefined
  const claimed: ReplicaSet[] = []
  let mayAdopt: boolean | undefined
  for (const set of candidates) {
    const selected = matches(set.metadata.labels ?? {})
    if (isControlledBy(set, deployment)) {
      if (selected) claimed.push(set)
      else if (!going) await setOwners(set, others(set, deployment), client, signal)
    } else if (selected && !going && !controllerOf(set) && !set.metadata.deletionTimestamp) {
      mayAdopt ??= await isStillThere(deployment, client, signal)
      if (!mayAdopt) continue
      const owner = ownerReference(deployment, deployments, { controller: true, blockOwnerDeletion: true })
      const adopted = await setOwners(set, [...(set.metadata.ownerReferences ?? []), owner], client, signal)
      if (adopted) claimed.push(adopted)
    }
  }
  return claimed
}

/** The cache may be behind: a deployment that is being deleted must not adopt. */
async function isStillThere(deployment: Deployment, client: Client, signal: AbortSignal): Promise<boolean> {
  try {
    const { metadata } = await client.of(deployments).get(deployment.metadata.name, { namespace: deployment.metadata.namespace, signal })
    return metadata.uid === deployment.metadata.uid && metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false
    throw error
  }
}

const others = (set: ReplicaSet, deployment: Deployment): OwnerReference[] =>
  (set.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== deployment.metadata.uid)

async function setOwners(
  set: ReplicaSet,
  ownerReferences: readonly OwnerReference[],
  client: Client,
  signal: AbortSignal,
): Promise<ReplicaSet | undefined> {
  const { name, namespace, uid, resourceVersion } = set.metadata
  try {
    const patch = { metadata: { uid, resourceVersion, ownerReferences } }
    return await client.of(replicaSets).patch(name, patch, { type: 'merge', namespace, signal })
  } catch (error) {
    if (isStatus(error, 'NotFound', 'Conflict', 'Invalid')) return undefined
    throw error
  }
}
