import { readFile } from 'node:fs/promises'
import { connect, constants } from 'node:http2'
import { createConnection } from 'node:net'
import type { Duplex } from 'node:stream'

export interface AskOptions {
  /** Path of the node agent's socket, or how else the control plane is dialled. */
  readonly dial: string | (() => Duplex)
  /** File with the token that names the pod; read anew each time, the kubelet renews it. */
  readonly tokenPath: string
  /** Default 10,000. */
  readonly timeoutMs?: number
}

const TIMEOUT_MS = 10_000
const MAX_ANSWER_BYTES = 1024 * 1024
const FRAME_HEAD_BYTES = 5

/** Asks the control plane, through the node agent: one gRPC call with JSON in its messages. @throws Error with the control plane's reason */
export async function askControlPlane(path: string, request: unknown, options: AskOptions): Promise<unknown> {
  const token = (await readFile(options.tokenPath, 'utf8')).trim()
  const { dial } = options
  const session = connect('http://control-plane', { createConnection: () => (typeof dial === 'string' ? createConnection(dial) : dial()) })
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', (error) => reject(new Error(`the control plane cannot be reached: ${error.message}`)))
      const stream = session.request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc+json',
        te: 'trailers',
        authorization: `Bearer ${token}`,
      })
      const timeoutMs = options.timeoutMs ?? TIMEOUT_MS
      stream.setTimeout(timeoutMs, () => {
        stream.close(constants.NGHTTP2_CANCEL)
        reject(new Error(`the control plane did not answer within ${timeoutMs} ms`))
      })
      const chunks: Buffer[] = []
      let status: { readonly 'grpc-status'?: string; readonly 'grpc-message'?: string } = {}
      let size = 0
      const note = (headers: Record<string, unknown>): void => {
        const { 'grpc-status': code, 'grpc-message': message } = headers
        if (typeof code === 'string') status = { 'grpc-status': code, ...(typeof message === 'string' ? { 'grpc-message': message } : {}) }
      }
      stream.on('response', note)
      stream.on('trailers', note)
      stream.on('data', (chunk: Buffer) => {
        size += chunk.length
        if (size > MAX_ANSWER_BYTES) stream.close(constants.NGHTTP2_CANCEL)
        else chunks.push(chunk)
      })
      // where the session has failed, that is the reason, and it is told a moment later
      stream.on('error', (error) => setImmediate(() => reject(error)))
      stream.on('close', () => {
        if (stream.rstCode !== constants.NGHTTP2_NO_ERROR && status['grpc-status'] === undefined) return
        try {
          resolve(readAnswer(Buffer.concat(chunks), status))
        } catch (error) {
          reject(error as Error)
        }
      })
      stream.end(frame(Buffer.from(JSON.stringify(request))))
    })
  } finally {
    session.destroy()
  }
}

function readAnswer(bytes: Buffer, status: { readonly 'grpc-status'?: string; readonly 'grpc-message'?: string }): unknown {
  const code = status['grpc-status']
  if (code !== '0') {
    const message = status['grpc-message'] === undefined ? 'the connection ended' : decodeMessage(status['grpc-message'])
    throw new Error(code === undefined ? `no answer from the control plane: ${message}` : `refused with gRPC status ${code}: ${message}`)
  }
  const length = bytes.length >= FRAME_HEAD_BYTES ? bytes.readUInt32BE(1) : -1
  if (length < 0 || bytes[0] !== 0 || bytes.length !== FRAME_HEAD_BYTES + length) throw new Error('the control plane sent no whole answer')
  return JSON.parse(bytes.subarray(FRAME_HEAD_BYTES).toString()) as unknown
}

function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(FRAME_HEAD_BYTES)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Percent-encoded (gRPC over HTTP/2, Status-Message); text that is not is shown as it is. */
function decodeMessage(text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
