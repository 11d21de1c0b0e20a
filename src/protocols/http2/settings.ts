import { ErrorCode, FrameType, MAX_FRAME_BYTES, MAX_WINDOW, Setting } from './constants.ts'
import type { FrameOutput } from './frame-output.ts'

/** What a session allows its peer. */
export interface SessionLimits {
  /** Streams the peer may have open; more are refused. Default 100. */
  readonly maxConcurrentStreams: number
  /** Bytes a stream may send before we consume. Default 262144. */
  readonly streamWindowBytes: number
  /** The same for all streams together. Default 1 MiB. */
  readonly connectionWindowBytes: number
  /** Longest list of header fields, counted as in RFC 7541 4.1. Default 65536. */
  readonly maxHeaderListBytes: number
  /** Dynamic table the peer may use. Default 0: fields can be copied. */
  readonly headerTableBytes: number
  /** Extended CONNECT (RFC 8441), on the server's side. Default true. */
  readonly connectProtocol: boolean
}

/** See {@link SessionLimits}. */
export const DEFAULT_LIMITS: SessionLimits = {
  maxConcurrentStreams: 100,
  streamWindowBytes: 262_144,
  connectionWindowBytes: 1_048_576,
  maxHeaderListBytes: 65_536,
  headerTableBytes: 0,
  connectProtocol: true,
}

/** Writes our SETTINGS. */
export function writeSettings(output: FrameOutput, limits: SessionLimits, isServer: boolean): void {
  const settings: [number, number][] = [
    [Setting.headerTableSize, limits.headerTableBytes],
    [Setting.initialWindowSize, limits.streamWindowBytes],
    [Setting.maxHeaderListSize, limits.maxHeaderListBytes],
    isServer ? [Setting.maxConcurrentStreams, limits.maxConcurrentStreams] : [Setting.enablePush, 0],
  ]
  if (isServer && limits.connectProtocol) settings.push([Setting.enableConnectProtocol, 1])
  output.header(settings.length * 6, FrameType.settings, 0, 0)
  for (const [key, value] of settings) {
    output.bytes[output.length] = 0
    output.bytes[output.length + 1] = key
    output.advance(output.length + 2)
    output.uint32(value)
  }
}

/** What the peer has announced. */
export class PeerSettings {
  /** Few until its settings have come: more could be refused. */
  maxConcurrentStreams: number = 16
  maxHeaderListBytes: number = Infinity
  connectProtocol = false
  /** Until its first SETTINGS frame has come. */
  isUnknown = true
}

/** Largest value of MAX_FRAME_SIZE; the smallest is what it is without. */
const MAX_FRAME_SETTING = 16_777_215

/** What settings change. */
export interface Adjustable {
  readonly peer: PeerSettings
  readonly sender: { initialWindow: number; maxFrameBytes: number }
  readonly streams: { values(): Iterable<{ sendWindow: number }> }
}

interface Fault {
  readonly code: number
  readonly message: string
}

/** Carries out one setting of the peer's; what is wrong with it otherwise. Unknown ones are ignored. Source: RFC 9113 6.5.2, RFC 8441 3. */
export function applySetting(session: Adjustable, key: number, value: number, isServer: boolean): Fault | undefined {
  const { peer, sender, streams } = session
  switch (key) {
    case Setting.enablePush:
      if (value > 1 || (value === 1 && !isServer)) return protocolError('ENABLE_PUSH is neither 0 nor 1')
      return undefined
    case Setting.maxConcurrentStreams:
      peer.maxConcurrentStreams = value
      return undefined
    case Setting.initialWindowSize: {
      const fault = { code: ErrorCode.flowControlError, message: 'INITIAL_WINDOW_SIZE makes a window too large' }
      if (value > MAX_WINDOW) return fault
      const more = value - sender.initialWindow
      sender.initialWindow = value
      for (const stream of streams.values()) if ((stream.sendWindow += more) > MAX_WINDOW) return fault
      return undefined
    }
    case Setting.maxFrameSize:
      if (value < MAX_FRAME_BYTES || value > MAX_FRAME_SETTING) return protocolError('MAX_FRAME_SIZE is out of range')
      // Longer frames would only make other streams wait for longer.
      sender.maxFrameBytes = MAX_FRAME_BYTES
      return undefined
    case Setting.maxHeaderListSize:
      peer.maxHeaderListBytes = value
      return undefined
    case Setting.enableConnectProtocol:
      if (value > 1) return protocolError('ENABLE_CONNECT_PROTOCOL is neither 0 nor 1')
      peer.connectProtocol = value === 1
      return undefined
    default:
      return undefined
  }
}

function protocolError(message: string): Fault {
  return { code: ErrorCode.protocolError, message }
}
