import { BFD_DIAGNOSTIC, type BfdPacket, type BfdState } from '../../../protocols/bfd/index.ts'

export interface BfdOptions {
  /** 1 to 0xffffffff, unique on this node. */
  readonly discriminator: number
  readonly minTxMs: number
  readonly minRxMs: number
  readonly detectMultiplier: number
}

/** A session as RFC 5880 section 6.8.1 describes it; times in milliseconds. */
export interface BfdSessionState {
  readonly state: BfdState
  readonly diagnostic: number
  /** 0: not known. */
  readonly remoteDiscriminator: number
  readonly remoteState: BfdState
  readonly remoteMinRxMs: number
  readonly remoteMinTxMs: number
  readonly remoteMultiplier: number
  /** The neighbour said that its forwarding does not depend on its control plane. */
  readonly remoteIndependent: boolean
  /** A change of our intervals waits for its answer. */
  readonly polling: boolean
}

export type BfdEvent =
  | { readonly kind: 'start' }
  /** Tells the neighbour that this is no failure. */
  | { readonly kind: 'stop' }
  | { readonly kind: 'packet'; readonly packet: BfdPacket }
  | { readonly kind: 'timer'; readonly timer: 'transmit' | 'detect' }

export type BfdAction =
  | { readonly kind: 'send'; readonly packet: BfdPacket }
  /** `jitter`: the shell takes 75 to `percent` percent of it (RFC 5880 section 6.8.7). */
  | { readonly kind: 'set-timer'; readonly timer: 'transmit' | 'detect'; readonly ms: number; readonly jitterPercent?: number }
  | { readonly kind: 'cancel-timer'; readonly timer: 'transmit' | 'detect' }
  | { readonly kind: 'up' }
  /** The path is dead, unless the neighbour was shut down on purpose. */
  | { readonly kind: 'down'; readonly reason: string; readonly deliberate: boolean }

export interface BfdStepped {
  readonly state: BfdSessionState
  readonly actions: readonly BfdAction[]
}

/** As slow as packets must be while a session is not up. */
const SLOW_MS = 1_000

export function newBfdSession(): BfdSessionState {
  return {
    state: 'AdminDown',
    diagnostic: BFD_DIAGNOSTIC.none,
    remoteDiscriminator: 0,
    remoteState: 'Down',
    remoteMinRxMs: 0.001,
    remoteMinTxMs: 0,
    remoteMultiplier: 0,
    remoteIndependent: false,
    polling: false,
  }
}

/** Asynchronous mode in the active role (RFC 5880 section 6.8). Pure. */
export function stepBfd(options: BfdOptions, before: BfdSessionState, event: BfdEvent): BfdStepped {
  switch (event.kind) {
    case 'start':
      return before.state === 'AdminDown' ? transmit(options, { ...newBfdSession(), state: 'Down' }) : { state: before, actions: [] }
    case 'stop': {
      const state: BfdSessionState = { ...before, state: 'AdminDown', diagnostic: BFD_DIAGNOSTIC.administrativelyDown, polling: false }
      return {
        state,
        actions: [
          { kind: 'send', packet: packetOf(options, state) },
          { kind: 'cancel-timer', timer: 'transmit' },
          { kind: 'cancel-timer', timer: 'detect' },
        ],
      }
    }
    case 'timer':
      if (before.state === 'AdminDown') return { state: before, actions: [] }
      return event.timer === 'transmit' ? transmit(options, before) : expire(options, before)
    case 'packet':
      return before.state === 'AdminDown' ? { state: before, actions: [] } : receive(options, before, event.packet)
  }
}

/** Milliseconds without packets after which the neighbour is taken for dead. */
export function detectionMs(options: BfdOptions, { remoteMultiplier, remoteMinTxMs }: BfdSessionState): number {
  return remoteMultiplier * Math.max(options.minRxMs, remoteMinTxMs)
}

function receive(options: BfdOptions, before: BfdSessionState, packet: BfdPacket): BfdStepped {
  if (packet.yourDiscriminator !== 0 && packet.yourDiscriminator !== options.discriminator) return { state: before, actions: [] }
  const known: BfdSessionState = {
    ...before,
    remoteDiscriminator: packet.myDiscriminator,
    remoteState: packet.state,
    remoteMinRxMs: packet.requiredMinRxMicroseconds / 1000,
    remoteMinTxMs: packet.desiredMinTxMicroseconds / 1000,
    remoteMultiplier: packet.detectMultiplier,
    remoteIndependent: packet.controlPlaneIndependent,
    polling: before.polling && !packet.final,
  }
  const next = transition(known, packet.state)
  const actions: BfdAction[] = []
  // a neighbour that was up sends again as fast as agreed on
  actions.push({ kind: 'set-timer', timer: 'detect', ms: detectionMs(options, next) })
  if (next.state !== before.state) {
    if (next.state === 'Up') actions.push({ kind: 'up' })
    if (before.state === 'Up') {
      const deliberate = packet.state === 'AdminDown'
      actions.push({ kind: 'down', reason: deliberate ? 'shut down by the neighbour' : 'the neighbour does not hear us', deliberate })
    }
  }
  if (packet.poll) actions.push({ kind: 'send', packet: { ...packetOf(options, next), poll: false, final: true } })
  const isFaster = intervalMs(options, next) < intervalMs(options, before)
  if (next.state === before.state && !isFaster) return { state: next, actions }
  const sent = transmit(options, next)
  return { state: sent.state, actions: [...actions, ...sent.actions] }
}

function transition(session: BfdSessionState, remote: BfdState): BfdSessionState {
  const { state } = session
  if (remote === 'AdminDown') return state === 'Down' ? session : down(session, BFD_DIAGNOSTIC.neighborSignaledDown)
  if (state === 'Down') {
    if (remote === 'Down') return { ...session, state: 'Init' }
    return remote === 'Init' ? up(session) : session
  }
  if (state === 'Init') return remote === 'Init' || remote === 'Up' ? up(session) : session
  return remote === 'Down' ? down(session, BFD_DIAGNOSTIC.neighborSignaledDown) : session
}

const up = (session: BfdSessionState): BfdSessionState => ({ ...session, state: 'Up', diagnostic: BFD_DIAGNOSTIC.none, polling: true })
const down = (session: BfdSessionState, diagnostic: number): BfdSessionState => ({ ...session, state: 'Down', diagnostic, polling: false })

function expire(options: BfdOptions, before: BfdSessionState): BfdStepped {
  // what was known of the neighbour is void (RFC 5880 section 6.8.1)
  const forgotten = { ...before, remoteDiscriminator: 0, remoteState: 'Down' as const, remoteMinRxMs: 0.001 }
  if (before.state === 'Down') return { state: forgotten, actions: [] }
  const sent = transmit(options, down(forgotten, BFD_DIAGNOSTIC.detectionTimeExpired))
  const ms = Math.round(detectionMs(options, before))
  const lost: BfdAction[] = before.state === 'Up' ? [{ kind: 'down', reason: `no packets for ${ms} ms`, deliberate: false }] : []
  return { state: sent.state, actions: [...lost, ...sent.actions] }
}

function transmit(options: BfdOptions, state: BfdSessionState): BfdStepped {
  const ms = intervalMs(options, state)
  if (ms === Infinity) return { state, actions: [{ kind: 'cancel-timer', timer: 'transmit' }] }
  // with a multiplier of 1 the latest packet must still be in time
  const jitterPercent = options.detectMultiplier === 1 ? 90 : 100
  return {
    state,
    actions: [
      { kind: 'send', packet: packetOf(options, state) },
      { kind: 'set-timer', timer: 'transmit', ms, jitterPercent },
    ],
  }
}

function intervalMs(options: BfdOptions, state: BfdSessionState): number {
  if (state.remoteMinRxMs === 0) return Infinity
  return Math.max(ownMinTxMs(options, state), state.remoteMinRxMs)
}

function ownMinTxMs(options: BfdOptions, { state }: BfdSessionState): number {
  return state === 'Up' ? options.minTxMs : Math.max(SLOW_MS, options.minTxMs)
}

function packetOf(options: BfdOptions, session: BfdSessionState): BfdPacket {
  return {
    diagnostic: session.diagnostic,
    state: session.state,
    poll: session.polling,
    final: false,
    controlPlaneIndependent: false,
    demand: false,
    detectMultiplier: options.detectMultiplier,
    myDiscriminator: options.discriminator,
    yourDiscriminator: session.remoteDiscriminator,
    desiredMinTxMicroseconds: ownMinTxMs(options, session) * 1000,
    requiredMinRxMicroseconds: options.minRxMs * 1000,
    requiredMinEchoRxMicroseconds: 0,
  }
}
