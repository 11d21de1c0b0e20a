import { isStatus } from '../../../base/errors.ts'
import type { Endpoints, EndpointSlice, Node, ObjectMeta, Pod, Service } from '../../../api/generated/types.ts'
import { endpoints } from '../../../api/core/v1/endpoints.ts'
import { nodes } from '../../../api/core/v1/node.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { services } from '../../../api/core/v1/service.ts'
import { endpointSlices } from '../../../api/discovery/v1/endpoint-slice.ts'
import { deepEqual } from '../../../api/meta/equality.ts'
import { keyOf } from '../../../api/meta/object.ts'
import { ownerReference } from '../../../api/meta/owner.ts'
import type { Informer } from '../../../client/cache.ts'
import { watchOf, type EventRecorder, type Manager, type Mapper, type Request } from '../../../controller/contract.ts'
import { ControllerExpectations } from '../../../controller/expectations.ts'
import { requestKey, requestOf } from '../../../controller/mappers.ts'
import { isNamespaceTerminating } from '../namespace-terminating.ts'
import { ENDPOINTS_MANAGED_BY, ENDPOINTS_MANAGER, endpointsAnnotations, endpointsLabels, planEndpoints } from './plan-endpoints.ts'
import { readTopology, topologyOf, type ClusterTopology } from './cluster-topology.ts'
import { sharesZones } from './plan-hints.ts'
import { MANAGED_BY, MANAGER, planSlices, SERVICE_NAME, sliceLabels, type SlicePlan } from './plan-slices.ts'
import { TRIGGER_TIME, TriggerTimes } from './trigger-times.ts'
import { ignoreGone } from '../../../controller/ignore-gone.ts'

const BY_NODE = 'endpointNodeName'
const SHARES_ZONES = 'endpointSharesZones'

/** Kept in memory between runs: what was last said of the zones of a service, by `namespace/name family`. */
type ToldZones = Map<string, boolean>

/** Keeps EndpointSlices, and the older Endpoints, of every service with a selector. */
export function addEndpointControllers(manager: Manager): void {
  const serviceInformer = manager.informers.informer(services)
  const podInformer = manager.informers.informer(pods)
  const sliceInformer = manager.informers.informer(endpointSlices)
  const endpointsInformer = manager.informers.informer(endpoints)
  const nodeInformer = manager.informers.informer(nodes)
  podInformer.addIndex(BY_NODE, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []))
  serviceInformer.addIndex(SHARES_ZONES, (service) => (sharesZones(service) ? [''] : []))
  const triggers = new TriggerTimes()
  const recorder = manager.recorder('endpoint-slice-controller')
  const told: ToldZones = new Map()
  const byPod = servicesOfPod(serviceInformer)
  // a node counts for those with pods on it, and for all that share out zones
  const byNode: Mapper<Node> = (node) => [
    ...podInformer.lister.byIndex(BY_NODE, node.metadata.name).flatMap(byPod),
    ...serviceInformer.lister.byIndex(SHARES_ZONES, '').map(requestOf),
  ]
  const nodeMatters = (node: Node, previous?: Node): boolean => previous === undefined || !deepEqual(topologyOf(node), topologyOf(previous))
  let topology: ClusterTopology | undefined
  const forget = (): void => void (topology = undefined)
  nodeInformer.addHandler({ add: forget, update: (node, previous) => void (nodeMatters(node, previous) && forget()), delete: forget })
  const podMatters = (pod: Pod, previous?: Pod): boolean => previous === undefined || !deepEqual(relevant(pod), relevant(previous))
  const bySlice: Mapper<EndpointSlice> = (slice) => {
    const name = slice.metadata.labels?.[SERVICE_NAME]
    return name && slice.metadata.labels?.[MANAGED_BY] === MANAGER ? [{ namespace: slice.metadata.namespace ?? '', name }] : []
  }
  // a slice that was made and is not in the cache yet must not be made again
  const expectations = new ControllerExpectations(manager.clock)
  sliceInformer.addHandler({ add: (slice) => bySlice(slice).forEach((owner) => expectations.creationObserved(requestKey(owner))) })
  const podsOf = (service: Service): readonly Pod[] =>
    podInformer.lister.list(service.metadata.namespace).filter((pod) => selects(service, pod))

  manager.addController({
    name: 'endpoint_slice',
    concurrency: 5,
    watches: [watchOf(services), watchOf(pods, byPod, podMatters), watchOf(endpointSlices, bySlice), watchOf(nodes, byNode, nodeMatters)],
    reconciler: {
      async reconcile(request, signal) {
        const key = requestKey(request)
        const service = serviceInformer.lister.get(key)
        if (!service) {
          expectations.forget(key)
          triggers.forget(key)
          for (const family of ['IPv4', 'IPv6']) told.delete(`${key} ${family}`)
        }
        if (!service?.spec?.selector || service.metadata.deletionTimestamp || service.spec.type === 'ExternalName') return
        // the slice that is awaited brings us here again
        if (!expectations.satisfied(key)) return
        const mine = sliceInformer.lister
          .list(request.namespace)
          .filter((slice) => bySlice(slice)[0]?.name === request.name && !slice.metadata.deletionTimestamp)
        const selected = podsOf(service)
        const plan = planSlices(service, selected, mine, (topology ??= readTopology(nodeInformer.lister.list())))
        tellZones(service, plan.zones, told, recorder)
        const trigger = triggers.look(service, selected)
        const api = manager.client.of(endpointSlices)
        for (const slice of plan.update) await api.update({ ...slice, metadata: withTrigger(slice.metadata, trigger) }, { signal })
        for (const slice of plan.create) {
          const metadata = {
            generateName: `${service.metadata.name}-`,
            labels: sliceLabels(service),
            ownerReferences: [ownerReference(service, services, { controller: true, blockOwnerDeletion: true })],
          }
          expectations.expectCreations(key, 1)
          await api
            .create({ ...slice, metadata: withTrigger(metadata, trigger) }, { namespace: request.namespace, signal })
            .catch((error: unknown) => {
              expectations.creationObserved(key)
              if (!isNamespaceTerminating(error)) throw error
            })
        }
        for (const slice of plan.remove) await api.delete(slice.metadata.name, { namespace: request.namespace, signal }).catch(ignoreGone)
      },
    },
  })

  manager.addController({
    name: 'endpoint',
    concurrency: 5,
    watches: [watchOf(services), watchOf(pods, byPod, podMatters), watchOf(endpoints)],
    reconciler: {
      async reconcile(request, signal) {
        const service = serviceInformer.lister.get(`${request.namespace}/${request.name}`)
        const current = endpointsInformer.lister.get(`${request.namespace}/${request.name}`)
        const api = manager.client.of(endpoints)
        if (!service) {
          if (current && current.metadata.labels?.[ENDPOINTS_MANAGED_BY] === ENDPOINTS_MANAGER)
            await api.delete(request.name, { namespace: request.namespace, signal }).catch(ignoreGone)
          return
        }
        if (!service.spec?.selector || service.metadata.deletionTimestamp || service.spec.type === 'ExternalName') return
        const { subsets, truncated } = planEndpoints(service, podsOf(service))
        const annotations = endpointsAnnotations(current, truncated)
        const labels = endpointsLabels(service)
        if (
          current &&
          deepEqual(current.subsets ?? [], subsets) &&
          deepEqual(current.metadata.labels ?? {}, labels) &&
          deepEqual(current.metadata.annotations, annotations)
        )
          return
        const { name, namespace } = request
        const next: Endpoints = { ...current, metadata: { ...current?.metadata, name, namespace, labels, annotations }, subsets }
        if (current) await api.update(next, { signal })
        else
          await api.create(next, { signal }).catch((error: unknown) => {
            // made a moment ago and not in the cache yet: its event brings us here again
            if (!isNamespaceTerminating(error) && !isStatus(error, 'AlreadyExists')) throw error
          })
      },
    },
  })
}

/** Metadata with the time for which a slice is written, or without one of an earlier write. */
function withTrigger<T extends ObjectMeta>(metadata: T, trigger: string | undefined): T {
  const { [TRIGGER_TIME]: _earlier, ...others } = metadata.annotations ?? {}
  const annotations = trigger === undefined ? others : { ...others, [TRIGGER_TIME]: trigger }
  return { ...metadata, annotations: Object.keys(annotations).length > 0 ? annotations : undefined }
}

/** An event when hints come or go, not each time they are looked at. */
function tellZones(service: Service, zones: SlicePlan['zones'], told: ToldZones, recorder: EventRecorder): void {
  for (const { addressType, on, why } of zones) {
    const key = `${keyOf(service)} ${addressType}`
    if (told.get(key) === on) continue
    told.set(key, on)
    const state = on ? 'enabled' : 'disabled'
    recorder.event(
      service,
      on ? 'Normal' : 'Warning',
      on ? 'TopologyAwareHintsEnabled' : 'TopologyAwareHintsDisabled',
      `topology aware hints are ${state} for ${addressType}: ${why}`,
    )
  }
}

function servicesOfPod(serviceInformer: Informer<Service>): Mapper<Pod> {
  return (pod): Request[] =>
    serviceInformer.lister
      .list(pod.metadata.namespace)
      .filter((service) => selects(service, pod))
      .map((service) => ({ namespace: service.metadata.namespace ?? '', name: service.metadata.name }))
}

function selects(service: Service, pod: Pod): boolean {
  const selector = Object.entries(service.spec?.selector ?? {})
  return selector.length > 0 && selector.every(([key, value]) => pod.metadata.labels?.[key] === value)
}

/** The parts of a pod that endpoints show. */
function relevant(pod: Pod): unknown {
  const ready = pod.status?.conditions?.find((condition) => condition.type === 'Ready')?.status
  return [
    pod.status?.podIPs,
    pod.status?.phase,
    ready,
    pod.metadata.labels,
    pod.metadata.deletionTimestamp !== undefined,
    pod.spec?.nodeName,
  ]
}
