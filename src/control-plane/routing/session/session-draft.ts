import { bgpFault, describeNotification, ERROR_CODE, ERROR_SUBCODE } from '../../../protocols/bgp/faults.ts'
import type { BgpFault, Family, OpenMessage } from '../../../protocols/bgp/message.ts'
import { encodeShutdownText } from '../../../protocols/bgp/small-messages.ts'
import type { Negotiated } from './negotiate.ts'
import type { Connection, SessionAction, SessionOptions, SessionState, Stepped, StopReason, TimerName } from './session.ts'

const CEASE = ERROR_SUBCODE.cease
const STOPS = {
  shutdown: { subcode: CEASE.administrativeShutdown, again: false },
  deconfigured: { subcode: CEASE.peerDeconfigured, again: false },
  reset: { subcode: CEASE.administrativeReset, again: true },
  'configuration-change': { subcode: CEASE.configurationChange, again: true },
} as const satisfies Record<StopReason, unknown>

/** A session that was up is worth a quick second try. */
const QUICK_RETRY_MS = 1_000

/** The moves that steps are made of. One draft per step; `finish` gives the outcome. */
export class SessionDraft {
  readonly options: SessionOptions
  readonly #actions: SessionAction[] = []
  state: SessionState

  constructor(options: SessionOptions, state: SessionState) {
    this.options = options
    this.state = state
  }

  finish(): Stepped {
    return { state: this.state, actions: this.#actions }
  }

  do(action: SessionAction): void {
    this.#actions.push(action)
  }

  timer(timer: TimerName, ms: number, jitter = false): void {
    this.do({ kind: 'set-timer', timer, ms, jitter })
  }

  cancel(timer: TimerName): void {
    this.do({ kind: 'cancel-timer', timer })
  }

  connection(id: number): Connection | undefined {
    return this.state.connections.find((one) => one.id === id)
  }

  add(side: Connection['side'], stage: Connection['stage']): Connection {
    const connection: Connection = { id: this.state.nextId, side, stage }
    this.state = { ...this.state, nextId: connection.id + 1, connections: [...this.state.connections, connection] }
    return connection
  }

  replace(connection: Connection): void {
    const connections = this.state.connections.map((one) => (one.id === connection.id ? connection : one))
    this.state = { ...this.state, connections }
  }

  start(): void {
    this.cancel('idle-hold')
    this.state = { ...this.state, started: true, held: false }
    this.connect()
  }

  /** Calls the peer unless a connection is under way. */
  connect(): void {
    const { started, held, connections } = this.state
    if (!started || held || this.options.passive || connections.some(({ stage }) => stage !== 'connecting')) return
    for (const old of connections) this.drop(old)
    const { id } = this.add('out', 'connecting')
    this.do({ kind: 'connect', connection: id })
    this.#retry(this.options.connectRetrySeconds * 1000)
  }

  holdTimer(id: number, { holdSeconds }: Negotiated): void {
    if (holdSeconds === 0) this.cancel(`hold:${id}`)
    else this.timer(`hold:${id}`, holdSeconds * 1000)
  }

  keepaliveTimer(id: number, { keepaliveSeconds }: Negotiated): void {
    if (keepaliveSeconds > 0) this.timer(`keepalive:${id}`, keepaliveSeconds * 1000, true)
  }

  establish(connection: Connection, negotiated: Negotiated): void {
    this.cancel('connect-retry')
    this.cancel('restart')
    for (const other of this.state.connections) if (other.id !== connection.id) this.collided(other)
    this.replace({ ...connection, stage: 'established' })
    const forwarding = negotiated.gracefulRestart?.families.filter((one) => one.forwarding).map(({ family }) => family) ?? []
    const keepStale = this.state.stale.filter((family) => forwarding.includes(family))
    const { lastError: _, ...state } = this.state
    this.state = { ...state, stale: keepStale }
    this.do({ kind: 'up', connection: connection.id, negotiated, keepStale })
    const limit = this.options.gracefulRestart?.stalePathsTimeSeconds
    if (keepStale.length > 0 && limit !== undefined) this.timer('stale-paths', limit * 1000)
  }

  endOfRib(family: Family): void {
    if (!this.state.stale.includes(family)) return
    this.state = { ...this.state, stale: this.state.stale.filter((one) => one !== family) }
    if (this.state.stale.length === 0) this.cancel('stale-paths')
  }

  sweep(): void {
    const { stale } = this.state
    if (stale.length === 0) return
    this.state = { ...this.state, stale: [] }
    this.do({ kind: 'sweep', families: stale })
  }

  restartOver(): void {
    const { restarted: _, ...state } = this.state
    this.state = state
  }

  /** The connection ended by itself. */
  lost(connection: Connection, reason: string): void {
    this.#end(connection, reason, true)
  }

  /** The peer ended it with a NOTIFICATION. */
  notified(connection: Connection, reason: string, isHard: boolean): void {
    this.do({ kind: 'close', connection: connection.id })
    this.#end(connection, reason, !isHard && (connection.negotiated?.gracefulRestart?.notification ?? false))
  }

  /** We end it with a NOTIFICATION. */
  fail(connection: Connection, fault: BgpFault, hold?: number | 'forever'): void {
    // a peer that broke a bound is to lose its routes, whatever it can (RFC 8538 section 4)
    const isHard = hold !== undefined
    this.#notify(connection, fault, isHard)
    this.do({ kind: 'close', connection: connection.id })
    if (hold !== undefined) {
      this.state = { ...this.state, held: true }
      this.cancel('connect-retry')
      if (hold !== 'forever') this.timer('idle-hold', hold * 1000)
    }
    const about = describeNotification(fault.code, fault.subcode)
    this.#end(
      connection,
      fault.reason === about ? about : `${about}: ${fault.reason}`,
      !isHard && (connection.negotiated?.gracefulRestart?.notification ?? false),
    )
  }

  collided(connection: Connection): void {
    this.#notify(connection, bgpFault(ERROR_CODE.cease, CEASE.collisionResolution, 'another connection is used'), false)
    this.drop(connection)
  }

  /** The peer has restarted: its old connection is dead. */
  replaceEstablished(connection: Connection): void {
    this.do({ kind: 'close', connection: connection.id })
    this.#end(connection, 'the peer restarted', true)
  }

  bfdDown(reason: string, graceful: boolean): void {
    const connection = this.state.connections.find(({ stage }) => stage === 'established')
    if (!connection) return
    this.#notify(connection, bgpFault(ERROR_CODE.cease, CEASE.bfdDown, reason), !graceful)
    this.do({ kind: 'close', connection: connection.id })
    this.#end(connection, `BFD: ${reason}`, graceful)
  }

  stop(why: StopReason, text?: string): void {
    const { subcode, again } = STOPS[why]
    const data = text === undefined || text === '' ? undefined : encodeShutdownText(text)
    const fault = bgpFault(ERROR_CODE.cease, subcode, text ?? '', data)
    const keep = again
    for (const connection of this.state.connections) {
      this.#notify(connection, fault, !again)
      this.do({ kind: 'close', connection: connection.id })
      this.#forget(connection)
      if (connection.stage === 'established') this.#down(connection, describeNotification(6, subcode), keep && notifies(connection))
    }
    this.cancel('connect-retry')
    if (again) {
      // also where it is passive: the next options may not be
      if (this.state.started && !this.state.held) this.timer('connect-retry', QUICK_RETRY_MS, true)
      return
    }
    this.cancel('idle-hold')
    this.cancel('restart')
    this.sweep()
    this.state = { ...this.state, started: false, held: false }
  }

  leave(): void {
    for (const connection of this.state.connections) this.drop(connection)
    for (const timer of ['connect-retry', 'idle-hold', 'restart', 'stale-paths'] as const) this.cancel(timer)
    this.state = { ...this.state, started: false }
  }

  /** Closes without a word. */
  drop(connection: Connection): void {
    this.do({ kind: 'close', connection: connection.id })
    this.#forget(connection)
  }

  /** Takes up connections that waited for the fate of an established one, when there is none any more. */
  resume(onOpen: (connection: Connection, open: OpenMessage) => void): void {
    if (this.state.connections.some(({ stage }) => stage === 'established')) return
    const waiting = this.state.connections.find(({ pending }) => pending !== undefined)
    if (!waiting?.pending) return
    const { pending, ...connection } = waiting
    this.replace(connection)
    this.cancel(`collision:${connection.id}`)
    onOpen(connection, pending)
  }

  #end(connection: Connection, reason: string, mayKeep: boolean): void {
    this.#forget(connection)
    const isUp = connection.stage === 'established'
    if (isUp) this.#down(connection, reason, mayKeep)
    this.state = { ...this.state, lastError: reason }
    if (!this.state.started || this.state.held || this.state.connections.length > 0) return
    if (isUp) this.#retry(QUICK_RETRY_MS)
    else if (connection.side === 'out' || connection.stage !== 'connecting') this.#retry(this.options.connectRetrySeconds * 1000)
  }

  #retry(ms: number): void {
    if (!this.options.passive) this.timer('connect-retry', ms, true)
  }

  #down(connection: Connection, reason: string, mayKeep: boolean): void {
    const restart = connection.negotiated?.gracefulRestart
    const keepStale = mayKeep && restart && restart.restartTimeSeconds > 0 ? restart.families.map(({ family }) => family) : []
    this.cancel('stale-paths')
    this.state = { ...this.state, stale: keepStale }
    this.do({ kind: 'down', reason, keepStale })
    if (keepStale.length > 0) this.timer('restart', (restart?.restartTimeSeconds ?? 0) * 1000)
  }

  #notify(connection: Connection, fault: BgpFault, isHard: boolean): void {
    if (connection.stage === 'connecting' || connection.stage === 'delay-open') return
    const { code, subcode, data } = fault
    const wrap = isHard && connection.stage === 'established' && notifies(connection)
    this.do({
      kind: 'send-notification',
      connection: connection.id,
      ...(wrap
        ? { code: ERROR_CODE.cease, subcode: CEASE.hardReset, data: Uint8Array.of(code, subcode, ...data) }
        : { code, subcode, data }),
    })
  }

  #forget({ id }: Connection): void {
    this.state = { ...this.state, connections: this.state.connections.filter((one) => one.id !== id) }
    for (const name of ['hold', 'keepalive', 'delay-open', 'collision'] as const) this.cancel(`${name}:${id}`)
  }
}

/** Both sides keep routes over a NOTIFICATION that is no hard reset. */
function notifies(connection: Connection): boolean {
  return connection.negotiated?.gracefulRestart?.notification ?? false
}
