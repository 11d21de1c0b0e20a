import { endpoints } from '../../../api/core/v1/endpoints.ts'
import { services } from '../../../api/core/v1/service.ts'
import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import type { EndpointSlice } from '../../../api/generated/types.ts'
import { ownerReference } from '../../../api/meta/owner.ts'
import { watchOf, type Manager, type Mapper } from '../../../controller/contract.ts'
import { ControllerExpectations } from '../../../controller/expectations.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'
import { requestKey } from '../../../controller/mappers.ts'
import { isNamespaceTerminating } from '../namespace-terminating.ts'
import { isMirrored, MIRROR_MANAGER, mirrorLabels, planMirror } from './plan-mirror.ts'
import { MANAGED_BY, SERVICE_NAME } from './plan-slices.ts'

/** Shows Endpoints of services without a selector as EndpointSlices. Source: kubernetes/pkg/controller/endpointslicemirroring. */
export function addEndpointMirror(manager: Manager): void {
  const serviceInformer = manager.informers.informer(services)
  const endpointsInformer = manager.informers.informer(endpoints)
  const sliceInformer = manager.informers.informer(endpointSlices)
  const bySlice: Mapper<EndpointSlice> = ({ metadata }) => {
    const name = metadata.labels?.[SERVICE_NAME]
    return name && metadata.labels?.[MANAGED_BY] === MIRROR_MANAGER ? [{ namespace: metadata.namespace ?? '', name }] : []
  }
  // a slice that was made and is not in the cache yet must not be made again
  const expectations = new ControllerExpectations(manager.clock)
  sliceInformer.addHandler({ add: (slice) => bySlice(slice).forEach((owner) => expectations.creationObserved(requestKey(owner))) })
  manager.addController({
    name: 'endpoint_slice_mirroring',
    watches: [watchOf(endpoints), watchOf(services), watchOf(endpointSlices, bySlice)],
    reconciler: {
      async reconcile(request, signal) {
        const key = requestKey(request)
        const { namespace } = request
        const source = endpointsInformer.lister.get(key)
        const mine = sliceInformer.lister
          .list(namespace)
          .filter((slice) => bySlice(slice)[0]?.name === request.name && !slice.metadata.deletionTimestamp)
        const mirrored = source !== undefined && isMirrored(source, serviceInformer.lister.get(key))
        if (!mirrored) expectations.forget(key)
        else if (!expectations.satisfied(key)) return
        const plan = mirrored ? planMirror(source, mine) : { create: [], update: [], remove: mine }
        const api = manager.client.of(endpointSlices)
        for (const slice of plan.update) await api.update(slice, { signal })
        for (const slice of source ? plan.create : []) {
          const owner = source && ownerReference(source, endpoints, { controller: true, blockOwnerDeletion: true })
          const metadata = {
            generateName: `${request.name}-`,
            labels: source ? mirrorLabels(source) : {},
            ...(owner ? { ownerReferences: [owner] } : {}),
          }
          expectations.expectCreations(key, 1)
          await api.create({ ...slice, metadata }, { namespace, signal }).catch((error: unknown) => {
            expectations.creationObserved(key)
            if (!isNamespaceTerminating(error)) throw error
          })
        }
        for (const slice of plan.remove) await api.delete(slice.metadata.name, { namespace, signal }).catch(ignoreGone)
      },
    },
  })
}
