import { timestamp } from '../../../base/timestamp.ts'
import type { Node, NodeCondition } from '../../../api/generated/types.ts'

/** What a node says of itself. */
export interface NodeDescription {
  readonly name: string
  readonly addresses: readonly { readonly type: 'InternalIP' | 'Hostname'; readonly address: string }[]
  readonly capacity: {
    readonly cpuMillis: number
    readonly memoryBytes: number
    readonly pods: number
    readonly ephemeralStorageBytes?: number
  }
  readonly labels: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
  /** Ranges of pod addresses that the node chooses itself, primary first; absent: the control plane gives them. */
  readonly podCidrs?: readonly string[]
  readonly taints?: readonly { readonly key: string; readonly value?: string; readonly effect: string }[]
  readonly info: {
    readonly machineID: string
    readonly bootID: string
    readonly kernelVersion: string
    readonly osImage: string
    readonly runtimeVersion: string
    readonly kubeletVersion: string
    readonly operatingSystem: string
    readonly architecture: string
  }
}

/** How the packet plane of a node is. */
export interface PacketPlaneState {
  /** Why pods cannot have a network. */
  readonly networkProblem?: string | undefined
  /** What the kernel has refused, and why. */
  readonly refusals?: string | undefined
}

/** Labels that every node carries; users' own come on top. */
export function nodeLabels(node: NodeDescription): Record<string, string> {
  return {
    'kubernetes.io/hostname': node.name,
    'kubernetes.io/os': node.info.operatingSystem,
    'kubernetes.io/arch': node.info.architecture,
    'beta.kubernetes.io/os': node.info.operatingSystem,
    'beta.kubernetes.io/arch': node.info.architecture,
    ...node.labels,
  }
}

/**
 * The status a node reports. Pure; unchanged conditions keep their transition time.
 * @param options problem: why the node cannot run pods, or undefined. packets: how its packet plane is; absent: it has none.
 */
export function nodeStatus(
  node: NodeDescription,
  previous: Node['status'],
  options: { readonly nowMs: number; readonly problem?: string; readonly packets?: PacketPlaneState },
): NonNullable<Node['status']> {
  const now = timestamp(options.nowMs)
  const amounts = {
    cpu: node.capacity.cpuMillis % 1000 === 0 ? String(node.capacity.cpuMillis / 1000) : `${node.capacity.cpuMillis}m`,
    memory: `${Math.floor(node.capacity.memoryBytes / 1024)}Ki`,
    pods: String(node.capacity.pods),
    ...(node.capacity.ephemeralStorageBytes ? { 'ephemeral-storage': `${Math.floor(node.capacity.ephemeralStorageBytes / 1024)}Ki` } : {}),
  }
  const wanted = [
    condition('MemoryPressure', false, 'KubeletHasSufficientMemory', 'kubelet has sufficient memory available'),
    condition('DiskPressure', false, 'KubeletHasNoDiskPressure', 'kubelet has no disk pressure'),
    condition('PIDPressure', false, 'KubeletHasSufficientPID', 'kubelet has sufficient PID available'),
    options.problem === undefined
      ? condition('Ready', true, 'KubeletReady', 'kubelet is posting ready status')
      : condition('Ready', false, 'KubeletNotReady', options.problem),
    ...packetConditions(options.packets),
  ]
  const conditions = wanted.map((next): NodeCondition => {
    const before = previous?.conditions?.find((candidate) => candidate.type === next.type)
    return {
      ...next,
      lastHeartbeatTime: now,
      lastTransitionTime: before?.status === next.status && before.lastTransitionTime ? before.lastTransitionTime : now,
    }
  })
  const foreign = (previous?.conditions ?? []).filter(
    (candidate) => !PACKET_REASONS.has(candidate.reason ?? '') && !conditions.some((own) => own.type === candidate.type),
  )
  return {
    capacity: amounts,
    allocatable: amounts,
    conditions: [...conditions, ...foreign],
    addresses: [...node.addresses],
    nodeInfo: {
      machineID: node.info.machineID,
      systemUUID: node.info.machineID,
      bootID: node.info.bootID,
      kernelVersion: node.info.kernelVersion,
      osImage: node.info.osImage,
      containerRuntimeVersion: node.info.runtimeVersion,
      kubeletVersion: node.info.kubeletVersion,
      kubeProxyVersion: '',
      operatingSystem: node.info.operatingSystem,
      architecture: node.info.architecture,
    },
  }
}

/** Reasons of the conditions that only a node with a packet plane has: one that has it no more takes them away. */
const PACKET_REASONS: ReadonlySet<string> = new Set(['KernelNetworkReady', 'KernelNetworkNotReady', 'EverythingInForce', 'RevisionRefused'])

/** NetworkUnavailable is upstream's: the scheduler keeps pods away while it is true. */
function packetConditions(packets: PacketPlaneState | undefined): NodeCondition[] {
  if (!packets) return []
  const { networkProblem, refusals } = packets
  return [
    networkProblem === undefined
      ? condition('NetworkUnavailable', false, 'KernelNetworkReady', 'pods have their network in the kernel')
      : condition('NetworkUnavailable', true, 'KernelNetworkNotReady', networkProblem),
    refusals === undefined
      ? condition('PacketPlaneDegraded', false, 'EverythingInForce', 'services and policies are in force as they are known')
      : condition('PacketPlaneDegraded', true, 'RevisionRefused', refusals),
  ]
}

const condition = (type: string, on: boolean, reason: string, message: string): NodeCondition => ({
  type,
  status: on ? 'True' : 'False',
  reason,
  message,
})
