import { connect } from 'node:http2'
import { messageOf } from '../../../base/errors.ts'
import type { ProbeOutcome } from './probe-schedule.ts'

/** `HealthCheckResponse.ServingStatus`. Source: grpc/health/v1/health.proto. */
const SERVING = 1

/**
 * Asks `grpc.health.v1.Health/Check` over HTTP/2 without TLS; SERVING passes. The two messages have one field each, so
 * they are encoded here and no gRPC library is needed. Source: KEP-2727.
 */
export function probeGrpc(
  target: { readonly host: string; readonly port: number; readonly service: string },
  timeoutMs: number,
): Promise<ProbeOutcome> {
  return new Promise((resolve) => {
    const session = connect(`http://${target.host}:${target.port}`)
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
    const stream = session.request({
      ':method': 'POST',
      ':path': '/grpc.health.v1.Health/Check',
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    const chunks: Buffer[] = []
    let status = ''
    const note = (headers: Record<string, unknown>): void => {
      if (typeof headers['grpc-status'] === 'string') status = headers['grpc-status']
    }
    stream.on('error', (error: Error) => finish({ ok: false, message: error.message }))
    stream.on('response', note)
    stream.on('trailers', note)
    stream.on('data', (chunk: Buffer) => {
      if (chunks.length < 16) chunks.push(chunk)
    })
    stream.on('end', () => finish(verdict(Buffer.concat(chunks), status)))
    stream.end(healthCheckRequest(target.service))
  })
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

function verdict(frame: Buffer, status: string): ProbeOutcome {
  if (status !== '' && status !== '0') return { ok: false, message: `service unhealthy (grpc status ${status})` }
  // HealthCheckResponse{status = 1}: a varint enum
  const serving = frame.length >= 7 && frame[5] === 0x08 ? frame[6] : 0
  return serving === SERVING
    ? { ok: true }
    : { ok: false, message: `service unhealthy (responded with ${serving === 2 ? 'NOT_SERVING' : 'UNKNOWN'})` }
}
