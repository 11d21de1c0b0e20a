import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import type { Clock } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'

export interface BodyLimits {
  /** Default 3 MiB, as upstream. */
  readonly maxBytes: number
  /** From the head of the request to the end of its body. */
  readonly timeoutMs: number
  readonly clock: Clock
}

/**
 * Reads a whole body, or nothing: a body whose length is known to be too large is never read, one of unknown length only up to the limit.
 * @throws {StatusError} `RequestEntityTooLarge`, `UnsupportedMediaType` (encoded bodies), `BadRequest` (ended early)
 * @throws {BodyTimeout} answered with 408
 */
export async function readBody(request: IncomingMessage | Http2ServerRequest, limits: BodyLimits): Promise<Uint8Array | undefined> {
  const encoding = request.headers['content-encoding']
  if (encoding !== undefined && encoding !== 'identity') {
    throw new StatusError('UnsupportedMediaType', 'request bodies must not be compressed: send them without content-encoding')
  }
  const declared = request.headers['content-length']
  if (declared !== undefined && Number(declared) > limits.maxBytes) throw tooLarge(limits.maxBytes)
  if (!mayHaveBody(request, declared)) return undefined
  return collect(request, limits)
}

/** 408, which no Status reason stands for. */
export class BodyTimeout extends StatusError {
  constructor() {
    super('Timeout', 'the request body did not arrive in time')
  }
  override get code(): number {
    return 408
  }
}

function mayHaveBody(request: IncomingMessage | Http2ServerRequest, declared: string | undefined): boolean {
  if ('stream' in request) return !request.stream.endAfterHeaders
  return (declared !== undefined && declared !== '0') || request.headers['transfer-encoding'] !== undefined
}

function collect(request: IncomingMessage | Http2ServerRequest, limits: BodyLimits): Promise<Uint8Array | undefined> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = []
    let size = 0
    const settle = (outcome: () => void): void => {
      deadline.cancel()
      request.off('data', onData).off('end', onEnd).off('aborted', onClose).off('close', onClose).off('error', onClose)
      outcome()
    }
    const onData = (chunk: Buffer): void => {
      size += chunk.length
      if (size > limits.maxBytes) settle(() => reject(tooLarge(limits.maxBytes)))
      else chunks.push(chunk)
    }
    const onEnd = (): void => settle(() => resolve(size === 0 ? undefined : chunks.length === 1 ? chunks[0] : Buffer.concat(chunks, size)))
    const onClose = (): void => settle(() => reject(new StatusError('BadRequest', 'the request body ended early')))
    const deadline = limits.clock.after(limits.timeoutMs, () => settle(() => reject(new BodyTimeout())))
    request.on('data', onData).on('end', onEnd).on('aborted', onClose).on('close', onClose).on('error', onClose)
  })
}

function tooLarge(maxBytes: number): StatusError {
  return new StatusError('RequestEntityTooLarge', `Request entity too large: limit is ${maxBytes}`)
}
