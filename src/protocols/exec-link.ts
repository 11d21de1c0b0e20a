/**
 * Running a command in a container, as the API server asks a node for it over the node link:
 *
 *   POST /exec/<namespace>/<pod>/<container>?command=<word>&command=<word>
 *     200 as soon as the command is started, then records until the stream ends: length of what follows (4 bytes, big endian), channel (1 byte),
 *     bytes. Channels are those of the Kubernetes WebSocket protocol: 1 stdout, 2 stderr, 3 a Status in JSON, which comes once and last.
 *     400 what cannot be, 404 no such pod or container here; the body is the message.
 *
 * Without stdin and without a terminal. The command has EXEC_LIMIT_MS.
 */

/** Longest time that a command may take, milliseconds. */
export const EXEC_LIMIT_MS = 600_000

export const EXEC_CHANNELS: { readonly stdout: 1; readonly stderr: 2; readonly error: 3 } = { stdout: 1, stderr: 2, error: 3 }

/** Longest record: what a node sends at once is cut. */
export const MAX_RECORD_BYTES: number = 1024 * 1024

export interface ContainerExec {
  readonly namespace: string
  readonly pod: string
  readonly container: string
  /** argv; never empty. */
  readonly command: readonly string[]
}

/** Part of `meta/v1 Status` that clients of exec read. */
export type ExecStatus =
  | { readonly metadata: object; readonly status: 'Success' }
  | {
      readonly metadata: object
      readonly status: 'Failure'
      readonly message: string
      readonly reason: 'NonZeroExitCode' | 'InternalError'
      readonly details?: { readonly causes: readonly { readonly reason: 'ExitCode'; readonly message: string }[] }
    }

/** What became of a command. Source: k8s.io/apimachinery remotecommand, version 4 and later. */
export function exitStatus(exitCode: number): ExecStatus {
  if (exitCode === 0) return { metadata: {}, status: 'Success' }
  return {
    metadata: {},
    status: 'Failure',
    message: `command terminated with non-zero exit code: ${exitCode}`,
    reason: 'NonZeroExitCode',
    details: { causes: [{ reason: 'ExitCode', message: String(exitCode) }] },
  }
}

export function failedStatus(message: string): ExecStatus {
  return { metadata: {}, status: 'Failure', message, reason: 'InternalError' }
}

export function encodeContainerExec({ namespace, pod, container, command }: ContainerExec): string {
  const query = command.map((word) => `command=${encodeURIComponent(word)}`).join('&')
  return `/exec/${[namespace, pod, container].map(encodeURIComponent).join('/')}?${query}`
}

/** The reverse; undefined when `target` is no such request or names no command. */
export function decodeContainerExec(target: string): ContainerExec | undefined {
  if (!target.startsWith('/exec/') || !URL.canParse(target, 'http://node')) return undefined
  const url = new URL(target, 'http://node')
  const [, , namespace = '', pod = '', container = '', ...more] = url.pathname.split('/').map(decodeSegment)
  const command = url.searchParams.getAll('command')
  if (!namespace || !pod || !container || more.length > 0 || command.length === 0) return undefined
  return { namespace, pod, container, command }
}

function decodeSegment(segment: string): string {
  try {
    return decodeURIComponent(segment)
  } catch {
    return ''
  }
}

/** Records for bytes of a channel: none for none, several for more than fit in one. */
export function encodeRecords(channel: number, bytes: Uint8Array): Buffer {
  const parts: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += MAX_RECORD_BYTES - 1) {
    const piece = bytes.subarray(at, at + MAX_RECORD_BYTES - 1)
    const head = Buffer.alloc(5)
    head.writeUInt32BE(piece.length + 1)
    head[4] = channel
    parts.push(head, piece)
  }
  return Buffer.concat(parts)
}

export interface ExecRecord {
  readonly channel: number
  readonly bytes: Uint8Array
}

/** Cuts what a node sends into records. @throws Error for a record that is empty or too long */
export async function* decodeRecords(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<ExecRecord> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const chunk of chunks) {
    rest = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
    while (rest.length >= 4) {
      const length = rest.readUInt32BE(0)
      if (length < 1 || length > MAX_RECORD_BYTES) throw new Error(`a record of ${length} bytes where 1 to ${MAX_RECORD_BYTES} are allowed`)
      if (rest.length < 4 + length) break
      yield { channel: rest.readUInt8(4), bytes: Buffer.from(rest.subarray(5, 4 + length)) }
      rest = rest.subarray(4 + length)
    }
  }
  if (rest.length > 0) throw new Error('the node broke off in the middle of a record')
}
