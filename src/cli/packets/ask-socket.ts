import { request } from 'node:http'

/** The longest answer that is read. */
const MAX_BYTES = 256 * 1024 * 1024
const TIMEOUT_MS = 30_000

/** A process of this machine does not answer on its socket, or refuses. Code `SocketRefused` or `SocketUnreachable`. */
export class SocketError extends Error {
  override readonly name = 'SocketError'
  readonly code: 'SocketRefused' | 'SocketUnreachable'
  constructor(code: SocketError['code'], message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
  }
}

/** Asks a process of this machine over its unix socket: `GET target`, a JSON answer. @throws SocketError */
export function askSocket(path: string, target: string, signal?: AbortSignal): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void => reject(new SocketError('SocketUnreachable', error.message, error))
    const asking = request(
      { socketPath: path, path: target, method: 'GET', timeout: TIMEOUT_MS, ...(signal ? { signal } : {}) },
      (response) => {
        const chunks: Buffer[] = []
        let size = 0
        response.on('error', fail)
        response.on('data', (chunk: Buffer) => {
          size += chunk.byteLength
          if (size > MAX_BYTES) asking.destroy(new Error(`the answer is longer than ${MAX_BYTES} bytes`))
          else chunks.push(chunk)
        })
        response.on('end', () => {
          const text = Buffer.concat(chunks).toString()
          if (response.statusCode !== 200)
            return reject(new SocketError('SocketRefused', refusalOf(text) || `status ${response.statusCode}`))
          try {
            resolve(JSON.parse(text))
          } catch (error) {
            fail(error as Error)
          }
        })
      },
    )
    asking.on('timeout', () => asking.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)))
    asking.on('error', fail)
    asking.end()
  })
}

/** The reason in a refusal: `{"error": "..."}`, or the text itself. */
function refusalOf(text: string): string {
  try {
    const { error } = JSON.parse(text) as { readonly error?: unknown }
    return typeof error === 'string' ? error : text.trim()
  } catch {
    return text.trim()
  }
}
