/**
 * Sessions with BGP peers. `step` (pure) is the state machine: a state and an event give the next state and what is to be done. `BgpSession`
 * carries that out: sockets, timers, and the way of messages between the peer and the Rib. `tcp-options.ts` and `listeners.ts` hold what
 * Node's sockets have no words for: MD5 signatures and the TTL.
 */
export { newSession, phaseOf, type SessionEvent, type SessionOptions, type SessionPhase, type SessionState } from './session.ts'
export { step } from './step.ts'
export { type Negotiated } from './negotiate.ts'
