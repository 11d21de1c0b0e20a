import { connect, type ClientHttp2Session, type ClientHttp2Stream } from 'node:http2'
import type { Duplex } from 'node:stream'
import type { Clock, Timer } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import type { Metrics } from '../../../base/metrics.ts'
import { NODE_LINK_PING_MS } from '../../../protocols/node-link.ts'

export interface LinkRequest {
  readonly method: string
  /** With its query. */
  readonly path: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Uint8Array
  readonly signal?: AbortSignal
}

export interface LinkResponse {
  readonly status: number
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
  /** Read it to the end, or abort the request. */
  readonly body: AsyncIterable<Uint8Array>
}

/** Requests to nodes over the links that their agents have opened. See src/protocols/node-link.ts for the protocol. */
export interface NodeLinks {
  /** Takes over a connection on which the 101 has been sent. It replaces the node's older link, whose open streams may end. */
  attach(node: string, socket: Duplex): void
  connected(node: string): boolean
  /**
   * Resolves with the head of the answer, whatever its status.
   * @throws {StatusError} `ServiceUnavailable` when the node has no link or the link breaks before an answer, `Timeout` after 30 s
   */
  request(node: string, request: LinkRequest): Promise<LinkResponse>
  close(): void
}

export interface NodeLinksOptions {
  readonly clock: Clock
  readonly log: Logger
  readonly metrics: Metrics
}

const ANSWER_TIMEOUT_MS = 30_000

export function createNodeLinks(options: NodeLinksOptions): NodeLinks {
  const sessions = new Map<string, ClientHttp2Session>()
  const gauge = options.metrics.gauge('biplane_node_links', 'Nodes whose agent is connected.')
  const count = (): void => gauge.with().set(sessions.size)
  return {
    attach(node, socket) {
      const session = connect('http://node', { createConnection: () => socket })
      session.on('error', (error) => options.log.debug('node link error', { node, error }))
      keepAlive(session, options.clock)
      const older = sessions.get(node)
      sessions.set(node, session)
      older?.close()
      count()
      options.log.info(older ? 'node link replaced' : 'node link up', { node })
      session.once('close', () => {
        if (sessions.get(node) !== session) return
        sessions.delete(node)
        count()
        options.log.info('node link down', { node })
      })
    },
    connected: (node) => sessions.has(node),
    request(node, request) {
      const session = sessions.get(node)
      if (!session || session.destroyed || session.closed) return Promise.reject(unreachable(node, request, 'node is not connected'))
      return send(session, node, request, options.clock)
    },
    close() {
      for (const session of sessions.values()) session.destroy()
      sessions.clear()
      count()
    },
  }
}

function send(session: ClientHttp2Session, node: string, request: LinkRequest, clock: Clock): Promise<LinkResponse> {
  return new Promise((resolve, reject) => {
    const stream = session.request(
      { ':method': request.method, ':path': request.path, ...request.headers },
      { endStream: request.body === undefined, ...(request.signal ? { signal: request.signal } : {}) },
    )
    const deadline = clock.after(ANSWER_TIMEOUT_MS, () => {
      stream.close()
      reject(new StatusError('Timeout', `${describe(node, request)}: no answer in ${ANSWER_TIMEOUT_MS / 1000} s`))
    })
    stream.once('response', ({ ':status': status = 0, ...headers }) => {
      deadline.cancel()
      resolve({ status, headers, body: bodyOf(stream) })
    })
    stream.on('error', (error) => {
      deadline.cancel()
      reject(request.signal?.aborted ? error : unreachable(node, request, error.message))
    })
    stream.once('close', () => {
      deadline.cancel()
      reject(unreachable(node, request, 'the link broke'))
    })
    if (request.body !== undefined) stream.end(request.body)
  })
}

async function* bodyOf(stream: ClientHttp2Stream): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } finally {
    stream.close()
  }
}

/** Pings until the session is closed; one that does not answer within a period is dropped. */
function keepAlive(session: ClientHttp2Session, clock: Clock): void {
  let waiting = false
  let timer: Timer
  const tick = (): void => {
    if (session.destroyed) return
    if (waiting) return session.destroy()
    waiting = true
    session.ping(() => (waiting = false))
    timer = clock.after(NODE_LINK_PING_MS, tick)
  }
  timer = clock.after(NODE_LINK_PING_MS, tick)
  session.once('close', () => timer.cancel())
}

function describe(node: string, request: LinkRequest): string {
  const verb = request.method.charAt(0) + request.method.slice(1).toLowerCase()
  return `${verb} "https://${node}${request.path}"`
}

function unreachable(node: string, request: LinkRequest, why: string): StatusError {
  return new StatusError('ServiceUnavailable', `${describe(node, request)}: ${why}`)
}
