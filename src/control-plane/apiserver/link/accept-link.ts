import { StatusError } from '../../../base/errors.ts'
import type { Duplex } from 'node:stream'
import { nodeNameOf } from '../authz/node-rules.ts'
import type { UpgradeHandler } from '../http/https-server.ts'

/** What a node may turn its connection into. */
export interface LinkKind {
  readonly path: string
  /** Value of the `upgrade` header. */
  readonly protocol: string
  /** Takes over a connection on which the 101 has been sent. */
  attach(node: string, socket: Duplex): void
}

/** Turns the upgrade request of a node's agent into its link. @throws {StatusError} `BadRequest`, `Forbidden` */
export function acceptLink(kinds: readonly LinkKind[]): UpgradeHandler {
  return (head, socket, first) => {
    const kind = kinds.find(({ path, protocol }) => head.path === path && head.protocol === protocol)
    if (!kind || head.info.verb !== 'list') {
      throw new StatusError('BadRequest', `unable to upgrade: ${head.path} does not speak ${JSON.stringify(head.protocol)}`)
    }
    const node = nodeNameOf(head.user)
    if (node === undefined) {
      const what = kind.path.split('/').at(-1)
      throw new StatusError('Forbidden', `${what} is forbidden: User ${JSON.stringify(head.user.name)} is not a node`)
    }
    if (first.length > 0) throw new StatusError('BadRequest', 'unable to upgrade: the client must wait for the answer before it sends more')
    // HTTP/2 takes over the native handle: while this write is under way there, its end would be taken for one of HTTP/2's own
    // writes, and Node ends the whole process over that
    return new Promise((resolve, reject) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${kind.protocol}\r\n\r\n`, (error) => {
        if (error) return reject(error)
        kind.attach(node, socket)
        resolve()
      })
    })
  }
}
