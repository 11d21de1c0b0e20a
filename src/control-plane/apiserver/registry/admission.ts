import type { KubeObject } from '../../../api/meta/object.ts'
import type { Compare, Op } from '../../store/contract.ts'
import type { UserInfo } from '../contract.ts'
import type { Resource } from './resource.ts'

/** One write on its way in. */
export interface AdmissionRequest {
  readonly operation: 'CREATE' | 'UPDATE' | 'DELETE'
  readonly resource: Resource
  readonly namespace: string
  readonly name: string
  /** '' for the object itself. */
  readonly subresource: string
  readonly user: UserInfo
  /** Nothing will be stored: plugins must leave no trace either. */
  readonly dryRun: boolean
  /** The object as it will be validated and stored; plugins may change it. For DELETE the object that goes. */
  readonly object: KubeObject
  /** What is stored now, for UPDATE. Never change it. */
  readonly previous?: KubeObject
  /** Adds a `Warning` header to the answer. */
  readonly warn: (text: string) => void
}

/**
 * What a plugin wants done with the write it let through. `compares` and `writes` join the write's own transaction, so that
 * what a plugin allocates is stored if and only if the object is. When a compare of the plugin fails, the request is
 * admitted anew (a few times, then 409).
 */
export interface AdmissionOutcome {
  readonly compares?: readonly Compare[]
  readonly writes?: readonly Op[]
  /** The object has been stored. */
  readonly commit?: () => void
  /** The write failed, or was a dry run. */
  readonly rollback?: () => void
}

/**
 * Changes or refuses writes: runs after defaults and the strategy's prepare, before validation, in the order of the list.
 * @throws {StatusError} to refuse; mostly `forbidden(...)`
 */
export interface AdmissionPlugin {
  /** Upstream's where there is one, such as `ServiceAccount`. */
  readonly name: string
  /** Qualified plurals (`pods`, `deployments.apps`); absent: all. */
  readonly resources?: readonly string[]
  /** Default CREATE and UPDATE. */
  readonly operations?: readonly AdmissionRequest['operation'][]
  /** Subresources too. Default false: only writes to the object itself. */
  readonly subresources?: boolean
  admit(request: AdmissionRequest): Promise<AdmissionOutcome | void>
}

/** What all plugins together want. */
export interface Admission {
  readonly compares: readonly Compare[]
  readonly writes: readonly Op[]
  commit(): void
  rollback(): void
}

/** Runs the plugins that the request concerns. When one refuses, those before it are rolled back. */
export async function runAdmission(plugins: readonly AdmissionPlugin[], request: AdmissionRequest): Promise<Admission> {
  const outcomes: AdmissionOutcome[] = []
  try {
    for (const plugin of plugins) {
      if (!concerns(plugin, request)) continue
      const outcome = await plugin.admit(request)
      if (outcome) outcomes.push(outcome)
    }
  } catch (error) {
    rollbackAll(outcomes)
    throw error
  }
  if (outcomes.length === 0) return NOTHING
  return {
    compares: outcomes.flatMap((outcome) => outcome.compares ?? []),
    writes: outcomes.flatMap((outcome) => outcome.writes ?? []),
    commit: () => {
      for (const outcome of outcomes) outcome.commit?.()
    },
    rollback: () => rollbackAll(outcomes),
  }
}

const NOTHING: Admission = { compares: [], writes: [], commit: () => {}, rollback: () => {} }
const BY_DEFAULT: readonly AdmissionRequest['operation'][] = ['CREATE', 'UPDATE']

function concerns(plugin: AdmissionPlugin, request: AdmissionRequest): boolean {
  if (request.subresource !== '' && !plugin.subresources) return false
  if (!(plugin.operations ?? BY_DEFAULT).includes(request.operation)) return false
  const { group, plural } = request.resource
  return plugin.resources?.includes(group === '' ? plural : `${plural}.${group}`) ?? true
}

function rollbackAll(outcomes: readonly AdmissionOutcome[]): void {
  for (const outcome of outcomes.toReversed()) outcome.rollback?.()
}
