import { isStatus } from '../../../base/errors.ts'
import type { Pod, ReplicaSet } from '../../../api/generated/types.ts'
import { replicaSets } from '../../../api/apps/v1/replica-set.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { isControlledBy, ownerReference } from '../../../api/meta/owner.ts'
import { labelSelectorMatcher } from '../../../api/meta/selector.ts'
import { podPhaseIsTerminal } from '../../../api/pod-status.ts'
import type { Client } from '../../../client/client.ts'

/**
 * The pods that belong to a set: its own that still match its selector (others are released), and matching orphans
 * (adopted). Source: kubernetes/pkg/controller PodControllerRefManager.
 */
export async function claimPods(
  set: ReplicaSet,
  candidates: { readonly owned: readonly Pod[]; readonly orphans: readonly Pod[] },
  client: Client,
  signal: AbortSignal,
): Promise<Pod[]> {
  const matches = labelSelectorMatcher(set.spec?.selector ?? {})
  const claimed: Pod[] = []
  for (const pod of candidates.owned) {
    if (!isControlledBy(pod, set)) continue
    if (matches(pod.metadata.labels ?? {})) claimed.push(pod)
    // a set on its way out lets go of nothing: the garbage collector decides about its pods
    else if (!set.metadata.deletionTimestamp) await release(pod, set, client, signal)
  }
  if (set.metadata.deletionTimestamp) return claimed
  let mayAdopt: boolean | undefined
  for (const pod of candidates.orphans) {
    if (pod.metadata.deletionTimestamp || podPhaseIsTerminal(pod.status?.phase) || !matches(pod.metadata.labels ?? {})) continue
    mayAdopt ??= await isStillThere(set, client, signal)
    const adopted = mayAdopt ? await adopt(pod, set, client, signal) : undefined
    if (adopted) claimed.push(adopted)
  }
  return claimed
}

/** The cache may be behind: a set that is being deleted must not adopt. */
async function isStillThere(set: ReplicaSet, client: Client, signal: AbortSignal): Promise<boolean> {
  try {
    const fresh = await client.of(replicaSets).get(set.metadata.name, { namespace: set.metadata.namespace, signal })
    return fresh.metadata.uid === set.metadata.uid && fresh.metadata.deletionTimestamp === undefined
  } catch (error) {
    if (isStatus(error, 'NotFound')) return false
    throw error
  }
}

async function adopt(pod: Pod, set: ReplicaSet, client: Client, signal: AbortSignal): Promise<Pod | undefined> {
  const reference = ownerReference(set, replicaSets, { controller: true, blockOwnerDeletion: true })
  return await patchOwners(pod, [...(pod.metadata.ownerReferences ?? []), reference], client, signal)
}

async function release(pod: Pod, set: ReplicaSet, client: Client, signal: AbortSignal): Promise<void> {
  await patchOwners(
    pod,
    (pod.metadata.ownerReferences ?? []).filter((owner) => owner.uid !== set.metadata.uid),
    client,
    signal,
  )
}

async function patchOwners(pod: Pod, ownerReferences: readonly unknown[], client: Client, signal: AbortSignal): Promise<Pod | undefined> {
  const { name, namespace, uid, resourceVersion } = pod.metadata
  try {
    return await client.of(pods).patch(name, { metadata: { uid, resourceVersion, ownerReferences } }, { type: 'merge', namespace, signal })
  } catch (error) {
    if (isStatus(error, 'NotFound', 'Conflict', 'Invalid')) return undefined
    throw error
  }
}
