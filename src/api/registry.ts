import type { KindDefinition } from './kind.ts'
import { pods } from './core/v1/pod.ts'
import { services } from './core/v1/service.ts'
import { nodes } from './core/v1/node.ts'
import { namespaces } from './core/v1/namespace.ts'
import { configMaps } from './core/v1/config-map.ts'
import { secrets } from './core/v1/secret.ts'
import { endpoints } from './core/v1/endpoints.ts'
import { events } from './core/v1/event.ts'
import { serviceAccounts } from './core/v1/service-account.ts'
import { persistentVolumes } from './core/v1/persistent-volume.ts'
import { persistentVolumeClaims } from './core/v1/persistent-volume-claim.ts'
import { podTemplates } from './core/v1/pod-template.ts'
import { replicationControllers } from './core/v1/replication-controller.ts'
import { resourceQuotas } from './core/v1/resource-quota.ts'
import { limitRanges } from './core/v1/limit-range.ts'
import { deployments } from './apps/v1/deployment.ts'
import { replicaSets } from './apps/v1/replica-set.ts'
import { statefulSets } from './apps/v1/stateful-set.ts'
import { daemonSets } from './apps/v1/daemon-set.ts'
import { controllerRevisions } from './apps/v1/controller-revision.ts'
import { jobs } from './batch/v1/job.ts'
import { cronJobs } from './batch/v1/cron-job.ts'
import { horizontalPodAutoscalers } from './autoscaling/v2/horizontal-pod-autoscaler.ts'
import { ingresses } from './networking/v1/ingress.ts'
import { ingressClasses } from './networking/v1/ingress-class.ts'
import { networkPolicies } from './networking/v1/network-policy.ts'
import { ipAddresses } from './networking/v1/ip-address.ts'
import { serviceCIDRs } from './networking/v1/service-cidr.ts'
import { endpointSlices } from './discovery/v1/endpoint-slice.ts'
import {
  backendTLSPolicies,
  backendTLSPoliciesV1alpha3,
  gatewayClasses,
  gatewayClassesV1beta1,
  gateways,
  gatewaysV1beta1,
  grpcRoutes,
  httpRoutes,
  httpRoutesV1beta1,
  listenerSets,
  referenceGrants,
  referenceGrantsV1beta1,
  tcpRoutes,
  tcpRoutesV1alpha2,
  tlsRoutes,
  tlsRoutesV1alpha2,
  tlsRoutesV1alpha3,
} from './gateway.networking.k8s.io/v1/index.ts'
import { clusterNetworkPolicies } from './policy.networking.k8s.io/v1alpha2/cluster-network-policy.ts'
import { podDisruptionBudgets } from './policy/v1/pod-disruption-budget.ts'
import { roles } from './rbac/v1/role.ts'
import { roleBindings } from './rbac/v1/role-binding.ts'
import { clusterRoles } from './rbac/v1/cluster-role.ts'
import { clusterRoleBindings } from './rbac/v1/cluster-role-binding.ts'
import { leases } from './coordination/v1/lease.ts'
import { eventsEvents } from './events/v1/event.ts'
import { priorityClasses } from './scheduling/v1/priority-class.ts'
import { storageClasses } from './storage/v1/storage-class.ts'
import { csiDrivers } from './storage/v1/csi-driver.ts'
import { csiNodes } from './storage/v1/csi-node.ts'
import { volumeAttachments } from './storage/v1/volume-attachment.ts'
import { csiStorageCapacities } from './storage/v1/csi-storage-capacity.ts'
import { volumeAttributesClasses } from './storage/v1/volume-attributes-class.ts'
import { runtimeClasses } from './node/v1/runtime-class.ts'
import { certificateSigningRequests } from './certificates/v1/certificate-signing-request.ts'
import { imageRecipes } from './biplane.dev/v1alpha1/image-recipe.ts'
import { meshAuthorizationPolicies, meshRequestAuthentications } from './biplane.dev/v1alpha1/mesh-request-policies.ts'
import { meshHttpRoutes, meshObjects, meshPolicies, meshTcpRoutes } from './kuma.io/v1alpha1/index.ts'
import { addressPools } from './routing.biplane.dev/v1alpha1/address-pool.ts'
import { bgpPeers } from './routing.biplane.dev/v1alpha1/bgp-peer.ts'
import { routePolicies } from './routing.biplane.dev/v1alpha1/route-policy.ts'
import { routers } from './routing.biplane.dev/v1alpha1/router.ts'
import { staticRoutes } from './routing.biplane.dev/v1alpha1/static-route.ts'

/** Every kind that is built in, in the order of discovery. */
export const BUILT_IN_KINDS: readonly KindDefinition<any>[] = [
  pods,
  services,
  nodes,
  namespaces,
  configMaps,
  secrets,
  endpoints,
  events,
  serviceAccounts,
  persistentVolumes,
  persistentVolumeClaims,
  podTemplates,
  replicationControllers,
  resourceQuotas,
  limitRanges,
  deployments,
  replicaSets,
  statefulSets,
  daemonSets,
  controllerRevisions,
  jobs,
  cronJobs,
  horizontalPodAutoscalers,
  ingresses,
  ingressClasses,
  networkPolicies,
  ipAddresses,
  serviceCIDRs,
  endpointSlices,
  clusterNetworkPolicies,
  podDisruptionBudgets,
  roles,
  roleBindings,
  clusterRoles,
  clusterRoleBindings,
  leases,
  eventsEvents,
  priorityClasses,
  storageClasses,
  csiDrivers,
  csiNodes,
  volumeAttachments,
  csiStorageCapacities,
  volumeAttributesClasses,
  runtimeClasses,
  certificateSigningRequests,
  imageRecipes,
  routers,
  bgpPeers,
  routePolicies,
  staticRoutes,
  addressPools,
  gatewayClasses,
  gateways,
  listenerSets,
  httpRoutes,
  grpcRoutes,
  tcpRoutes,
  tlsRoutes,
  referenceGrants,
  backendTLSPolicies,
  gatewayClassesV1beta1,
  gatewaysV1beta1,
  httpRoutesV1beta1,
  referenceGrantsV1beta1,
  backendTLSPoliciesV1alpha3,
  tlsRoutesV1alpha3,
  tcpRoutesV1alpha2,
  tlsRoutesV1alpha2,
  ...meshObjects,
  ...meshPolicies,
  meshHttpRoutes,
  meshTcpRoutes,
  meshRequestAuthentications,
  meshAuthorizationPolicies,
]
