import { findCondition } from '../../../api/conditions.ts'
import type { Pod, Service } from '../../../api/generated/types.ts'
import { keyOf } from '../../../api/meta/object.ts'

/** On a slice: when that happened in the cluster for which it was last written. Nodes measure by it how long a change takes. */
export const TRIGGER_TIME = 'endpoints.kubernetes.io/last-change-trigger-time'

interface Change {
  readonly ready: string | undefined
  /** Seconds: two changes may have the same. */
  readonly time: string | undefined
}

interface Known {
  readonly service: string | undefined
  /** By uid. */
  readonly pods: ReadonlyMap<string, Change>
}

/**
 * Remembers when what a service's endpoints come from changed last, and tells the oldest change since the last look.
 * Source: k8s.io/endpointslice trigger_time_tracker.
 */
export class TriggerTimes {
  readonly #known = new Map<string, Known>()

  /** When the oldest of the changes happened (RFC 3339); undefined when nothing with a time has changed. */
  look(service: Service, pods: readonly Pod[]): string | undefined {
    const key = keyOf(service)
    const before = this.#known.get(key)
    const now: Known = {
      service: service.metadata.creationTimestamp,
      pods: new Map(pods.map((pod) => [pod.metadata.uid ?? pod.metadata.name, changeOf(pod)])),
    }
    this.#known.set(key, now)
    const times: string[] = []
    for (const [uid, { ready, time }] of now.pods) {
      const earlier = before?.pods.get(uid)
      if (time !== undefined && (ready !== earlier?.ready || time !== earlier?.time)) times.push(time)
    }
    if (now.service !== undefined && now.service !== before?.service) times.push(now.service)
    // all in the one form that the API has, so that they order as text; for a service that is new to us only the newest is news
    return times.length === 0 ? undefined : times.reduce((a, b) => (a < b === (before !== undefined) ? a : b))
  }

  forget(service: string): void {
    this.#known.delete(service)
  }
}

/** When a pod began or ceased to be ready. */
function changeOf({ metadata, status }: Pod): Change {
  const condition = findCondition(status?.conditions, 'Ready')
  return { ready: condition?.status, time: condition?.lastTransitionTime ?? metadata.creationTimestamp }
}
