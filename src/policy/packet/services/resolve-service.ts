import { compareIp, parseIp, parsePrefix, prefixContains, type IpBytes } from '../../../base/ip.ts'
import {
  frontendKey,
  type Frontend,
  type ServiceBackend,
  type ServiceNode,
  type ServiceProtocol,
  type ServiceTable,
} from './service-table.ts'

/** The first packet of a connection, as it arrives at the node or is sent by it. */
export interface ServicePacket {
  readonly from: string
  readonly to: string
  readonly protocol: ServiceProtocol
  readonly port: number
}

/** What becomes of it. */
export interface ServiceVerdict {
  /** `pass`: no service has this address; the packet goes its way. */
  readonly action: 'pass' | 'forward' | 'reject' | 'drop'
  readonly frontend?: Frontend
  /** For `forward`: one of them is chosen at random, or the one that the client had before. */
  readonly backends: readonly (ServiceBackend & {
    /** The backend sees an address of the node instead of the sender's. */
    readonly masquerade: boolean
  })[]
  /** The rules that led here, in their order. */
  readonly explanation: readonly string[]
}

/** Judges a packet by the table, as the kernel does. Pure. @throws Error when an address is none */
export function resolveService(table: ServiceTable, packet: ServicePacket): ServiceVerdict {
  const from = mustParse(packet.from)
  const to = mustParse(packet.to)
  const frontend = table.frontends.get(frontendKey(packet.protocol, packet.to, packet.port))
  if (!frontend) return withoutService(table.node, to)
  const sender = senderOf(table.node, from)
  const explanation = [`${frontend.key} is a ${frontend.kind} address of ${frontend.service}`]
  if (frontend.sourceRanges && !inAny(frontend.sourceRanges, from)) {
    return { action: 'drop', frontend, backends: [], explanation: [...explanation, `${packet.from} is not in loadBalancerSourceRanges`] }
  }
  const set = sender === 'outside' ? frontend.outside : frontend.inside
  if (frontend.policy === 'Local' && frontend.kind !== 'ClusterIP' && sender !== 'outside') {
    explanation.push(`the sender is ${sender === 'node' ? 'this node' : 'a pod of this node'}: external policy Local does not bind it`)
  }
  explanation.push(set.why)
  if (set.backends.length === 0) return { action: set.empty ?? 'reject', frontend, backends: [], explanation }
  const rewrite = sender === 'outside' && !frontend.keepsSource
  if (rewrite) explanation.push('the sender is not of this node: its address is masqueraded, so that answers come back through here')
  if (frontend.affinitySeconds !== undefined) explanation.push(`the client keeps its endpoint for ${frontend.affinitySeconds} s`)
  const backends = set.backends.map((backend) => ({
    ...backend,
    masquerade: rewrite || compareIp(mustParse(backend.address), from) === 0,
  }))
  return { action: 'forward', frontend, backends, explanation }
}

function withoutService(node: ServiceNode, to: IpBytes): ServiceVerdict {
  if (inAny(node.serviceRanges ?? [], to)) {
    return { action: 'reject', backends: [], explanation: ['the address is of the service range, but no service has it with this port'] }
  }
  return { action: 'pass', backends: [], explanation: ['no service has this address and port'] }
}

function senderOf(node: ServiceNode, from: IpBytes): 'node' | 'pod' | 'outside' {
  if (node.addresses.some((address) => compareIp(mustParse(address), from) === 0)) return 'node'
  return inAny(node.podRanges ?? [], from) ? 'pod' : 'outside'
}

function inAny(ranges: readonly string[], address: IpBytes): boolean {
  return ranges.some((range) => {
    const prefix = parsePrefix(range)
    return prefix !== undefined && prefixContains(prefix, address)
  })
}

function mustParse(text: string): IpBytes {
  const bytes = parseIp(text)
  if (!bytes) throw new Error(`"${text}" is no IP address`)
  return bytes
}
