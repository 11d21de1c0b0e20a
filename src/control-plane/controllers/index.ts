import type { KindDefinition } from '../../api/kind.ts'
import type { Manager } from '../../controller/contract.ts'
import { addDeploymentController } from './deployment/deployment-controller.ts'
import { addDisruptionController } from './disruption/disruption-controller.ts'
import { addEndpointControllers } from './endpoint-slice/endpoint-slice-controller.ts'
import { addEndpointMirror } from './endpoint-slice/mirror-controller.ts'
import { addGarbageCollector } from './garbage-collector/garbage-collector.ts'
import { addLoadBalancerController } from './load-balancer/load-balancer-controller.ts'
import { addNamespaceController } from './namespace/namespace-controller.ts'
import { addNodeIpamController } from './node-ipam/node-ipam-controller.ts'
import type { ClusterCidr } from './node-ipam/cluster-cidrs.ts'
import { addNodeLifecycleController } from './node-lifecycle/node-lifecycle-controller.ts'
import { addPodGc } from './pod-gc/pod-gc-controller.ts'
import { addReplicaSetController } from './replica-set/replica-set-controller.ts'
import { addServiceAccountControllers } from './service-account/service-account-controller.ts'

export { ClusterCidrError, parseClusterCidrs, type ClusterCidr, type NodeMaskSizes } from './node-ipam/cluster-cidrs.ts'

export interface ControllersOptions {
  /** Everything that is served: what the garbage collector and the namespace controller look after. */
  readonly kinds: readonly KindDefinition[]
  /** PEM of the cluster's CA, published to every namespace. */
  readonly caPem: string
  /** See NodeLifecycleOptions. */
  readonly nodeGracePeriodMs?: number
  /** Addresses of pods, shared out to nodes; see `parseClusterCidrs`. Absent: nodes have their own way to number pods. */
  readonly clusterCidrs?: readonly ClusterCidr[]
}

/**
 * The built-in controllers: one folder each, all of one shape. `plan-*.ts` decides (pure, tested by tables), the
 * `*-controller.ts` beside it watches, reads from informers and writes through the API like any other client.
 *
 *   deployment/         revisions of a template, rolled out through replica sets
 *   replica-set/        so many pods of one template
 *   endpoint-slice/     ready addresses behind each service (slices and the older Endpoints)
 *   garbage-collector/  owners and dependents; foreground, background, orphaning deletion
 *   namespace/          empties what is being deleted
 *   service-account/    the default account and the CA of every namespace
 *   node-lifecycle/     silent nodes, taints, eviction, never of most nodes at once
 *   load-balancer/      addresses of pools for services of type LoadBalancer
 *   node-ipam/          each node's part of the pod addresses
 *   disruption/         how many pods of a budget may be evicted now
 *   pod-gc/             pods that nobody will ever finish
 */
export function addControllers(manager: Manager, options: ControllersOptions): void {
  addNamespaceController(manager, options.kinds)
  addServiceAccountControllers(manager, { caPem: options.caPem })
  addDeploymentController(manager)
  addReplicaSetController(manager)
  addEndpointControllers(manager)
  addEndpointMirror(manager)
  addDisruptionController(manager)
  addGarbageCollector(manager, options.kinds)
  addNodeLifecycleController(manager, options.nodeGracePeriodMs === undefined ? {} : { gracePeriodMs: options.nodeGracePeriodMs })
  if (options.clusterCidrs?.length) addNodeIpamController(manager, options.clusterCidrs)
  addLoadBalancerController(manager)
  addPodGc(manager)
}
