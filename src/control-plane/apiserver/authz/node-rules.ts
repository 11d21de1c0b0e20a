import type { Pod } from '../../../api/generated/types.ts'
import type { RequestInfo, UserInfo } from '../contract.ts'
import { mayBootstrap } from './bootstrap-rules.ts'
import { references } from './pod-references.ts'
import { exactField } from './request-info.ts'

export interface NodeAccess {
  readonly podsOfNode: (nodeName: string) => Promise<readonly Pod[]> | readonly Pod[]
  readonly requestorOf?: (signingRequest: string) => Promise<string | undefined>
  /** Secrets (`namespace/name`) with the passwords of BGP peers, which the router of a node reads. */
  readonly peerSecrets?: () => ReadonlySet<string>
  /**
   * Nodes list the pods of all nodes: where they judge packets, policies name pods of the whole cluster by their labels. As network agents upstream. Default
   * false: a node sees its own.
   */
  readonly seesAllPods?: boolean
}

/** The node a user stands for: `system:node:<name>` in group `system:nodes`. */
export function nodeNameOf(user: UserInfo): string | undefined {
  if (!user.groups.includes('system:nodes') || !user.name.startsWith(PREFIX)) return undefined
  return user.name.slice(PREFIX.length) || undefined
}

/**
 * Why this node may do this, or undefined when it may not. A node sees its own Node and Lease, the pods bound to it, what those pods refer to, and what
 * every node needs to reach services. Source: k8s.io/kubernetes plugin/pkg/auth/authorizer/node and NodeRestriction.
 */
export async function nodeRules(node: string, info: RequestInfo, access: NodeAccess): Promise<string | undefined> {
  if (!info.isResourceRequest) return undefined
  if (await mayBootstrap(`${PREFIX}${node}`, info, access.requestorOf)) return 'a node may renew its certificate'
  const rule = RULES[info.group === '' ? info.resource : `${info.resource}.${info.group}`]
  return (await rule?.(node, info, access)) ? `needed by node "${node}"` : undefined
}

const PREFIX = 'system:node:'

type Rule = (node: string, info: RequestInfo, access: NodeAccess) => boolean | Promise<boolean>

const isRead = (info: RequestInfo): boolean => info.verb === 'get' || info.verb === 'list' || info.verb === 'watch'
const readAll: Rule = (_node, info) => isRead(info) && info.subresource === ''
const recordEvents: Rule = (_node, info) => ['create', 'patch', 'update'].includes(info.verb) && info.subresource === ''
const readReferenced: Rule = (node, info, access) =>
  info.subresource === '' && info.name !== '' && isRead(info) && anyPod(node, access, (pod) => refersTo(pod, info))

/** The router of a node reports in the status. */
const readAndReport: Rule = (_node, info) =>
  info.subresource === 'status' ? info.verb === 'patch' : isRead(info) && info.subresource === ''

const readPeerSecret: Rule = (_node, info, access) =>
  isRead(info) && info.subresource === '' && (access.peerSecrets?.().has(`${info.namespace}/${info.name}`) ?? false)

/** How the DNS server of every node forwards. */
const isDnsConfig = (info: RequestInfo): boolean =>
  isRead(info) && info.subresource === '' && info.namespace === 'kube-system' && info.name === 'biplane-dns'

const RULES: Readonly<Record<string, Rule | undefined>> = {
  nodes: (node, info) => (isRead(info) ? mayReadNode(node, info) : mayChangeOwnNode(node, info)),
  pods: mayUsePods,
  events: recordEvents,
  'events.events.k8s.io': recordEvents,
  configmaps: (node, info, access) => isDnsConfig(info) || readReferenced(node, info, access),
  secrets: async (node, info, access) => readPeerSecret(node, info, access) || readReferenced(node, info, access),
  serviceaccounts: (node, info, access) =>
    info.subresource === 'token'
      ? info.verb === 'create' && anyPod(node, access, (pod) => refersTo(pod, info))
      : readReferenced(node, info, access),
  services: readAll,
  namespaces: readAll,
  'endpointslices.discovery.k8s.io': readAll,
  'networkpolicies.networking.k8s.io': readAll,
  'clusternetworkpolicies.policy.networking.k8s.io': readAll,
  'servicecidrs.networking.k8s.io': readAll,
  'runtimeclasses.node.k8s.io': readAll,
  'imagerecipes.biplane.dev': readAll,
  'routers.routing.biplane.dev': readAndReport,
  'bgppeers.routing.biplane.dev': readAndReport,
  'staticroutes.routing.biplane.dev': readAndReport,
  'routepolicies.routing.biplane.dev': readAll,
  'leases.coordination.k8s.io': (node, info) =>
    info.namespace === 'kube-node-lease' && info.subresource === '' && mayOwn(node, info, ['get', 'update', 'patch', 'delete']),
}

/** The name of an object to be created is in its body, which is not seen here: admission looks at it, see `nodeRestriction`. */
function mayOwn(node: string, info: RequestInfo, verbs: readonly string[]): boolean {
  return info.verb === 'create' ? info.name === '' : info.name === node && verbs.includes(info.verb)
}

/** Any node, and the status of its own; what a node says over its link is not for other nodes. */
function mayReadNode(node: string, info: RequestInfo): boolean {
  return info.subresource === '' || (info.subresource === 'status' && info.name === node)
}

function mayChangeOwnNode(node: string, info: RequestInfo): boolean {
  if (info.subresource !== '' && info.subresource !== 'status') return false
  return mayOwn(node, info, ['update', 'patch'])
}

function mayUsePods(node: string, info: RequestInfo, access: NodeAccess): boolean | Promise<boolean> {
  if (info.verb === 'list' || info.verb === 'watch') {
    return info.subresource === '' && (access.seesAllPods === true || exactField(info.fieldSelector ?? '', 'spec.nodeName') === node)
  }
  const verbs: Readonly<Record<string, readonly string[]>> = { '': ['get', 'delete'], status: ['get', 'update', 'patch'] }
  if (info.name === '' || !verbs[info.subresource]?.includes(info.verb)) return false
  return anyPod(node, access, (pod) => pod.metadata.name === info.name && pod.metadata.namespace === info.namespace)
}

function refersTo(pod: Pod, info: RequestInfo): boolean {
  return pod.metadata.namespace === info.namespace && references(pod, info.resource).has(info.name)
}

async function anyPod(node: string, access: NodeAccess, test: (pod: Pod) => boolean): Promise<boolean> {
  return (await access.podsOfNode(node)).some(test)
}
