import { namespaces } from '../../../api/core/v1/namespace.ts'
import { services } from '../../../api/core/v1/service.ts'
import type { Service } from '../../../api/generated/types.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { keyOf } from '../../../api/meta/object.ts'
import { addressPools } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { watchOf, type Manager, type Request } from '../../../controller/contract.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'
import { requestKey, requestOf } from '../../../controller/mappers.ts'
import { AddressBook } from './address-book.ts'
import { isBalanced, readRequest, sharerOf, shownAddresses } from './balancer-request.ts'
import { planAddresses, type AddressPlan } from './plan-addresses.ts'
import { addPoolStatusController } from './pool-status-controller.ts'
import { viewPools, type PoolView } from './pool-view.ts'

/** How often a service that lacks an address asks again. */
const ASK_AGAIN_MS = 10_000

/**
 * Gives services of type LoadBalancer addresses of AddressPools, and keeps count. An address is never given to two services that cannot
 * share it: what services show is read before the first decision, and an address stays with its service until its status no longer shows it.
 * Without any pool nothing is touched: somebody else may do this work.
 */
export function addLoadBalancerController(manager: Manager): void {
  const serviceInformer = manager.informers.informer(services)
  const poolInformer = manager.informers.informer(addressPools)
  const namespaceInformer = manager.informers.informer(namespaces)
  const recorder = manager.recorder('load-balancer-controller')
  const book = new AddressBook()
  const observe = (service: Service): void => {
    if (isBalanced(service))
      book.observe(keyOf(service), { uid: service.metadata.uid, sharer: sharerOf(service), shown: shownAddresses(service) })
    else book.release(keyOf(service))
  }
  serviceInformer.addHandler({ add: observe, update: observe, delete: (service) => book.release(keyOf(service)) })
  /** Services that were seen while there were pools: what they show is ours to take away. */
  const ours = new Set<string>()
  let views: readonly PoolView[] | undefined
  const forget = (): void => void (views = undefined)
  poolInformer.addHandler({ add: forget, update: forget, delete: forget })
  const balanced = (namespace?: string): Request[] => serviceInformer.lister.list(namespace).filter(isBalanced).map(requestOf)

  /** What of the plan a service gets, and why not more. */
  const plan = (service: Service, pools: readonly PoolView[]): AddressPlan => {
    const request = readRequest(service)
    const key = keyOf(service)
    // what it has stays while its wish cannot be read
    if (typeof request === 'string') return { addresses: book.heldBy(key), problem: request }
    const namespace = namespaceInformer.lister.get(service.metadata.namespace ?? '')?.metadata.labels ?? {}
    return planAddresses(request, { service: service.metadata.labels ?? {}, namespace }, pools, {
      held: book.heldBy(key),
      mayKeep: (address) => book.mayKeep(key, address),
      mayTake: (address) => book.mayTake(key, address),
      isFree: (address) => book.isFree(address),
      sharedUnder: (sharing) => book.sharedUnder(sharing),
    })
  }

  manager.addController({
    name: 'load_balancer',
    // one after the other: what one takes, the next one sees
    concurrency: 1,
    watches: [
      watchOf(services),
      watchOf(
        addressPools,
        () => balanced(),
        (next, previous) => !deepEqual(next.spec, previous?.spec),
      ),
      watchOf(
        namespaces,
        ({ metadata }) => balanced(metadata.name),
        (next, previous) => previous !== undefined && !deepEqual(next.metadata.labels, previous.metadata.labels),
      ),
    ],
    reconciler: {
      async reconcile(request, signal) {
        const key = requestKey(request)
        const service = serviceInformer.lister.get(key)
        if (!service || !isBalanced(service)) ours.delete(key)
        if (!service || !isBalanced(service) || service.metadata.deletionTimestamp) return
        const pools = (views ??= viewPools(poolInformer.lister.list()))
        if (pools.length > 0) ours.add(key)
        else if (!ours.has(key)) return
        const { addresses, problem } = plan(service, pools)
        if (problem !== undefined) recorder.event(service, 'Warning', 'AllocationFailed', problem)
        if (!deepEqual(addresses, shownAddresses(service))) {
          // what it shows is its own until it shows it no more
          book.assign(key, [...new Set([...addresses, ...book.heldBy(key)])])
          // without the answer everything stays as it is: the event of whatever happened meanwhile brings us here again
          if (
            !(await manager.client
              .of(services)
              .patch(request.name, statusPatch(service, addresses), inStatus(request, signal))
              .catch(ignoreGone))
          )
            return
          if (addresses.length > 0) recorder.event(service, 'Normal', 'IPAllocated', `assigned ${addresses.join(', ')}`)
        }
        book.assign(key, addresses)
        return problem === undefined ? {} : { requeueAfterMs: ASK_AGAIN_MS }
      },
    },
  })
  addPoolStatusController(manager)
}

const inStatus = ({ namespace }: Request, signal: AbortSignal) => ({ type: 'merge', subresource: 'status', namespace, signal }) as const

/** Only for the very version that was decided about: one that was another type meanwhile has given its addresses back. */
function statusPatch({ metadata: { uid, resourceVersion } }: Service, addresses: readonly string[]): object {
  const ingress = addresses.length > 0 ? addresses.map((ip) => ({ ip, ipMode: 'VIP' })) : null
  return { metadata: { uid, resourceVersion }, status: { loadBalancer: { ingress } } }
}
