import type { Pod } from '../../../api/generated/types.ts'

/** What the next agent must not forget of a pod: that it is over, ready, or being deleted, and since when. Equal text: nothing to write. */
export function lastingState({ metadata, status }: Pod): string {
  const ready = status?.conditions?.find((condition) => condition.type === 'Ready')?.status
  return JSON.stringify([status?.phase, ready, metadata.deletionTimestamp, metadata.generation])
}
