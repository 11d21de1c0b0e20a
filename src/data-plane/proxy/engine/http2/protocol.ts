/** What the engine takes from the protocols, in one place. */
export { FieldBlock, type FieldName, fieldName, NameKind, writeField } from '../../../../protocols/hpack/index.ts'
export {
  DEFAULT_LIMITS,
  ErrorCode,
  errorName,
  type FrameOutput,
  Http2Session,
  type Http2Stream,
  type SessionEvents,
  type SessionLimits,
  type StreamHandler,
  type StreamReset,
} from '../../../../protocols/http2/index.ts'
