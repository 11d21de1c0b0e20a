import type { Random } from '../../../base/backoff.ts'
import type { Clock, Timer } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import {
  bgpFault,
  decodeNotification,
  decodeOpen,
  decodeRouteRefresh,
  encodeNotification,
  encodeOpen,
  ERROR_CODE,
  ERROR_SUBCODE,
  isFault,
  KEEPALIVE_BYTES,
  MESSAGE_TYPE,
  type BgpFault,
  type Family,
  type MessageType,
  type RouteRefreshMessage,
} from '../../../protocols/bgp/index.ts'
import type { TransportConfig } from '../config/routing-config.ts'
import type { BgpSocket, BgpSockets, ConnectTarget } from './bgp-sockets.ts'
import type { Negotiated } from './negotiate.ts'
import { PeerLink } from './peer-link.ts'
import { newSession, phaseOf, type SessionAction, type SessionEvent, type SessionOptions, type SessionPhase } from './session.ts'
import { step } from './step.ts'

/** What an established session brings and takes. Called synchronously. */
export interface SessionSink {
  up(session: Negotiated, keepStale: readonly Family[], addresses: { readonly local?: string; readonly remote?: string }): void
  down(reason: string, keepStale: readonly Family[]): void
  sweep(families: readonly Family[]): void
  /** Body of an UPDATE. @returns what ends the session, and for how long it stays down */
  update(body: Uint8Array): { readonly fault: BgpFault; readonly hold?: number | 'forever' } | { readonly endOfRib?: Family }
  refresh(message: RouteRefreshMessage): void
  /** About `maxBytes` of whole messages to send, or undefined. */
  take(maxBytes: number): Uint8Array | undefined
  changed(): void
}

export interface BgpSessionDependencies {
  readonly sockets: BgpSockets
  readonly clock: Clock
  readonly random: Random
  readonly log: Logger
  readonly sink: SessionSink
  /** This process has restarted, and for which families the forwarding state was kept. */
  readonly restarted?: { readonly forwarding: readonly Family[] }
}

const TAKE_BYTES = 64 * 1024
/** Messages taken in one go before others get a turn. */
const TAKES = 4
/** RFC 9687: at least eight minutes. */
const SEND_HOLD_MS = 480_000

/** A session as it stands. */
export interface SessionReport {
  readonly phase: SessionPhase
  readonly sinceMs: number
  readonly negotiated?: Negotiated
  readonly localAddress?: string
  readonly lastError?: string
  readonly messagesReceived: number
  readonly messagesSent: number
  readonly transitions: number
  /** Routes of the session before are kept. */
  readonly keepsStale: boolean
}

/** Carries out what `step` decides: connections, timers, and the way of UPDATEs between the peer and the Rib. */
export class BgpSession {
  readonly #target: ConnectTarget
  readonly #dependencies: BgpSessionDependencies
  readonly #links = new Map<number, PeerLink>()
  readonly #timers = new Map<string, Timer>()
  #options: SessionOptions
  #transport: TransportConfig
  #state: ReturnType<typeof newSession>
  #arriving: BgpSocket | undefined
  #established: number | undefined
  #isPumping = false
  #phase: SessionPhase = 'Idle'
  #sinceMs: number
  #received = 0
  #sent = 0
  #transitions = 0

  constructor(target: ConnectTarget, options: SessionOptions, transport: TransportConfig, dependencies: BgpSessionDependencies) {
    this.#target = target
    this.#options = options
    this.#transport = transport
    this.#dependencies = dependencies
    this.#state = newSession(dependencies.restarted)
    this.#sinceMs = dependencies.clock.now()
  }

  report(): SessionReport {
    const link = this.#established === undefined ? undefined : this.#links.get(this.#established)
    const negotiated = this.#state.connections.find(({ stage }) => stage === 'established')?.negotiated
    return {
      phase: this.#phase,
      sinceMs: this.#sinceMs,
      ...(negotiated ? { negotiated } : {}),
      ...(link?.localAddress === undefined ? {} : { localAddress: link.localAddress }),
      ...(this.#state.lastError === undefined ? {} : { lastError: this.#state.lastError }),
      messagesReceived: this.#received,
      messagesSent: this.#sent,
      transitions: this.#transitions,
      keepsStale: this.#state.stale.length > 0,
    }
  }

  get isEstablished(): boolean {
    return this.#established !== undefined
  }

  /** New options; a session that is up is ended first by whoever knows that they matter. */
  configure(options: SessionOptions, transport: TransportConfig): void {
    this.#options = options
    this.#transport = transport
  }

  /** Anything that happens but what sockets and timers tell. */
  handle(event: SessionEvent): void {
    const stepped = step(this.#options, this.#state, event)
    this.#state = stepped.state
    for (const action of stepped.actions) this.#do(action)
    const phase = phaseOf(this.#state)
    if (phase === this.#phase) return
    this.#phase = phase
    this.#sinceMs = this.#dependencies.clock.now()
    this.#dependencies.sink.changed()
  }

  /** A connection that the peer made. */
  accept(socket: BgpSocket): void {
    this.#arriving = socket
    this.handle({ kind: 'accepted' })
    this.#arriving = undefined
  }

  /** Routes wait to be sent. */
  pump(): void {
    if (this.#isPumping || this.#established === undefined) return
    const link = this.#links.get(this.#established)
    if (!link) return
    for (let takes = 0; takes <= TAKES; takes++) {
      if (!link.hasRoom) return
      if (takes === TAKES) {
        this.#isPumping = true
        setImmediate(() => {
          this.#isPumping = false
          this.pump()
        })
        return
      }
      const bytes = this.#dependencies.sink.take(TAKE_BYTES)
      if (!bytes) return
      this.#sent++
      link.write(bytes)
    }
  }

  /** A whole message on the established connection. */
  send(message: Uint8Array): void {
    if (this.#established !== undefined) this.#write(this.#established, message)
  }

  #do(action: SessionAction): void {
    const { sink, clock, random } = this.#dependencies
    switch (action.kind) {
      case 'connect':
        return this.#connect(action.connection)
      case 'adopt':
        if (this.#arriving) this.#adopt(action.connection, this.#arriving)
        return
      case 'refuse':
        return void this.#arriving?.destroy()
      case 'close': {
        const link = this.#links.get(action.connection)
        this.#links.delete(action.connection)
        return link?.close()
      }
      case 'send-open':
        return this.#write(action.connection, encodeOpen(action.open))
      case 'send-keepalive':
        return this.#keepalive(action.connection)
      case 'send-notification':
        return this.#write(action.connection, encodeNotification(action))
      case 'set-timer': {
        const { timer, ms, jitter } = action
        if (timer.startsWith('hold:')) return this.#links.get(Number(timer.slice(5)))?.expectWithin(ms)
        this.#timers.get(timer)?.cancel()
        const delay = jitter ? ms * (0.75 + random() / 4) : ms
        this.#timers.set(
          timer,
          clock.after(delay, () => {
            this.#timers.delete(timer)
            this.handle({ kind: 'timer', timer })
          }),
        )
        return
      }
      case 'cancel-timer':
        if (action.timer.startsWith('hold:')) return this.#links.get(Number(action.timer.slice(5)))?.expectWithin(0)
        this.#timers.get(action.timer)?.cancel()
        this.#timers.delete(action.timer)
        return
      case 'up': {
        this.#established = action.connection
        this.#transitions++
        const link = this.#links.get(action.connection)
        const { localAddress: local, remoteAddress: remote } = link ?? {}
        sink.up(action.negotiated, action.keepStale, {
          ...(local === undefined ? {} : { local }),
          ...(remote === undefined ? {} : { remote }),
        })
        return this.pump()
      }
      case 'down':
        this.#established = undefined
        return sink.down(action.reason, action.keepStale)
      case 'sweep':
        return sink.sweep(action.families)
      case 'deliver-refresh':
        return sink.refresh(action.refresh)
    }
  }

  #connect(connection: number): void {
    const { sockets, log } = this.#dependencies
    try {
      this.#adopt(connection, sockets.connect(this.#target, this.#transport))
    } catch (error) {
      log.debug('connection not possible', { error: messageOf(error) })
      // not from inside a step
      queueMicrotask(() => this.handle({ kind: 'closed', connection, reason: messageOf(error) }))
    }
  }

  #adopt(connection: number, socket: BgpSocket): void {
    const link = new PeerLink(
      socket,
      {
        onConnected: () => this.handle({ kind: 'connected', connection }),
        onMessage: (type, body) => this.#receive(connection, type, body),
        onFault: (fault) => this.handle({ kind: 'fault', connection, fault }),
        onClosed: (reason) => {
          this.#links.delete(connection)
          this.handle({ kind: 'closed', connection, reason })
        },
        onDrain: () => this.pump(),
        onHoldExpired: () => this.handle({ kind: 'timer', timer: `hold:${connection}` }),
      },
      this.#dependencies.clock,
    )
    this.#links.set(connection, link)
  }

  #receive(connection: number, type: MessageType, body: Uint8Array): void {
    this.#received++
    switch (type) {
      case MESSAGE_TYPE.update:
        if (connection !== this.#established) return this.handle({ kind: 'update', connection })
        return this.#update(connection, body)
      case MESSAGE_TYPE.keepalive:
        // the usual case, and nothing to decide
        if (connection !== this.#established) this.handle({ kind: 'keepalive', connection })
        return
      case MESSAGE_TYPE.open: {
        const open = decodeOpen(body)
        if (isFault(open)) return this.handle({ kind: 'fault', connection, fault: open })
        this.handle({ kind: 'open', connection, open })
        return this.#widen(connection)
      }
      case MESSAGE_TYPE.notification:
        return this.handle({ kind: 'notification', connection, notification: decodeNotification(body) })
      case MESSAGE_TYPE.routeRefresh: {
        const refresh = decodeRouteRefresh(body)
        if (isFault(refresh)) return this.handle({ kind: 'fault', connection, fault: refresh })
        return this.handle({ kind: 'refresh', connection, refresh })
      }
    }
  }

  /** What was agreed on holds from the next message on. */
  #widen(connection: number): void {
    const negotiated = this.#state.connections.find(({ id }) => id === connection)?.negotiated
    const link = this.#links.get(connection)
    if (negotiated && link) link.maxMessageBytes = negotiated.wire.maxMessageBytes
  }

  #update(connection: number, body: Uint8Array): void {
    const outcome = this.#dependencies.sink.update(body)
    if ('fault' in outcome) this.handle({ kind: 'fault', connection, ...outcome })
    else if (outcome.endOfRib !== undefined) this.handle({ kind: 'end-of-rib', family: outcome.endOfRib })
  }

  #keepalive(connection: number): void {
    this.#write(connection, KEEPALIVE_BYTES)
    const link = this.#links.get(connection)
    const holdMs = (this.#state.connections.find(({ id }) => id === connection)?.negotiated?.holdSeconds ?? 0) * 1000
    if (!link || link.stuckMs() <= Math.max(SEND_HOLD_MS, 2 * holdMs)) return
    const fault = bgpFault(ERROR_CODE.cease, ERROR_SUBCODE.cease.outOfResources, 'the peer does not take what is sent (RFC 9687)')
    queueMicrotask(() => this.handle({ kind: 'fault', connection, fault }))
  }

  #write(connection: number, bytes: Uint8Array): void {
    const link = this.#links.get(connection)
    if (!link) return
    this.#sent++
    link.write(bytes)
  }
}
