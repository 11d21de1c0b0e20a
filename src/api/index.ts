// The kinds of the API: what each is called, how it is shown, defaulted and validated. One folder per group and version,
// one file per kind; registry.ts lists them all.
//
//   kind.ts          what a kind is made of: the contract between a kind, the API server and clients
//   generated/       types and schemas of upstream's kinds, made by scripts/
//   schema/          types, required fields, enums and defaults that belong to one field
//   <group>/<v>/     the kinds: columns, selectors, and strategies for what depends on more than one field
//   validation/      the rules that kinds share, with upstream's texts
//   print/           the tables of `kubectl get`
//   meta/            metadata, selectors, quantities, paths: what every reader of objects needs
//   pod-status.ts    questions about pods; conditions.ts: questions about conditions and changes of them
export type * from './generated/types.ts'
export * from './kind.ts'
export {
  apiVersionOf,
  keyOf,
  type Draft,
  type KubeList,
  type KubeObject,
  type NamedMeta,
  type WatchEvent,
  type WatchEventType,
} from './meta/object.ts'
export { findCondition, isConditionTrue, removeCondition, setCondition, type ConditionLike } from './conditions.ts'
export {
  containersOf,
  containerStatusOf,
  containersWithPath,
  isPodActive,
  isPodAvailable,
  isPodReady,
  isSidecar,
  podPhaseIsTerminal,
  qosClassOf,
  type QosClass,
} from './pod-status.ts'
export { tableColumns } from './print/columns.ts'
export { ageSince, humanDuration } from './print/human-duration.ts'
export { summarizePod, type PodSummary } from './print/pod-columns.ts'
export { BUILT_IN_KINDS } from './registry.ts'
export { pods } from './core/v1/pod.ts'
export { services } from './core/v1/service.ts'
export { nodes } from './core/v1/node.ts'
export { namespaces } from './core/v1/namespace.ts'
export { configMaps } from './core/v1/config-map.ts'
export { secrets } from './core/v1/secret.ts'
export { endpoints } from './core/v1/endpoints.ts'
export { events } from './core/v1/event.ts'
export { serviceAccounts } from './core/v1/service-account.ts'
export { persistentVolumes } from './core/v1/persistent-volume.ts'
export { persistentVolumeClaims } from './core/v1/persistent-volume-claim.ts'
export { podTemplates } from './core/v1/pod-template.ts'
export { replicationControllers } from './core/v1/replication-controller.ts'
export { resourceQuotas } from './core/v1/resource-quota.ts'
export { limitRanges } from './core/v1/limit-range.ts'
export { deployments } from './apps/v1/deployment.ts'
export { replicaSets } from './apps/v1/replica-set.ts'
export { statefulSets } from './apps/v1/stateful-set.ts'
export { daemonSets } from './apps/v1/daemon-set.ts'
export { controllerRevisions } from './apps/v1/controller-revision.ts'
export { jobs } from './batch/v1/job.ts'
export { cronJobs } from './batch/v1/cron-job.ts'
export { horizontalPodAutoscalers } from './autoscaling/v2/horizontal-pod-autoscaler.ts'
export { ingresses } from './networking/v1/ingress.ts'
export { ingressClasses } from './networking/v1/ingress-class.ts'
export { clusterNetworkPolicies, type ClusterNetworkPolicy } from './policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
export { networkPolicies } from './networking/v1/network-policy.ts'
export { ipAddresses } from './networking/v1/ip-address.ts'
export { serviceCIDRs } from './networking/v1/service-cidr.ts'
export { endpointSlices } from './discovery/v1/endpoint-slice.ts'
export { podDisruptionBudgets } from './policy/v1/pod-disruption-budget.ts'
export { roles } from './rbac/v1/role.ts'
export { roleBindings } from './rbac/v1/role-binding.ts'
export { clusterRoles } from './rbac/v1/cluster-role.ts'
export { clusterRoleBindings } from './rbac/v1/cluster-role-binding.ts'
export { leases } from './coordination/v1/lease.ts'
export { eventsEvents } from './events/v1/event.ts'
export { priorityClasses } from './scheduling/v1/priority-class.ts'
export { storageClasses } from './storage/v1/storage-class.ts'
export { csiDrivers } from './storage/v1/csi-driver.ts'
export { csiNodes } from './storage/v1/csi-node.ts'
export { volumeAttachments } from './storage/v1/volume-attachment.ts'
export { csiStorageCapacities } from './storage/v1/csi-storage-capacity.ts'
export { volumeAttributesClasses } from './storage/v1/volume-attributes-class.ts'
export { runtimeClasses } from './node/v1/runtime-class.ts'
export { certificateSigningRequests } from './certificates/v1/certificate-signing-request.ts'
export { imageRecipes, type ImageRecipe } from './biplane.dev/v1alpha1/image-recipe.ts'
export { addressPools, type AddressPool } from './routing.biplane.dev/v1alpha1/address-pool.ts'
