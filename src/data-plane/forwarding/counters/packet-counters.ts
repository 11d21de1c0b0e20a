import { readFileSync } from 'node:fs'
import { systemClock, type Clock } from '../../../base/clock.ts'
import { inNetworkNamespace } from '../../../base/linux/network-namespace.ts'
import { openDropReasons, type DropReasons, type DropReasonsProblem } from './drop-reasons.ts'
import {
  parseConntrackStatistics,
  parseLinks,
  parseProtocolCounters,
  parseSnmp6,
  parseSoftnet,
  type LinkCounters,
  type ProtocolCounters,
  type SoftnetCounters,
} from './proc-net.ts'

/** What became of packets, as JSON. */
export interface PacketCounters {
  /** /proc/net/snmp, snmp6 and netstat: Ip, Ip6, Icmp, Tcp, TcpExt, Udp, ... */
  readonly protocols: ProtocolCounters
  /** Of the whole machine. */
  readonly softnet: readonly SoftnetCounters[]
  readonly links: readonly LinkCounters[]
  /** Connection tracking: entries, limit, drops; absent where it is not loaded. */
  readonly conntrack?: Readonly<Record<string, number>>
  /** Of the whole machine, since this process counts; absent where the kernel does not tell. */
  readonly dropReasons?: { readonly byReason: Readonly<Record<string, number>>; readonly lost: number }
  /** What cannot be told here, and what to do about it. */
  readonly missing: readonly DropReasonsProblem[]
}

export interface PacketCountersOptions {
  /** Path of a network namespace; default: that of this process. */
  readonly namespace?: string
  readonly clock?: Clock
  /** Mount point of tracefs; default: the usual ones. `false`: drop reasons are not counted. */
  readonly tracefs?: string | false
}

export interface PacketCounterSource {
  read(): PacketCounters
  close(): void
}

/** Reads the kernel's packet counters. Works without root, then without drop reasons. */
export function openPacketCounters(options: PacketCountersOptions = {}): PacketCounterSource {
  const reasons = options.tracefs === false ? undefined : openDropReasons(options.clock ?? systemClock, options.tracefs)
  const counted = reasons && 'byReason' in reasons ? reasons : undefined
  return {
    read: () => readCounters(options.namespace, counted, reasons && !('byReason' in reasons) ? [reasons] : []),
    close: () => counted?.close(),
  }
}

function readCounters(
  namespace: string | undefined,
  reasons: DropReasons | undefined,
  missing: readonly DropReasonsProblem[],
): PacketCounters {
  const files = ['snmp', 'netstat', 'snmp6', 'softnet_stat', 'dev', 'stat/nf_conntrack']
  const readAll = (): readonly string[] => [
    ...files.map((name) => readIfThere(`/proc/thread-self/net/${name}`)),
    readIfThere('/proc/sys/net/netfilter/nf_conntrack_max'),
  ]
  const [snmp = '', netstat = '', snmp6 = '', softnet = '', dev = '', conntrack = '', limit = ''] =
    namespace === undefined ? readAll() : inNetworkNamespace(namespace, readAll)
  reasons?.read()
  return {
    protocols: { ...parseProtocolCounters(snmp), ...parseProtocolCounters(netstat), ...parseSnmp6(snmp6) },
    softnet: parseSoftnet(softnet),
    links: parseLinks(dev),
    ...(conntrack !== '' && { conntrack: { ...parseConntrackStatistics(conntrack), limit: Number(limit) } }),
    ...(reasons && { dropReasons: { byReason: Object.fromEntries(reasons.byReason), lost: reasons.lost } }),
    missing: reasons?.problem ? [...missing, reasons.problem] : missing,
  }
}

/** Absent where a module is not loaded. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
