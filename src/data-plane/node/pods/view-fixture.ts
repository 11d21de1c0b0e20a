import type { Container, Pod, PodStatus } from '../../../api/generated/types.ts'
import type { ContainerStatus } from '../runtime.ts'
import { containerRoles, type ContainerView, type PodView } from './pod-view.ts'

/** Short forms of pods and views for tests. */

export const START_MS: number = Date.UTC(2026, 0, 1)

export interface PodParts {
  readonly init?: readonly Container[]
  readonly main?: readonly Container[]
  readonly restartPolicy?: string
  readonly spec?: Partial<NonNullable<Pod['spec']>>
  readonly metadata?: Partial<Pod['metadata']>
  readonly status?: PodStatus
}

export const container = (name: string, more: Partial<Container> = {}): Container => ({ name, image: 'host', ...more })
export const sidecar = (name: string): Container => container(name, { restartPolicy: 'Always' })

export function podOf({ init = [], main = [container('main')], restartPolicy, spec, metadata, status }: PodParts = {}): Pod {
  return {
    metadata: { name: 'web', namespace: 'default', uid: 'u1', ...metadata },
    spec: {
      containers: [...main],
      ...(init.length > 0 ? { initContainers: [...init] } : {}),
      ...(restartPolicy ? { restartPolicy } : {}),
      ...spec,
    },
    ...(status ? { status } : {}),
  }
}

/** `running`, `created`, `exited:<code>`, or nothing; the restart count may follow after `#`. */
export function statusOf(name: string, text: string): ContainerStatus {
  const [, state, code, restart] = /^(\w+)(?::(\d+))?(?:#(\d+))?$/.exec(text) as unknown as [
    string,
    ContainerStatus['state'],
    string,
    string,
  ]
  const restartCount = Number(restart ?? 0)
  const base = { id: `u1/${name}/${restartCount}`, podUid: 'u1', name, restartCount, image: 'host', createdAtMs: START_MS }
  if (state === 'created') return { ...base, state }
  if (state === 'running') return { ...base, state, startedAtMs: START_MS }
  const exitCode = Number(code ?? 0)
  return { ...base, state, startedAtMs: START_MS, finishedAtMs: START_MS + 1000, exitCode, reason: exitCode === 0 ? 'Completed' : 'Error' }
}

export interface ViewParts extends PodParts {
  /** State of containers by name; those not named never started. */
  readonly states?: Readonly<Record<string, string>>
  readonly containers?: Readonly<Record<string, Partial<ContainerView>>>
  readonly view?: Partial<PodView>
}

/** Running containers are started and ready unless told otherwise. */
export function viewOf({ states = {}, containers = {}, view = {}, ...parts }: ViewParts = {}): PodView {
  const pod = podOf(parts)
  return {
    pod,
    containers: containerRoles(pod).map(({ spec, role }): ContainerView => {
      const text = states[spec.name]
      const current = text === undefined ? undefined : statusOf(spec.name, text)
      const up = current?.state === 'running'
      const base: ContainerView = { name: spec.name, role, spec, ...(current ? { current } : {}), started: up, ready: up }
      return { ...base, ...containers[spec.name] }
    }),
    sandboxReady: true,
    nowMs: START_MS,
    monotonicMs: 0,
    terminating: false,
    ...view,
  }
}
