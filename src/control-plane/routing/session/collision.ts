import type { OpenMessage } from '../../../protocols/bgp/message.ts'
import type { Connection, SessionOptions } from './session.ts'

/** What is to be done about several connections with one peer. */
export type Collision =
  /** These are closed; may be the new one. Mostly none. */
  | { readonly kind: 'resolved'; readonly losers: readonly Connection[] }
  /** The peer has restarted and knows nothing of the established connection (RFC 4724 section 5). */
  | { readonly kind: 'restarted'; readonly established: Connection }
  /** Either a collision or an unannounced restart: a sign of life on the established connection shows which. */
  | { readonly kind: 'probe'; readonly established: Connection }

/**
 * An OPEN has come on one of `connections`. Of two that are not established yet the one lives that was made by the side with the higher
 * router ID, or AS where those are equal (RFC 4271 section 6.8, RFC 6286). Both sides see it so, whatever the order of messages.
 */
export function collisionOf(
  options: SessionOptions,
  connections: readonly Connection[],
  next: { readonly connection: Connection; readonly open: OpenMessage },
): Collision {
  const { connection, open } = next
  const established = connections.find(({ stage }) => stage === 'established')
  if (established) {
    const restart = open.capabilities.find((one) => one.kind === 'graceful-restart')
    const isRestart = restart?.kind === 'graceful-restart' && restart.restarting
    return { kind: isRestart && established.negotiated?.gracefulRestart ? 'restarted' : 'probe', established }
  }
  const others = connections.filter((one) => one !== connection && one.side !== connection.side && one.stage.startsWith('open-'))
  if (others.length === 0) return { kind: 'resolved', losers: [] }
  const losing = isLower(options, open) ? 'out' : 'in'
  return { kind: 'resolved', losers: connection.side === losing ? [connection] : others }
}

/** Whether ours is the lower identifier. */
function isLower({ routerId, localAs }: SessionOptions, open: OpenMessage): boolean {
  if (routerId !== open.routerId) return routerId < open.routerId
  const as = open.capabilities.find((one) => one.kind === 'four-octet-as')
  return localAs < (as?.kind === 'four-octet-as' ? as.as : open.as)
}
