import type { Random } from '../../../base/backoff.ts'
import type { Clock } from '../../../base/clock.ts'
import type { StrategyContext } from '../../../api/kind.ts'
import type { KubeObject } from '../../../api/meta/object.ts'
import type { Store } from '../../store/contract.ts'
import type { UserInfo } from '../contract.ts'
import type { AdmissionPlugin } from './admission.ts'
import type { LeaseBundles } from './lease-bundles.ts'
import type { NamespaceGate } from './namespace-gate.ts'
import type { Resource } from './resource.ts'

/** What every operation on objects works with. */
export interface RegistryContext {
  readonly store: Store
  readonly clock: Clock
  readonly random: Random
  /** A random UUID. */
  readonly uuid: () => string
  readonly admission: readonly AdmissionPlugin[]
  readonly leases: LeaseBundles
  /** Undefined where the server has no namespaces. */
  readonly namespaces: NamespaceGate | undefined
}

/** One write and who asks for it. */
export interface WriteRequest {
  readonly resource: Resource
  /** '' for cluster-scoped kinds. */
  readonly namespace: string
  /** '' for a create. */
  readonly name: string
  readonly subresource: string
  readonly user: UserInfo
  /** All but the write itself. */
  readonly dryRun: boolean
  /** The change is the server's own (a binding): the kind's rules for changes by clients are not asked. Default false. */
  readonly trusted?: boolean
  /** Adds a `Warning` header to the answer. */
  readonly warn: (text: string) => void
}

/** An object as it was read from or written to the store. */
export interface StoredObject {
  readonly resource: Resource
  readonly value: Uint8Array
  /** Undefined for an object that a dry run did not store. */
  readonly revision: bigint | undefined
  /** Parsed, resourceVersion included. Belongs to whoever holds the StoredObject. */
  readonly object: KubeObject
}

export function strategyContext(context: RegistryContext, request: WriteRequest): StrategyContext {
  const { user, subresource } = request
  return { nowMs: context.clock.now(), user: user.name, groups: user.groups, subresource, uid: context.uuid }
}
