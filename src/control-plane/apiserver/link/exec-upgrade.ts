import type { Duplex } from 'node:stream'
import type { Pod } from '../../../api/generated/types.ts'
import type { Clock } from '../../../base/clock.ts'
import { StatusError } from '../../../base/errors.ts'
import type { Logger } from '../../../base/log.ts'
import { decodeRecords, encodeContainerExec, EXEC_CHANNELS, failedStatus } from '../../../protocols/exec-link.ts'
import { refusal } from '../authz/authorizer.ts'
import type { Authorizer, RequestInfo } from '../contract.ts'
import type { UpgradeHandler } from '../http/https-server.ts'
import { execTarget, readExecQuery } from './exec-options.ts'
import { openSpdyExec } from './exec-spdy.ts'
import { openWebSocketExec } from './exec-websocket.ts'
import type { NodeLinks } from './node-links.ts'
import { nodeRefusal } from './node-refusal.ts'

/** Takes what a command says to the client. */
export interface ExecSink {
  /** Resolves when there is room for more. Channels nobody asked for are dropped. */
  write(channel: number, bytes: Uint8Array): Promise<void>
  /** Ends it all, once written. */
  close(): void
}

/** How a client speaks: checked, but nothing answered yet. */
export interface ExecDialect {
  /** Sends the 101. Rejects when the client does not open its streams in time. */
  accept(socket: Duplex, first: Buffer): Promise<ExecSink>
}

export interface ExecUpgradeOptions {
  readonly links: NodeLinks
  readonly authorizer: Authorizer
  /** @throws {StatusError} `NotFound` */
  readonly getPod: (namespace: string, name: string) => Promise<Pod>
  readonly clock: Clock
  readonly log: Logger
}

/** Whether a request is for `.../pods/<pod>/exec`. */
export function isExec(info: RequestInfo): boolean {
  return info.resource === 'pods' && info.group === '' && info.version === 'v1' && info.subresource === 'exec' && info.namespace !== ''
}

/**
 * Runs a command in a container for a client that upgrades its connection to SPDY/3.1 or WebSocket (`v5.channel.k8s.io`, `v4.channel.k8s.io`). What can be
 * refused is refused before the 101. Whoever asks must be allowed to `create` pods/exec, by GET too, as Kubernetes has it since 1.35.
 * @throws {StatusError} `Forbidden`, `NotFound`, `BadRequest`, `ServiceUnavailable` (the node is not connected)
 */
export function createExecUpgrade(options: ExecUpgradeOptions): UpgradeHandler {
  const { links, authorizer, getPod, clock, log } = options
  return async (head, socket, first) => {
    const info = { ...head.info, verb: 'create' }
    const decision = await authorizer.authorize(head.user, info)
    if (!decision.allowed) throw refusal(head.user, info, decision.reason)
    const { command, container: asked, ...outputs } = readExecQuery(head.query)
    const dialect =
      head.protocol === 'websocket'
        ? openWebSocketExec(head.headers, outputs)
        : head.protocol === 'spdy/3.1'
          ? openSpdyExec(head.headers, { ...outputs, clock })
          : undefined
    if (!dialect) throw new StatusError('BadRequest', `exec is spoken over SPDY/3.1 or websocket, not ${JSON.stringify(head.protocol)}`)
    const { node, container } = execTarget(await getPod(info.namespace, info.name), asked)
    const path = encodeContainerExec({ namespace: info.namespace, pod: info.name, container, command })
    const gone = new AbortController()
    socket.once('close', () => gone.abort())
    const answer = await links.request(node, { method: 'POST', path, signal: gone.signal })
    if (answer.status >= 400) throw await nodeRefusal(answer)
    try {
      await pass(answer.body, await dialect.accept(socket, first))
    } catch (error) {
      // the 101 has gone: all that is left is to break off
      if (!gone.signal.aborted) log.debug('exec broken off', { node, pod: info.name, error })
      socket.destroy()
    }
  }
}

/** Passes everything on. A node that breaks off without a status is one, too. */
async function pass(body: AsyncIterable<Uint8Array>, sink: ExecSink): Promise<void> {
  let ended = false
  try {
    for await (const { channel, bytes } of decodeRecords(body)) {
      if (ended) break
      ended = channel === EXEC_CHANNELS.error
      await sink.write(channel, bytes)
    }
  } catch (error) {
    if (!ended) await sink.write(EXEC_CHANNELS.error, status(`the node broke off: ${String(error)}`))
    ended = true
  }
  if (!ended) await sink.write(EXEC_CHANNELS.error, status('the node ended without a status'))
  sink.close()
}

function status(message: string): Uint8Array {
  return Buffer.from(JSON.stringify(failedStatus(message)))
}
