import { formatIp } from '../../base/ip.ts'
import type { Metrics } from '../../base/metrics.ts'
import type { Speaker } from '../../control-plane/routing/index.ts'

/** Sets the metrics of a router when they are asked for. */
export function watchRouterMetrics(metrics: Metrics, speaker: Speaker): void {
  const labels = ['peer', 'address']
  const up = metrics.gauge('bgp_peer_up', 'Whether the session is established.', labels)
  const transitions = metrics.gauge('bgp_peer_established_count', 'How often the session was established.', labels)
  const received = metrics.gauge('bgp_peer_prefixes_received', 'Prefixes received from the peer.', [...labels, 'family'])
  const accepted = metrics.gauge('bgp_peer_prefixes_accepted', 'Prefixes that the import policy let through.', [...labels, 'family'])
  const stale = metrics.gauge('bgp_peer_prefixes_stale', 'Prefixes kept while the peer restarts.', [...labels, 'family'])
  const sent = metrics.gauge('bgp_peer_prefixes_advertised', 'Prefixes announced to the peer.', [...labels, 'family'])
  const messagesIn = metrics.gauge('bgp_peer_messages_received', 'Messages of the peer since the process started.', labels)
  const messagesOut = metrics.gauge('bgp_peer_messages_sent', 'Messages to the peer since the process started.', labels)
  const bfd = metrics.gauge('bfd_session_up', 'Whether BFD with the peer is up.', labels)
  const prefixes = metrics.gauge('bgp_prefixes', 'Prefixes known.', ['family'])
  const paths = metrics.gauge('bgp_paths', 'Paths known.').with()
  const decisions = metrics.gauge('bgp_decisions', 'Best path selections since the process started.').with()
  const memory = metrics.gauge('bgp_rib_memory_bytes', 'Memory of the tables of routes.').with()
  const refused = metrics.gauge('bgp_fib_problems', 'Routes that the kernel refused last.').with()
  const deferring = metrics.gauge('bgp_restart_deferring', 'Whether route selection waits for peers after a restart.').with()
  metrics.onRender(() => {
    for (const neighbor of speaker.neighbors) {
      const names = [neighbor.config.name, formatIp(neighbor.address)]
      const { phase, transitions: count, messagesReceived, messagesSent } = neighbor.session
      up.with(...names).set(phase === 'Established' ? 1 : 0)
      transitions.with(...names).set(count)
      messagesIn.with(...names).set(messagesReceived)
      messagesOut.with(...names).set(messagesSent)
      if (neighbor.bfdState !== undefined) bfd.with(...names).set(neighbor.bfdState === 'Up' ? 1 : 0)
      const counters = speaker.rib?.peerCounters(neighbor.handle)
      for (const family of [4, 6] as const) {
        const all = [...names, `ipv${family}`]
        received.with(...all).set(counters?.received[family] ?? 0)
        accepted.with(...all).set(counters?.accepted[family] ?? 0)
        stale.with(...all).set(counters?.stale[family] ?? 0)
        sent.with(...all).set(counters?.advertised[family] ?? 0)
      }
    }
    const rib = speaker.rib?.counters()
    for (const family of [4, 6] as const) prefixes.with(`ipv${family}`).set(rib?.prefixes[family] ?? 0)
    paths.set(rib?.paths ?? 0)
    decisions.set(rib?.decisions ?? 0)
    memory.set(rib?.memoryBytes ?? 0)
    refused.set(speaker.fibProblems.length)
    deferring.set(speaker.isDeferring ? 1 : 0)
  })
}
