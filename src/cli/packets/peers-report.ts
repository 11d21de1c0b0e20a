import type { PeerView } from '../../control-plane/routing/index.ts'
import type { PeersAnswer } from '../../protocols/node-explain.ts'
import { ageSince } from '../../api/print/human-duration.ts'
import { formatTable } from '../print/table.ts'
import type { NodeReply } from './ask-nodes.ts'

/** Neighbours of all nodes as a table. */
export function peersTable(
  replies: readonly NodeReply<PeersAnswer<PeerView>>[],
  options: { readonly wide: boolean; readonly nowMs: number },
): string {
  const head = ['NODE', 'PEER', 'ADDRESS', 'ASN', 'STATE', 'AGE', 'RECEIVED', 'ACCEPTED', 'SENT']
  const wideHead = ['ROUTER-ID', 'LOCAL', 'HOLD', 'BFD', 'UPS', 'LAST-ERROR']
  const rows = replies.flatMap(({ node, answer }) =>
    (answer?.peers ?? []).map((peer) => [
      node,
      peer.dynamic ? `${peer.name} (dynamic)` : peer.name,
      peer.address ?? '',
      textOf(peer.asn),
      peer.state ?? 'Unknown',
      ageSince(peer.since, options.nowMs),
      textOf(peer.prefixesReceived),
      textOf(peer.prefixesAccepted),
      textOf(peer.prefixesSent),
      ...(options.wide
        ? [
            peer.routerID ?? '',
            peer.localAddress ?? '',
            peer.holdSeconds === undefined ? '' : `${peer.holdSeconds}s`,
            peer.bfd ?? '',
            textOf(peer.transitions),
            peer.lastError ?? '',
          ]
        : []),
    ]),
  )
  return rows.length === 0 ? '' : formatTable([options.wide ? [...head, ...wideHead] : head, ...rows])
}

const textOf = (value: number | undefined): string => (value === undefined ? '' : String(value))
