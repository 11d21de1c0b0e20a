import { nameOf } from '../clusters/index.ts'
import type { LogEntry } from './log-entry.ts'
import { compileTime } from './start-time.ts'

export type LogValue = string | number | undefined
export type LogOperator = (entry: LogEntry) => LogValue

/** A header that has to be written down while the message passes. */
export interface WantedHeader {
  readonly of: 'request' | 'response' | 'trailer'
  /** Lower-case; the second is taken where the first is missing. */
  readonly names: readonly string[]
}

/** gRPC's names of statuses by number. */
const GRPC = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
]

const flags = ({ summary }: LogEntry): string => (summary.flags.size === 0 ? '-' : [...summary.flags].join(','))
const requestHeader = (name: string): WantedHeader => ({ of: 'request', names: [name] })

const PLAIN: Readonly<Record<string, LogOperator>> = {
  PROTOCOL: ({ connection }) => ({ http1: 'HTTP/1.1', http2: 'HTTP/2', tcp: undefined })[connection.protocol],
  RESPONSE_CODE: ({ summary }) => summary.status ?? 0,
  RESPONSE_CODE_DETAILS: ({ summary }) => summary.details.replaceAll(' ', '_') || undefined,
  RESPONSE_FLAGS: flags,
  CONNECTION_TERMINATION_DETAILS: ({ termination }) => termination,
  BYTES_RECEIVED: ({ summary }) => summary.bytesReceived,
  BYTES_SENT: ({ summary }) => summary.bytesSent,
  DURATION: ({ summary }) => Math.round(summary.durationMs),
  RESPONSE_DURATION: ({ upstreamMs }) => (upstreamMs < 0 ? undefined : Math.round(upstreamMs)),
  RESPONSE_TX_DURATION: ({ summary, upstreamMs }) =>
    upstreamMs < 0 ? undefined : Math.max(0, Math.round(summary.durationMs - upstreamMs)),
  UPSTREAM_HOST: ({ upstreamHost }) => upstreamHost,
  UPSTREAM_REMOTE_ADDRESS: ({ upstreamHost }) => upstreamHost,
  UPSTREAM_CLUSTER: ({ upstreamCluster }) => upstreamCluster,
  UPSTREAM_CLUSTER_RAW: ({ upstreamCluster }) => upstreamCluster,
  UPSTREAM_TRANSPORT_FAILURE_REASON: ({ upstreamFailure }) => upstreamFailure?.replaceAll(' ', '_') || undefined,
  UPSTREAM_REQUEST_ATTEMPT_COUNT: ({ attempts }) => attempts,
  ROUTE_NAME: ({ route }) => route,
  VIRTUAL_HOST_NAME: ({ virtualHost }) => virtualHost,
  DOWNSTREAM_REMOTE_ADDRESS: ({ connection }) => nameOf(connection.remote),
  DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT: ({ connection }) => connection.remote.address,
  DOWNSTREAM_REMOTE_PORT: ({ connection }) => connection.remote.port,
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS: ({ connection }) => nameOf(connection.remote),
  DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT: ({ connection }) => connection.remote.address,
  // placeholders of Kuma's formats
  KUMA_SOURCE_ADDRESS: ({ connection }) => nameOf(connection.remote),
  KUMA_SOURCE_ADDRESS_WITHOUT_PORT: ({ connection }) => connection.remote.address,
  DOWNSTREAM_LOCAL_ADDRESS: ({ connection }) => nameOf(connection.original ?? connection.local),
  DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT: ({ connection }) => (connection.original ?? connection.local).address,
  DOWNSTREAM_LOCAL_PORT: ({ connection }) => (connection.original ?? connection.local).port,
  DOWNSTREAM_PEER_URI_SAN: ({ connection }) => connection.tls?.peer,
  DOWNSTREAM_PEER_FINGERPRINT_256: ({ connection }) => connection.tls?.peerHash,
  DOWNSTREAM_TLS_VERSION: ({ connection }) => connection.tls?.version,
  DOWNSTREAM_TLS_CIPHER: ({ connection }) => connection.tls?.cipher,
  REQUESTED_SERVER_NAME: ({ connection }) => connection.tls?.serverName,
  GRPC_STATUS_NUMBER: ({ summary }) => summary.grpcStatus,
}

/** What Envoy knows and nothing here has: shown as missing, so that formats made for Envoy are good. */
const ABSENT = new Set([
  'DYNAMIC_METADATA',
  'CLUSTER_METADATA',
  'UPSTREAM_METADATA',
  'FILTER_STATE',
  'UPSTREAM_LOCAL_ADDRESS',
  'UPSTREAM_PROTOCOL',
  'DOWNSTREAM_PEER_SUBJECT',
  'DOWNSTREAM_LOCAL_SUBJECT',
  'VIRTUAL_CLUSTER_NAME',
  'CONNECTION_ID',
])

/**
 * The meaning of one command operator. Source: Envoy documentation, access log command operators.
 * @param want notes a header that is needed later. @returns its position among the captured
 * @param fixed values that are the same for all lines (`HOSTNAME`, `DOWNSTREAM_LOCAL_URI_SAN`, names of a mesh)
 * @throws RangeError for operators that are not known
 */
export function compileOperator(
  name: string,
  argument: string | undefined,
  want: (header: WantedHeader) => number,
  fixed: Readonly<Record<string, string>>,
): LogOperator {
  const plain = Object.hasOwn(PLAIN, name) ? PLAIN[name] : undefined
  if (plain) return plain
  if (Object.hasOwn(fixed, name)) return () => fixed[name]
  if (ABSENT.has(name)) return () => undefined
  switch (name) {
    case 'START_TIME': {
      const format = compileTime(argument ?? '')
      return ({ startMs }) => format(startMs)
    }
    case 'REQ':
      return captured(want({ of: 'request', names: namesOf(name, argument) }))
    case 'RESP':
      return responseHeader(namesOf(name, argument), want)
    case 'TRAILER':
      return captured(want({ of: 'trailer', names: namesOf(name, argument) }))
    case 'STREAM_ID':
      return captured(want(requestHeader('x-request-id')))
    case 'TRACE_ID': {
      const traceparent = captured(want(requestHeader('traceparent')))
      return (entry) => /^[\da-f]{2}-([\da-f]{32})-/.exec(String(traceparent(entry)))?.[1]
    }
    case 'GRPC_STATUS':
      return grpcStatus(argument)
    default:
      throw new RangeError(`%${name}% is not an access log operator that this proxy knows`)
  }
}

const captured =
  (index: number): LogOperator =>
  (entry) =>
    entry.captured[index]

function responseHeader(names: readonly string[], want: (header: WantedHeader) => number): LogOperator {
  const value = captured(want({ of: 'response', names }))
  if (!names.includes('x-envoy-upstream-service-time')) return value
  // known here, whether it was written into the response or not
  return (entry) => value(entry) ?? (entry.upstreamMs < 0 ? undefined : String(Math.round(entry.upstreamMs)))
}

function grpcStatus(form: string | undefined): LogOperator {
  return ({ summary }) => {
    const { grpcStatus: status } = summary
    if (status === undefined) return undefined
    if (form === 'NUMBER') return status
    const name = GRPC[status] ?? 'InvalidCode'
    return form === 'SNAKE_STRING' && name !== 'OK' ? name.replaceAll(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase() : name
  }
}

function namesOf(operator: string, argument: string | undefined): string[] {
  const names = (argument ?? '').toLowerCase().split('?')
  if (names.some((name) => name === '') || names.length > 2)
    throw new RangeError(`%${operator}% needs a header, such as %${operator}(X-NAME)%`)
  return names
}
