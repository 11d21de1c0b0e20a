import { bgpFault, describeNotification, ERROR_CODE, ERROR_SUBCODE, isFault } from '../../../protocols/bgp/faults.ts'
import type { OpenMessage } from '../../../protocols/bgp/message.ts'
import { shutdownText } from '../../../protocols/bgp/small-messages.ts'
import { collisionOf } from './collision.ts'
import { negotiate, openOf, type Negotiated } from './negotiate.ts'
import { SessionDraft } from './session-draft.ts'
import type { Connection, SessionEvent, SessionOptions, SessionState, Stepped, TimerName } from './session.ts'

/** How long an OPEN is waited for (RFC 4271 section 8.2.2 suggests four minutes). */
const OPEN_WAIT_MS = 240_000
/** A session that is established answers a probe within this time, or a reset comes back from a peer that knows nothing of it. */
const PROBE_MS = 1_500

/**
 * The state machine of a session with one peer: RFC 4271 section 8 with collisions, RFC 4724 and RFC 8538 for graceful restart, RFC 6608 for
 * what is said of surprises. Pure: what is to be done comes back as actions, in order.
 *
 * UPDATEs are judged by the Rib, not here; an `update` event tells only that one came.
 */
export function step(options: SessionOptions, state: SessionState, event: SessionEvent): Stepped {
  const draft = new SessionDraft(options, state)
  switch (event.kind) {
    case 'start':
      if (state.started && !state.held) break
      draft.start()
      break
    case 'stop':
      draft.stop(event.why, event.text)
      break
    case 'leave':
      draft.leave()
      break
    case 'accepted':
      onAccepted(draft)
      break
    case 'restart-over':
      draft.restartOver()
      break
    case 'bfd-down':
      draft.bfdDown(event.reason, event.graceful)
      break
    case 'end-of-rib':
      draft.endOfRib(event.family)
      break
    case 'timer':
      onTimer(draft, event.timer)
      break
    default: {
      const connection = draft.connection(event.connection)
      // what a connection that is closed by now had still to say
      if (connection) onConnection(draft, connection, event)
    }
  }
  draft.resume((pending, message) => onOpen(draft, pending, message))
  return draft.finish()
}

type ConnectionEvent = Extract<SessionEvent, { readonly connection: number }>

function onConnection(draft: SessionDraft, connection: Connection, event: ConnectionEvent): void {
  switch (event.kind) {
    case 'connected':
      draft.cancel('connect-retry')
      open(draft, connection)
      break
    case 'closed':
      draft.lost(connection, event.reason)
      break
    case 'open':
      onOpen(draft, connection, event.open)
      break
    case 'keepalive':
      onKeepalive(draft, connection)
      break
    case 'update':
    case 'refresh':
      if (connection.stage !== 'established') surprise(draft, connection, event.kind === 'update' ? 'UPDATE' : 'ROUTE-REFRESH')
      else if (event.kind === 'refresh') draft.do({ kind: 'deliver-refresh', refresh: event.refresh })
      break
    case 'notification': {
      const { code, subcode, data } = event.notification
      const isHard = code === ERROR_CODE.cease && subcode === ERROR_SUBCODE.cease.hardReset
      const inner = isHard && data.length >= 2 ? ` (${describeNotification(data[0] as number, data[1] as number)})` : ''
      const text = shutdownText(event.notification)
      const said = text === undefined ? '' : `: "${text}"`
      draft.notified(connection, `the peer said: ${describeNotification(code, subcode)}${inner}${said}`, isHard)
      break
    }
    case 'fault':
      draft.fail(connection, event.fault, event.hold)
      break
  }
}

function onAccepted(draft: SessionDraft): void {
  const { state } = draft
  // an unanswered connection of the peer that is followed by another is one that the peer has given up
  for (const old of state.connections) if (old.side === 'in' && old.stage === 'open-sent' && !old.pending) draft.drop(old)
  if (!state.started || state.held || draft.state.connections.length >= 3) return draft.do({ kind: 'refuse' })
  const connection = draft.add('in', 'connecting')
  draft.do({ kind: 'adopt', connection: connection.id })
  const delay = draft.options.delayOpenSeconds ?? 0
  if (delay === 0) return open(draft, connection)
  draft.replace({ ...connection, stage: 'delay-open' })
  draft.timer(`delay-open:${connection.id}`, delay * 1000)
}

function open(draft: SessionDraft, connection: Connection): void {
  draft.replace({ ...connection, stage: 'open-sent' })
  draft.do({ kind: 'send-open', connection: connection.id, open: openOf(draft.options, draft.state.restarted) })
  draft.timer(`hold:${connection.id}`, OPEN_WAIT_MS)
}

function onOpen(draft: SessionDraft, connection: Connection, message: OpenMessage): void {
  if (connection.stage === 'open-confirm' || connection.stage === 'established') return surprise(draft, connection, 'OPEN')
  if (connection.stage === 'connecting' || connection.stage === 'delay-open') {
    draft.cancel(`delay-open:${connection.id}`)
    open(draft, connection)
  }
  const negotiated = negotiate(draft.options, message)
  if (isFault(negotiated)) return draft.fail(connection, negotiated)
  const current = draft.connection(connection.id) as Connection
  const verdict = collisionOf(draft.options, draft.state.connections, { connection: current, open: message })
  if (verdict.kind === 'restarted') draft.replaceEstablished(verdict.established)
  else if (verdict.kind === 'probe') {
    draft.replace({ ...current, pending: message })
    draft.do({ kind: 'send-keepalive', connection: verdict.established.id })
    return draft.timer(`collision:${connection.id}`, PROBE_MS)
  } else {
    for (const loser of verdict.losers) draft.collided(loser)
    if (verdict.losers.includes(current)) return
  }
  confirm(draft, current, negotiated)
}

function confirm(draft: SessionDraft, connection: Connection, negotiated: Negotiated): void {
  const { pending: _, ...rest } = connection
  draft.replace({ ...rest, stage: 'open-confirm', negotiated })
  draft.do({ kind: 'send-keepalive', connection: connection.id })
  draft.holdTimer(connection.id, negotiated)
  draft.keepaliveTimer(connection.id, negotiated)
}

function onKeepalive(draft: SessionDraft, connection: Connection): void {
  if (connection.stage === 'established') return
  if (connection.stage !== 'open-confirm' || !connection.negotiated) {
    // the peer took the connection for good, which is still waiting here for a probe
    if (connection.pending) return
    return surprise(draft, connection, 'KEEPALIVE')
  }
  draft.establish(connection, connection.negotiated)
}

function onTimer(draft: SessionDraft, timer: TimerName): void {
  if (timer === 'connect-retry') return draft.connect()
  if (timer === 'idle-hold') return draft.start()
  if (timer === 'restart' || timer === 'stale-paths') return draft.sweep()
  const [name, id] = timer.split(':') as [string, string]
  const connection = draft.connection(Number(id))
  if (!connection) return
  if (name === 'delay-open') open(draft, connection)
  else if (name === 'hold') draft.fail(connection, bgpFault(ERROR_CODE.holdTimer, 0, 'hold timer expired'))
  else if (name === 'collision') draft.collided(connection)
  else if (connection.negotiated) {
    draft.do({ kind: 'send-keepalive', connection: connection.id })
    draft.keepaliveTimer(connection.id, connection.negotiated)
  }
}

/** RFC 6608. */
function surprise(draft: SessionDraft, connection: Connection, what: string): void {
  const subcodes = { 'open-confirm': ERROR_SUBCODE.fsm.openConfirm, established: ERROR_SUBCODE.fsm.established } as const
  const subcode = connection.stage in subcodes ? subcodes[connection.stage as keyof typeof subcodes] : ERROR_SUBCODE.fsm.openSent
  const state = { 'open-confirm': 'OpenConfirm', established: 'Established' }[connection.stage as 'established'] ?? 'OpenSent'
  draft.fail(connection, bgpFault(ERROR_CODE.fsm, subcode, `${what} in state ${state}`))
}
