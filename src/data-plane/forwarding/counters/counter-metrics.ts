import type { Metrics } from '../../../base/metrics.ts'
import type { PacketCounters, PacketCounterSource } from './packet-counters.ts'
import type { DirectionCounters } from './proc-net.ts'

/** What of a protocol is worth a series: what goes where it should not, and what that is to be compared with. */
const PROTOCOL_FIELDS =
  /^(Ip6?_(InReceives|InHdrErrors|InAddrErrors|InUnknownProtos|InDiscards|InDelivers|InNoRoutes|InTruncatedPkts|InTooBigErrors|ForwDatagrams|OutForwDatagrams|OutRequests|OutDiscards|OutNoRoutes|ReasmFails|FragFails)|IpExt_(InNoRoutes|InTruncatedPkts|InCsumErrors)|Icmp6?_(InMsgs|InErrors|OutMsgs|OutErrors|InDestUnreachs|OutDestUnreachs|InTimeExcds)|Udp6?_(InDatagrams|OutDatagrams|NoPorts|InErrors|RcvbufErrors|SndbufErrors|InCsumErrors)|Tcp_(ActiveOpens|PassiveOpens|AttemptFails|EstabResets|InSegs|OutSegs|RetransSegs|InErrs|OutRsts|InCsumErrors)|TcpExt_(ListenOverflows|ListenDrops|IPReversePathFilter|PFMemallocDrop|TCPBacklogDrop|TCPRcvQDrop|TCPReqQFullDrop|TCPReqQFullDoCookies|TCPTimeouts|TCPAbortOnMemory|TCPMinTTLDrop|TCPDeferAcceptDrop|SyncookiesSent|TCPMD5NotFound|TCPMD5Failure))$/

/** Interfaces beyond that many are not counted one by one. */
const MAX_DEVICES = 200

/**
 * Shows the counters by the names of node_exporter, read anew when metrics are rendered. Drop reasons have no name there:
 * `biplane_packet_drops_total{reason}`.
 * @param isCounted which interfaces get series; default: all but those of pods, which are in the counters' JSON form
 */
export function showPacketCounters(
  metrics: Metrics,
  source: PacketCounterSource,
  isCounted: (device: string) => boolean = (device) => !/^(veth|cali|bpl|pod)/.test(device),
): void {
  const set = totals(metrics)
  metrics.onRender(() => {
    const counters = source.read()
    showProtocols(set, counters)
    for (const { cpu, processed, dropped, squeezed } of counters.softnet) {
      set('node_softnet_processed_total', 'Packets that a processor took in.', processed, ['cpu', String(cpu)])
      set('node_softnet_dropped_total', 'Packets dropped because the queue of a processor was full.', dropped, ['cpu', String(cpu)])
      set('node_softnet_times_squeezed_total', 'Times a processor stopped with packets left.', squeezed, ['cpu', String(cpu)])
    }
    for (const { device, receive, transmit } of counters.links.filter((link) => isCounted(link.device)).slice(0, MAX_DEVICES)) {
      showDirection(set, 'receive', device, receive)
      showDirection(set, 'transmit', device, transmit)
    }
    for (const [reason, count] of Object.entries(counters.dropReasons?.byReason ?? {}))
      set('biplane_packet_drops_total', 'Packets dropped on this machine, by the reason that the kernel gives.', count, ['reason', reason])
    if (counters.dropReasons) set('biplane_packet_drops_lost_total', 'Packets dropped whose reason was lost.', counters.dropReasons.lost)
    showConntrack(metrics, set, counters)
  })
}

type SetTotal = (name: string, help: string, value: number, label?: readonly [name: string, value: string]) => void

function showProtocols(set: SetTotal, { protocols }: PacketCounters): void {
  for (const [protocol, fields] of Object.entries(protocols)) {
    for (const [field, value] of Object.entries(fields)) {
      const name = `${protocol}_${field}`
      if (PROTOCOL_FIELDS.test(name)) set(`node_netstat_${name}`, `Statistic ${protocol}${field}.`, value)
    }
  }
}

function showDirection(set: SetTotal, direction: 'receive' | 'transmit', device: string, counters: DirectionCounters): void {
  const fields = { bytes: counters.bytes, packets: counters.packets, errs: counters.errors, drop: counters.drops }
  for (const [field, value] of Object.entries(fields))
    set(`node_network_${direction}_${field}_total`, `Network device statistic ${direction}_${field}.`, value, ['device', device])
}

function showConntrack(metrics: Metrics, set: SetTotal, { conntrack }: PacketCounters): void {
  if (!conntrack) return
  metrics
    .gauge('node_nf_conntrack_entries', 'Flows that are tracked.')
    .with()
    .set(conntrack['entries'] ?? 0)
  metrics
    .gauge('node_nf_conntrack_entries_limit', 'Flows that can be tracked.')
    .with()
    .set(conntrack['limit'] ?? 0)
  for (const field of ['drop', 'early_drop', 'insert_failed', 'invalid'])
    set(`node_nf_conntrack_stat_${field}`, `Connection tracking statistic ${field}.`, conntrack[field] ?? 0)
}

/** Counters that take over the kernel's: they grow by what those have grown; where those begin anew, from there. */
function totals(metrics: Metrics): SetTotal {
  const last = new Map<string, number>()
  return (name, help, value, label) => {
    const key = label ? `${name} ${label[1]}` : name
    const before = last.get(key) ?? 0
    last.set(key, value)
    const counter = metrics.counter(name, help, label ? [label[0]] : [])
    counter.with(...(label ? [label[1]] : [])).inc(value >= before ? value - before : value)
  }
}
