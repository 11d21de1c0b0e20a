import { randomUUID } from 'node:crypto'
import { BUILT_IN_KINDS } from '../api/registry.ts'
import type { KindDefinition } from '../api/kind.ts'
import { namespaces } from '../api/core/v1/namespace.ts'
import { systemClock, type Clock } from '../base/clock.ts'
import { silentLogger, type Logger } from '../base/log.ts'
import { createMetrics, type Metrics } from '../base/metrics.ts'
import type { Client } from '../client/client.ts'
import { createClient } from '../client/create-client.ts'
import type { Manager } from '../controller/contract.ts'
import { createManager, type ManagerOptions } from '../controller/create-manager.ts'
import { createResourceHandler, type ResourceHandlerDeps } from '../control-plane/apiserver/handlers/index.ts'
import { createApiServer, LOOPBACK_USER, type ApiServer, type UserInfo } from '../control-plane/apiserver/index.ts'
import { createMemoryStore, type Store } from '../control-plane/store/index.ts'

export interface TestClusterOptions {
  /** Default: the system's. With a FakeClock everything happens inside `advance`. */
  readonly clock?: Clock
  /** Served besides the built-in kinds. */
  readonly kinds?: readonly KindDefinition[]
  readonly admission?: ResourceHandlerDeps['admission']
  readonly log?: Logger
  /** Default: numbers that are the same in each run. */
  readonly random?: () => number
  /** Exist from the start. Default: default, kube-system, kube-public, kube-node-lease. */
  readonly namespaces?: readonly string[]
}

/** A real API server over a store in memory, without sockets, controllers or nodes. */
export interface TestCluster extends AsyncDisposable {
  /** As an administrator. */
  readonly client: Client
  readonly clock: Clock
  readonly store: Store
  readonly api: ApiServer
  readonly metrics: Metrics
  /** As somebody else; denied by default. */
  clientAs(user: UserInfo): Client
  /** A manager on this cluster; `stop` does not end it, whoever runs it does. */
  manager(options?: Partial<ManagerOptions>): Manager
  /** Ends all watches and closes the store. */
  stop(): Promise<void>
}

const NAMESPACES = ['default', 'kube-system', 'kube-public', 'kube-node-lease']

/** Starts in a few milliseconds. Stop it, or hold it with `await using`. */
export async function startTestCluster(options: TestClusterOptions = {}): Promise<TestCluster> {
  const { clock = systemClock, log = silentLogger, random = repeatable() } = options
  const metrics = createMetrics()
  const store = createMemoryStore({ clock })
  const kinds = [...BUILT_IN_KINDS, ...(options.kinds ?? [])]
  const admission = options.admission ?? []
  const resources = createResourceHandler({ store, kinds, clock, random, uuid: randomUUID, log, metrics, admission })
  const api = createApiServer({ resources: resources.handle, kinds: () => kinds, clock, log, metrics })
  const clientAs = (user: UserInfo): Client => createClient(api.inProcess(user))
  const client = clientAs(LOOPBACK_USER)
  for (const name of options.namespaces ?? NAMESPACES) await client.of(namespaces).create({ metadata: { name } })
  const stop = async (): Promise<void> => {
    await resources.close()
    await api.stop({ graceMs: 0 })
    await store.close()
  }
  return {
    client,
    clock,
    store,
    api,
    metrics,
    clientAs,
    manager: (more) => createManager({ client, clock, log, metrics: createMetrics(), random, ...more }),
    stop,
    [Symbol.asyncDispose]: stop,
  }
}

/** Numbers that look random, the same in each run: generated names must differ. */
function repeatable(): () => number {
  let state = 1
  // a linear congruential generator (Numerical Recipes)
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state / 2 ** 32
  }
}
