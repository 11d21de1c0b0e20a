import type { PodStatus } from '../../../api/generated/types.ts'

const OWN_CONDITIONS = new Set(['PodReadyToStartContainers', 'Initialized', 'Ready', 'ContainersReady', 'PodScheduled'])

/** Whether the node decides about a pod condition of this type; all others are left alone. */
export const isOwnCondition = (type: string): boolean => OWN_CONDITIONS.has(type)

/** Our own status is newer than the one that came back, but for what we never write. */
export function mergeStatus(server: PodStatus | undefined, own: PodStatus | undefined): PodStatus {
  if (!own?.phase) return server ?? {}
  const ours = (own.conditions ?? []).filter((condition) => isOwnCondition(condition.type))
  const foreign = (server?.conditions ?? []).filter((condition) => !isOwnCondition(condition.type))
  const { qosClass = own.qosClass, nominatedNodeName, resourceClaimStatuses } = server ?? {}
  return {
    ...own,
    ...(qosClass ? { qosClass } : {}),
    ...(nominatedNodeName ? { nominatedNodeName } : {}),
    ...(resourceClaimStatuses ? { resourceClaimStatuses } : {}),
    conditions: [...ours, ...foreign],
  }
}

/**
 * The status to go on from after an adoption: what was published last, for its start and transition times. The copy on
 * disk may be older, but a pod that it says is over is over.
 */
export function adoptStatus(server: PodStatus | undefined, recorded: PodStatus | undefined): PodStatus {
  const over = recorded?.phase === 'Succeeded' || recorded?.phase === 'Failed'
  return over || !server?.startTime ? mergeStatus(server, recorded) : server
}
