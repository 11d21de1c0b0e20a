import type { IncomingHttpHeaders, ServerHttp2Stream } from 'node:http2'
import type { Clock } from '../../../base/clock.ts'
import { messageOf } from '../../../base/errors.ts'
import { decodeContainerLogs } from '../../../protocols/node-link.ts'
import type { NodeAgent } from '../node-agent.ts'
import type { Runtime } from '../runtime.ts'
import { findLog } from './find-log.ts'

/** Answers the requests of the API server: today container logs. */
export function createLinkServer(parts: {
  readonly agent: NodeAgent
  readonly runtime: Runtime
  readonly clock: Clock
}): (stream: ServerHttp2Stream, headers: IncomingHttpHeaders, signal: AbortSignal) => void {
  return (stream, headers, signal) => {
    const request = headers[':method'] === 'GET' ? decodeContainerLogs(headers[':path'] ?? '') : undefined
    if (!request) return refuse(stream, 404, 'the node has no such path')
    const { target, query } = request
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
    void send(stream, parts.runtime.logs(found.id, options, signal), signal)
  }
}

async function send(stream: ServerHttp2Stream, chunks: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  try {
    stream.respond({ ':status': 200, 'content-type': 'text/plain' })
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
