import { connect, type ClientHttp2Session } from 'node:http2'
import { messageOf } from '../../../base/errors.ts'
import type { ProbeOutcome } from './probe-schedule.ts'
import type { ProbeConnect } from './probe-tcp.ts'

/** `HealthCheckResponse.ServingStatus`. Source: grpc/health/v1/health.proto. */
const SERVING = 1
/** An answer is a few bytes; what sends more is no health service. */
const MAX_CHUNKS = 16
const STATUS_NAMES = ['UNKNOWN', 'SERVING', 'NOT_SERVING', 'SERVICE_UNKNOWN']

/**
 * Asks `grpc.health.v1.Health/Check` over HTTP/2 without TLS; SERVING passes. The two messages have one field each, so
 * they are encoded here and no gRPC library is needed. Source: KEP-2727.
 */
export function probeGrpc(
  target: { readonly host: string; readonly port: number; readonly service: string; readonly connect?: ProbeConnect | undefined },
  timeoutMs: number,
): Promise<ProbeOutcome> {
  const { host, port, connect: dial } = target
  return new Promise((resolve) => {
    const session = connect(
      `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
      dial ? { createConnection: () => dial({ host, port }) } : {},
    )
    const deadline = AbortSignal.timeout(timeoutMs)
    const finish = (outcome: ProbeOutcome): void => {
      deadline.removeEventListener('abort', onTimeout)
      session.destroy()
      resolve(outcome)
    }
    const onTimeout = (): void => finish({ ok: false, message: `timeout: health rpc did not complete within ${timeoutMs}ms` })
    deadline.addEventListener('abort', onTimeout, { once: true })
    session.on('error', (error) =>
      finish({ ok: false, message: `failed to connect to service ${target.host}:${target.port}: ${messageOf(error)}` }),
    )
    session.on('connect', () => check(session, target.service, finish))
  })
}

function check(session: ClientHttp2Session, service: string, finish: (outcome: ProbeOutcome) => void): void {
  const stream = session.request({
    ':method': 'POST',
    ':path': '/grpc.health.v1.Health/Check',
    'content-type': 'application/grpc',
    te: 'trailers',
  })
  const chunks: Buffer[] = []
  let status: string | undefined
  const note = (headers: Record<string, unknown>): void => {
    if (typeof headers['grpc-status'] === 'string') status = headers['grpc-status']
  }
  stream.on('error', (error: Error) => finish({ ok: false, message: error.message }))
  stream.on('response', note)
  stream.on('trailers', note)
  stream.on('data', (chunk: Buffer) => {
    if (chunks.length < MAX_CHUNKS) chunks.push(chunk)
  })
  // not `end`: trailers may still be on their way
  stream.on('close', () => finish(verdict(Buffer.concat(chunks), status)))
  stream.end(healthCheckRequest(service))
}

/** gRPC frame (1 byte flags, 4 bytes length) around `HealthCheckRequest{service = 1}`. */
export function healthCheckRequest(service: string): Buffer {
  const name = Buffer.from(service)
  const length: number[] = []
  for (let rest = name.length; ; rest >>>= 7) {
    length.push(rest > 127 ? (rest & 127) | 128 : rest)
    if (rest <= 127) break
  }
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.from([0x0a, ...length]), name])
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(message.length, 1)
  return Buffer.concat([frame, message])
}

/** What an answer of a health service amounts to. @param status `grpc-status`; absent: the peer does not speak gRPC */
export function verdict(frame: Buffer, status: string | undefined): ProbeOutcome {
  if (status === undefined) return { ok: false, message: 'health rpc failed: the answer is not gRPC' }
  if (status === '12') return { ok: false, message: 'this server does not implement the grpc health protocol (grpc.health.v1.Health)' }
  if (status !== '0') return { ok: false, message: `health rpc failed with grpc status ${status}` }
  // a frame of 5 bytes, then HealthCheckResponse{status = 1}: a varint enum, absent when it is UNKNOWN
  const serving = frame.length >= 7 && frame[5] === 0x08 ? (frame[6] as number) : 0
  if (serving === SERVING) return { ok: true }
  return { ok: false, message: `service unhealthy (responded with "${STATUS_NAMES[serving] ?? serving}")` }
}
