import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { keyOf, type KubeObject } from '../../../api/meta/object.ts'
import type { Informer } from '../../../client/cache.ts'
import type { ZoneKeeper } from './zone-keeper.ts'

/** A list that was written down by an earlier process. */
export interface KeptList<T> {
  load(): Promise<unknown>
  list(): readonly T[]
}

export interface LiveZoneSources {
  readonly services: Informer<Service>
  readonly slices: Informer<EndpointSlice>
  readonly keptServices: KeptList<Service>
  readonly keptSlices: KeptList<EndpointSlice>
}

/**
 * Fills a zone from what was known last time and then from the API. What was known stays until the API has listed everything.
 * @returns whether there was anything from last time
 */
export async function fillZone(keeper: ZoneKeeper, sources: LiveZoneSources): Promise<boolean> {
  const { services, slices, keptServices, keptSlices } = sources
  await Promise.all([keptServices.load(), keptSlices.load()])
  for (const service of keptServices.list()) keeper.setService(service)
  for (const slice of keptSlices.list()) keeper.setSlice(slice)
  // every cluster has a service "kubernetes": an empty list is none
  const isKnown = keptServices.list().length > 0
  services.addHandler({
    add: (service) => keeper.setService(service),
    update: (service) => keeper.setService(service),
    delete: (service) => keeper.deleteService(keyOf(service)),
  })
  slices.addHandler({
    add: (slice) => keeper.setSlice(slice),
    update: (slice) => keeper.setSlice(slice),
    delete: (slice) => keeper.deleteSlice(keyOf(slice)),
  })
  const keys = (list: readonly KubeObject[]): ReadonlySet<string> => new Set(list.map(keyOf))
  void services.whenSynced().then(() => keeper.retainServices(keys(services.lister.list())))
  void slices.whenSynced().then(() => keeper.retainSlices(keys(slices.lister.list())))
  return isKnown
}

/** What the zone needs of a service. */
export function leanService(object: KubeObject): KubeObject {
  const { spec = {} } = object as Service
  const { type, clusterIP, clusterIPs, externalName, publishNotReadyAddresses } = spec
  const ports = spec.ports?.map(({ name, port, protocol }) => ({ name, port, protocol }))
  return { metadata: leanMeta(object), spec: { type, clusterIP, clusterIPs, externalName, publishNotReadyAddresses, ports } } as KubeObject
}

/** What the zone needs of a slice. */
export function leanSlice(object: KubeObject): KubeObject {
  const { addressType, endpoints, ports } = object as EndpointSlice
  const owner = object.metadata.labels?.['kubernetes.io/service-name']
  return {
    metadata: { ...leanMeta(object), labels: owner === undefined ? {} : { 'kubernetes.io/service-name': owner } },
    addressType,
    endpoints: endpoints?.map(({ addresses, hostname, conditions }) => ({ addresses, hostname, conditions: { ready: conditions?.ready } })),
    ports: ports?.map(({ name, port, protocol }) => ({ name, port, protocol })),
  } as unknown as KubeObject
}

const leanMeta = ({ metadata: { name, namespace, uid, resourceVersion } }: KubeObject): KubeObject['metadata'] => ({
  name,
  namespace,
  uid,
  resourceVersion,
})
