/**
 * Public API `biplane/client`: talk to a Kubernetes API, biplane's or another.
 *
 * Way in: a `Transport` carries requests (`createHttpsTransport` with what `accessOf` finds in a kubeconfig; inside one process
 * the API server offers its own). `createClient(transport)` turns it into verbs on kinds:
 * `client.of(pods).get('web', { namespace: 'default' })`. Kinds come from `biplane` (`pods`, `deployments`, ...), from your
 * own `defineKind`, or from the server itself (`createDiscovery`).
 *
 * To act on what happens, do not poll: `createInformerFactory(...).informer(pods)` keeps a local copy by list and
 * watch (runReflector: resumes, lists again when the revision has expired), read through its `lister`, with handlers for
 * changes. `runAsLeader` lets one of several processes do the work. `retryOnConflict` repeats optimistic writes.
 *
 * Errors of the API are `StatusError`: match with `isStatus(error, 'NotFound')`.
 */
export type { ApiRequest, ApiResponse, Transport } from './transport.ts'
export type { Client, DeleteOptions, ListOptions, PatchType, ReadOptions, ResourceClient, WatchOptions, WriteOptions } from './client.ts'
export type { EventHandler, IndexFunction, Informer, InformerFactory, InformerOptions, Lister } from './cache.ts'
export { createHttpsTransport, type HttpsTransportOptions, type ServerAccess } from './https-transport.ts'
export { TransportError, type TransportErrorCode } from './transport-error.ts'
export {
  KubeconfigError,
  mergeKubeconfigs,
  parseKubeconfig,
  type Kubeconfig,
  type KubeconfigCluster,
  type KubeconfigContext,
  type KubeconfigUser,
} from './kubeconfig.ts'
export {
  accessOf,
  inClusterAccess,
  kubeconfigPaths,
  loadKubeconfig,
  tokenFrom,
  type AccessSources,
  type ContextAccess,
} from './server-access.ts'
export { createDiscovery, resolveKind, type Discovery } from './discovery.ts'
export { createClient } from './create-client.ts'
export { resourcePath, type ResourceTarget } from './resource-path.ts'
export { CacheError, IndexedCache } from './indexed-cache.ts'
export { createInformer, type InformerDependencies } from './informer.ts'
export { createInformerFactory, type RunnableInformerFactory } from './informer-factory.ts'
export { INITIAL_EVENTS_END, runReflector, type ReflectorOptions, type ReflectorSink } from './reflector.ts'
export { LeadershipLostError, runAsLeader, type LeaderElectionOptions } from './leader-election.ts'
export { retryOnConflict, type RetryOnConflictOptions } from './retry-on-conflict.ts'
export { StatusError, isStatus, type StatusReason } from '../base/errors.ts'
export { systemClock, type Clock } from '../base/clock.ts'
