/**
 * What a node says of its packets, as JSON over the node link (see node-link.ts): `GET /verdict`, `/routes`, `/peers`, `/packet-counters`.
 * Every part tells what is in force on that node alone: of a packet that crosses two nodes each is asked for its half.
 */

export const VERDICT_PATH = '/verdict'
export const ROUTES_PATH = '/routes'
export const PEERS_PATH = '/peers'
export const COUNTERS_PATH = '/packet-counters'

export const PROTOCOLS = ['TCP', 'UDP', 'SCTP', 'ICMP'] as const

/** The first packet of a connection. Query of VERDICT_PATH. */
export interface VerdictQuestion {
  /** Addresses, as the sender has them: before services and masquerading. */
  readonly from: string
  readonly to: string
  readonly protocol: (typeof PROTOCOLS)[number]
  /** 0 where the protocol has none. */
  readonly port: number
}

/** What one direction of the packet policies says. */
export interface DirectionAnswer {
  readonly verdict: 'accept' | 'deny'
  /** Admin, NetworkPolicy, Baseline, or Default where nobody judged. */
  readonly tier: string
  /** `namespace/name`, or `name`. */
  readonly policy?: string
  readonly rule?: number
  readonly denyAction?: string
  readonly reason: string
  /** Counters of the rule in the kernel, since the node's agent began to count. */
  readonly packets?: number
  readonly bytes?: number
}

/** The route of the kernel's tables that a packet takes. */
export interface KernelRouteAnswer {
  readonly destination: string
  /** unicast, local, blackhole, ... */
  readonly type: string
  /** `via 192.0.2.1 dev eth0`; one per next hop. */
  readonly nextHops: readonly string[]
  /** Who made it: `biplane node`, `kernel`, ... */
  readonly owner: string
  readonly metric: number
  readonly table: number
}

/** One address that the packet may go on to. */
export interface WayAnswer {
  readonly address: string
  readonly port: number
  /** The receiver sees an address of the node instead of the sender's. */
  readonly masquerade: boolean
  /** Absent where the node has no packet policies. */
  readonly egress?: DirectionAnswer
  readonly ingress?: DirectionAnswer
  readonly route?: KernelRouteAnswer
  /** Why there is no route, or it is not known. */
  readonly routeProblem?: string
  /** The kernel has said that it has no route, or one that refuses. */
  readonly unroutable?: boolean
}

export interface ServiceAnswer {
  readonly action: 'pass' | 'forward' | 'reject' | 'drop'
  /** `TCP/10.96.0.1:80`. */
  readonly frontend?: string
  /** `namespace/name:port`. */
  readonly service?: string
  readonly explanation: readonly string[]
  /** With reject and drop: first packets that the kernel has turned away so. */
  readonly refused?: number
}

export interface VerdictAnswer {
  readonly node: string
  readonly question: VerdictQuestion
  /** Revisions of the store that the compiled artefacts were made from; absent: there is none in the kernel. */
  readonly revisions: { readonly services?: string; readonly policies?: string }
  /** Absent where the node has no service table in the kernel. */
  readonly service?: ServiceAnswer
  /** Where the packet may go on to; several behind a service. */
  readonly ways: readonly WayAnswer[]
  /** Endpoints that are not listed. */
  readonly omitted: number
}

/** Answer of ROUTES_PATH; `R` is a route as the router shows it. */
export interface RoutesAnswer<R> {
  readonly node: string
  readonly routes: readonly R[]
  /** Why the router has nothing to say. */
  readonly routerProblem?: string
  /** With a prefix: the kernel's route to its first address. */
  readonly kernel?: KernelRouteAnswer
  readonly kernelProblem?: string
}

/** Answer of PEERS_PATH; `P` is a neighbour as the router shows it. */
export interface PeersAnswer<P> {
  readonly node: string
  readonly peers: readonly P[]
  /** What of the configuration the router could not use. */
  readonly problems?: readonly string[]
  readonly routerProblem?: string
}

/** Reads the query of VERDICT_PATH. A string says what is wrong with it. Addresses are checked by whoever uses them. */
export function decodeVerdictQuestion(query: URLSearchParams): VerdictQuestion | string {
  const [from, to] = [query.get('from'), query.get('to')]
  const protocol = PROTOCOLS.find((name) => name === (query.get('protocol') ?? 'TCP').toUpperCase())
  const port = query.get('port') ?? '0'
  if (!from || !to) return 'say from=ADDRESS and to=ADDRESS'
  if (!protocol) return `the protocol is one of ${PROTOCOLS.join(', ')}`
  if (!/^\d{1,5}$/.test(port) || Number(port) > 65_535) return 'the port is a number up to 65535'
  return { from, to, protocol, port: Number(port) }
}

/** The reverse. */
export function encodeVerdictQuestion({ from, to, protocol, port }: VerdictQuestion): Record<string, string> {
  return { from, to, protocol, port: String(port) }
}
