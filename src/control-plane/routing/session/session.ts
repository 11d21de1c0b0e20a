import type { BgpFault, Family, NotificationMessage, OpenMessage, RouteRefreshMessage } from '../../../protocols/bgp/message.ts'
import type { Negotiated } from './negotiate.ts'

/** What the state machine of a session has to know of its configuration. */
export interface SessionOptions {
  readonly localAs: number
  readonly routerId: number
  /** Whether the peer may be this AS. */
  readonly remoteAs: { readonly first: number; readonly last: number } | 'external' | 'internal'
  /** Not empty. */
  readonly families: readonly Family[]
  /** 0 or 3 to 65535. */
  readonly holdSeconds: number
  readonly keepaliveSeconds?: number
  readonly connectRetrySeconds: number
  /** Never connects. */
  readonly passive: boolean
  /** How long the OPEN of the peer is waited for before ours is sent. Default 0. */
  readonly delayOpenSeconds?: number
  readonly gracefulRestart?: { readonly restartTimeSeconds: number; readonly stalePathsTimeSeconds: number }
  readonly addPathReceive: boolean
  /** Offers IPv6 next hops for IPv4 routes (RFC 8950). */
  readonly extendedNextHop: boolean
}

/** States as RFC 4271 section 8 calls them. */
export type SessionPhase = 'Idle' | 'Connect' | 'Active' | 'OpenSent' | 'OpenConfirm' | 'Established'

/** One TCP connection of a session; there are several only until a collision is resolved. */
export interface Connection {
  readonly id: number
  readonly side: 'out' | 'in'
  readonly stage: 'connecting' | 'delay-open' | 'open-sent' | 'open-confirm' | 'established'
  readonly negotiated?: Negotiated
  /** The peer opened this one although another is established: waits until that one has proved alive or dead. */
  readonly pending?: OpenMessage
}

export interface SessionState {
  readonly started: boolean
  /** Kept down for a while, or for good, after the peer broke a bound. */
  readonly held: boolean
  readonly connections: readonly Connection[]
  readonly nextId: number
  /** Families whose routes of the last session are kept until the peer has sent them again. */
  readonly stale: readonly Family[]
  /** Our own restart: set until selection is no longer deferred. Families whose forwarding state was kept. */
  readonly restarted?: { readonly forwarding: readonly Family[] }
  readonly lastError?: string
}

/** `connection` is that of the event. */
export type SessionEvent =
  | { readonly kind: 'start' }
  /** Ends for a reason that the peer is told. `reset` and `configuration-change` start again. */
  | { readonly kind: 'stop'; readonly why: StopReason; readonly text?: string }
  /** Closes without a word, so that the peer keeps our routes (RFC 4724). */
  | { readonly kind: 'leave' }
  | { readonly kind: 'accepted' }
  | { readonly kind: 'connected'; readonly connection: number }
  | { readonly kind: 'closed'; readonly connection: number; readonly reason: string }
  | { readonly kind: 'open'; readonly connection: number; readonly open: OpenMessage }
  | { readonly kind: 'keepalive'; readonly connection: number }
  | { readonly kind: 'update'; readonly connection: number }
  | { readonly kind: 'refresh'; readonly connection: number; readonly refresh: RouteRefreshMessage }
  | { readonly kind: 'notification'; readonly connection: number; readonly notification: NotificationMessage }
  /** What was received cannot be. `hold`: how long the session stays down for it; `forever` until it is started again. */
  | { readonly kind: 'fault'; readonly connection: number; readonly fault: BgpFault; readonly hold?: number | 'forever' }
  | { readonly kind: 'end-of-rib'; readonly family: Family }
  /** The path to the peer is dead. */
  | { readonly kind: 'bfd-down'; readonly reason: string; readonly graceful: boolean }
  /** Our own routes are complete: the restart is over. */
  | { readonly kind: 'restart-over' }
  | { readonly kind: 'timer'; readonly timer: TimerName }

export type StopReason = 'shutdown' | 'deconfigured' | 'reset' | 'configuration-change'

/** Timers of a connection carry its number. */
export type TimerName =
  | 'connect-retry'
  /** Ends `held`. */
  | 'idle-hold'
  /** The peer restarts and has not come back. */
  | 'restart'
  /** The peer came back and has not sent all of its routes. */
  | 'stale-paths'
  | `hold:${number}`
  | `keepalive:${number}`
  | `delay-open:${number}`
  | `collision:${number}`

export type SessionAction =
  | { readonly kind: 'connect'; readonly connection: number }
  /** The connection of an `accepted` event is this one from now on. */
  | { readonly kind: 'adopt'; readonly connection: number }
  /** The connection of an `accepted` event is not wanted. */
  | { readonly kind: 'refuse' }
  | { readonly kind: 'close'; readonly connection: number }
  | { readonly kind: 'send-open'; readonly connection: number; readonly open: Omit<OpenMessage, 'type' | 'version'> }
  | { readonly kind: 'send-keepalive'; readonly connection: number }
  | {
      readonly kind: 'send-notification'
      readonly connection: number
      readonly code: number
      readonly subcode: number
      readonly data: Uint8Array
    }
  /** `jitter`: the shell takes 75 to 100 percent of it (RFC 4271 section 10). */
  | { readonly kind: 'set-timer'; readonly timer: TimerName; readonly ms: number; readonly jitter: boolean }
  | { readonly kind: 'cancel-timer'; readonly timer: TimerName }
  | { readonly kind: 'up'; readonly connection: number; readonly negotiated: Negotiated; readonly keepStale: readonly Family[] }
  | { readonly kind: 'down'; readonly reason: string; readonly keepStale: readonly Family[] }
  /** Remove what is still stale of these. */
  | { readonly kind: 'sweep'; readonly families: readonly Family[] }
  /** Routes of an UPDATE are taken, or asked for again, on the established connection. */
  | { readonly kind: 'deliver-refresh'; readonly refresh: RouteRefreshMessage }

export interface Stepped {
  readonly state: SessionState
  readonly actions: readonly SessionAction[]
}

/** A session that has not been started. @param restarted this process has restarted, and for which families the forwarding state was kept */
export function newSession(restarted?: { readonly forwarding: readonly Family[] }): SessionState {
  return { started: false, held: false, connections: [], nextId: 1, stale: [], ...(restarted ? { restarted } : {}) }
}

/** The state of the connection that got furthest. */
export function phaseOf(state: SessionState): SessionPhase {
  const has = (stage: Connection['stage']): boolean => state.connections.some((connection) => connection.stage === stage)
  if (has('established')) return 'Established'
  if (has('open-confirm')) return 'OpenConfirm'
  if (has('open-sent')) return 'OpenSent'
  if (!state.started || state.held) return 'Idle'
  return has('connecting') ? 'Connect' : 'Active'
}
