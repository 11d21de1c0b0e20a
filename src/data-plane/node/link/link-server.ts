import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import { decodeContainerExec, type ContainerExec } from '../../../protocols/exec-link.ts'
import { decodeContainerLogs, decodeNodePath, type ContainerLogQuery, type ContainerLogTarget } from '../../../protocols/node-link.ts'
import type { NodeAgent } from '../node-agent.ts'
import type { Runtime } from '../runtime.ts'
import { findLog } from './find-log.ts'
import { answerPath, type NodePaths } from './node-paths.ts'
import { findRunning, serveExec } from './serve-exec.ts'

/** What the link serves. */
export interface LinkServerParts {
  readonly agent: NodeAgent
  readonly runtime: Runtime
  readonly clock: Clock
  /** Besides logs. Default none. */
  readonly paths?: NodePaths
}

type Serve = (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, signal: AbortSignal) => void

/** Answers the requests of the API server: container logs, commands to run in containers, and the node's own paths. */
export function createLinkServer(parts: LinkServerParts): Serve {
  return (stream, headers, signal) => {
    const exec = headers[':method'] === 'POST' ? decodeContainerExec(headers[':path'] ?? '') : undefined
    if (exec) return startExec(parts, exec, stream)
    const target = headers[':method'] === 'GET' ? (headers[':path'] ?? '') : ''
    const log = decodeContainerLogs(target)
    if (log) return serveLog(parts, log, { stream, signal })
    const request = decodeNodePath(target)
    if (!request) return refuse(stream, 404, 'the node has no such path')
    void answerPath(parts.paths ?? new Map(), { ...request, signal }).then((answer) =>
      send(stream, answer.body, { status: answer.status ?? 200, contentType: answer.contentType, signal }),
    )
  }
}

function serveLog(
  parts: LinkServerParts,
  { target, query }: { readonly target: ContainerLogTarget; readonly query: ContainerLogQuery },
  { stream, signal }: { readonly stream: ServerHttp2Stream; readonly signal: AbortSignal },
): void {
  const worker = parts.agent.findPod(target.namespace, target.pod)
  if (!worker) return refuse(stream, 404, `pod "${target.pod}" is not on this node`)
  const found = findLog(worker.pod, target.container, query.previous ?? false)
  if ('problem' in found) return refuse(stream, 400, found.problem)
  const sinceMs =
    query.sinceTime !== undefined
      ? Date.parse(query.sinceTime)
      : query.sinceSeconds !== undefined
        ? parts.clock.now() - query.sinceSeconds * 1000
        : undefined
  const options = {
    ...(query.follow ? { follow: true } : {}),
    ...(query.timestamps ? { timestamps: true } : {}),
    ...(query.tailLines === undefined ? {} : { tailLines: query.tailLines }),
    ...(query.limitBytes === undefined ? {} : { limitBytes: query.limitBytes }),
    ...(sinceMs === undefined ? {} : { sinceMs }),
  }
  void send(stream, parts.runtime.logs(found.id, options, signal), { status: 200, contentType: 'text/plain', signal })
}

function startExec(parts: LinkServerParts, { namespace, pod, container, command }: ContainerExec, stream: ServerHttp2Stream): void {
  const worker = parts.agent.findPod(namespace, pod)
  if (!worker) return refuse(stream, 404, `pod "${pod}" is not on this node`)
  const found = findRunning(worker.pod, container)
  if ('problem' in found) return refuse(stream, 400, found.problem)
  void serveExec(stream, { id: found.id, command, runtime: parts.runtime })
}

interface Head {
  readonly status: number
  readonly contentType: string
  readonly signal: AbortSignal
}

async function send(stream: ServerHttp2Stream, chunks: AsyncIterable<Uint8Array>, { status, contentType, signal }: Head): Promise<void> {
  try {
    if (stream.destroyed) return
    stream.respond({ ':status': status, 'content-type': contentType })
    for await (const chunk of chunks) {
      if (signal.aborted) return
      if (!stream.write(chunk))
        await new Promise<void>((resolve) => {
          stream.once('drain', resolve)
          stream.once('close', resolve)
        })
    }
    stream.end()
  } catch (error) {
    if (!stream.destroyed) stream.end(`\n${messageOf(error)}\n`)
  }
}

function refuse(stream: ServerHttp2Stream, status: number, text: string): void {
  stream.respond({ ':status': status, 'content-type': 'text/plain' })
  stream.end(text)
}
