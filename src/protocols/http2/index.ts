/**
 * HTTP/2 (RFC 9113) without any I/O.
 *
 * - `Http2Session` (session.ts) is a connection's state machine for either side: bytes in, events and frames out. frame-reader.ts cuts and checks frames,
 *   message-rules.ts checks what header blocks say, send-side.ts keeps to the peer's windows, frame-output.ts collects what one turn of the loop has to write.
 * - Who takes DATA from a session gives the bytes back with `consume` when they have gone on; a peer can never have more under way than the windows say.
 * - flood-guard.ts counts what costs us more than the peer; too much ends the connection with ENHANCE_YOUR_CALM.
 */
export { ErrorCode, errorName, Flag, FrameType, PREFACE, Setting } from './constants.ts'
export { FloodGuard } from './flood-guard.ts'
export { FrameOutput } from './frame-output.ts'
export { checkRequest, checkResponse, checkTrailers, MessageShape } from './message-rules.ts'
export { SendSide } from './send-side.ts'
export { Http2Session } from './session.ts'
export type { SessionEvents, SessionOptions } from './session-events.ts'
export { DEFAULT_LIMITS, type SessionLimits } from './settings.ts'
export { Http2Stream, type StreamHandler, type StreamReset } from './stream.ts'
