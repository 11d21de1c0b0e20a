/** Frame types. Source: RFC 9113 6. */
export const FrameType = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  pushPromise: 5,
  ping: 6,
  goAway: 7,
  windowUpdate: 8,
  continuation: 9,
} as const

/** Frame flags. Source: RFC 9113 6. */
export const Flag = { endStream: 1, ack: 1, endHeaders: 4, padded: 8, priority: 32 } as const

/** Error codes. Source: RFC 9113 7. */
export const ErrorCode = {
  noError: 0,
  protocolError: 1,
  internalError: 2,
  flowControlError: 3,
  settingsTimeout: 4,
  streamClosed: 5,
  frameSizeError: 6,
  refusedStream: 7,
  cancel: 8,
  compressionError: 9,
  connectError: 10,
  enhanceYourCalm: 11,
  inadequateSecurity: 12,
  http11Required: 13,
} as const

/** Settings. Source: RFC 9113 6.5.2, RFC 8441 3. */
export const Setting = {
  headerTableSize: 1,
  enablePush: 2,
  maxConcurrentStreams: 3,
  initialWindowSize: 4,
  maxFrameSize: 5,
  maxHeaderListSize: 6,
  enableConnectProtocol: 8,
} as const

/** What a client sends first. Source: RFC 9113 3.4. */
export const PREFACE: Buffer = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1')

/** Windows before settings, and frames ever after: we do not ask for longer ones. */
export const DEFAULT_WINDOW = 65_535
export const MAX_WINDOW = 0x7fff_ffff
export const MAX_FRAME_BYTES = 16_384
export const MAX_STREAM_ID = 0x7fff_ffff

const NAMES = Object.fromEntries(Object.entries(ErrorCode).map(([name, code]) => [code, name.replaceAll(/[A-Z]/g, '_$&').toUpperCase()]))

/** `PROTOCOL_ERROR` and the like. */
export function errorName(code: number): string {
  return code === ErrorCode.http11Required ? 'HTTP_1_1_REQUIRED' : (NAMES[code] ?? `error ${code}`)
}
