/**
 * The network of a node's pods, in the kernel: a namespace for each pod, joined to the node by a routed link of its own.
 *
 *   pod-network          the contract with the runtime; pod-protection: with what guards pods before their first process
 *   kernel-pod-network   namespaces and links: made, found again after a restart, removed
 *   addresses/           the node's ranges, and who gets which address
 *   links/               plan-pod-link (pure: both ends of a pod's link), device-settings (sysctl), link-step (changes to links)
 *   nat/                 tables `biplane-pods`: host ports, masquerade; compiled as text, purely
 *   routes/              plan-node-routes (pure: the way to pods of other nodes), tunnel-device and tunnel-end (VXLAN where nodes are not
 *                        adjacent), tagged-routes (all our routes, through the Fib contract)
 *   node-routes          follows the Nodes and keeps all that in force
 *   remove-pod-network   all of it taken away: the node is taken down
 *   node-links           which links this machine has; probe-pod-network: what is missing, found by trying
 *
 * All of it stays when the agent ends; the next one finds it by what is on disk and in the kernel, and touches only what is wrong.
 */
export { NodeAddressPool } from './addresses/pod-addresses.ts'
export { KernelPodNetwork, removeNamespaces, type PodRoutes } from './kernel-pod-network.ts'
export { devicesHere, ensureForwarding, hasIpv6 } from './links/device-settings.ts'
export { isPodDevice } from './links/plan-pod-link.ts'
export { netlinkWriter } from './links/netlink-links.ts'
export { PodNatTable, REMOVE_POD_NAT } from './nat/pod-nat-table.ts'
export { readNodeLinks } from './node-links.ts'
export { NodeRoutes } from './node-routes.ts'
export type { PodNetwork } from './pod-network.ts'
export type { PodProtection } from './pod-protection.ts'
export { probePodNetwork } from './probe-pod-network.ts'
export { removePodNetwork } from './remove-pod-network.ts'
export { TUNNEL_DEVICE, type NodeRouteMode } from './routes/plan-node-routes.ts'
export { VTEP_MAC, VTEP_PORT } from './routes/read-nodes.ts'
export { readTunnels } from './routes/read-tunnels.ts'
export { TaggedRoutes } from './routes/tagged-routes.ts'
export { tunnelOverhead } from './routes/tunnel-device.ts'
export { TunnelEnd } from './routes/tunnel-end.ts'
export { readJsonFile, writeJsonFile } from './state-file.ts'
