import { timestamp } from '../../../base/timestamp.ts'
import { services } from '../../../api/core/v1/service.ts'
import type { Service } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { addressPools } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { watchOf, type Manager, type Request } from '../../../controller/contract.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'
import { requestOf } from '../../../controller/mappers.ts'
import { isBalanced, shownAddresses } from './balancer-request.ts'
import { poolStatus } from './pool-status.ts'

/** A pool is counted at most this often: many services may come at once. */
const COUNT_EVERY_MS = 1_000

/** Keeps the status of AddressPools. */
export function addPoolStatusController(manager: Manager): void {
  const serviceInformer = manager.informers.informer(services)
  const pools = manager.informers.informer(addressPools)
  const countedAt = new Map<string, number>()
  const all = (): Request[] => pools.lister.list().map(requestOf)
  const isBalancer = (service: Service): boolean => service.spec?.type === 'LoadBalancer'
  manager.addController({
    name: 'address_pool',
    watches: [
      // one pool's overlaps are another's too
      watchOf(addressPools, all),
      watchOf(services, all, (next, previous) => isBalancer(next) || (previous !== undefined && isBalancer(previous))),
    ],
    reconciler: {
      async reconcile({ name }, signal) {
        const pool = pools.lister.get(name)
        if (!pool) countedAt.delete(name)
        if (!pool || pool.metadata.deletionTimestamp) return
        const waitMs = (countedAt.get(name) ?? Number.NEGATIVE_INFINITY) + COUNT_EVERY_MS - manager.clock.monotonic()
        if (waitMs > 0) return { requeueAfterMs: waitMs }
        countedAt.set(name, manager.clock.monotonic())
        const assigned = new Set(serviceInformer.lister.list().filter(isBalanced).flatMap(shownAddresses))
        const status = poolStatus(pool, pools.lister.list(), { assigned, now: timestamp(manager.clock.now()) })
        if (!deepEqual(status, pool.status))
          await manager.client
            .of(addressPools)
            .updateStatus({ ...pool, status }, { signal })
            .catch(ignoreGone)
        return
      },
    },
  })
}
