import { StatusError } from '../../../base/errors.ts'
import { NODE_LINK_PATH, NODE_LINK_PROTOCOL } from '../../../protocols/node-link.ts'
import { nodeNameOf } from '../authz/node-rules.ts'
import type { UpgradeHandler } from '../http/https-server.ts'
import type { NodeLinks } from './node-links.ts'

/** Turns the upgrade request of a node's agent into its link. @throws {StatusError} `BadRequest`, `Forbidden` */
export function acceptLink(links: NodeLinks): UpgradeHandler {
  return (head, socket, first) => {
    if (head.path !== NODE_LINK_PATH || head.info.verb !== 'list' || head.protocol !== NODE_LINK_PROTOCOL) {
      throw new StatusError('BadRequest', `unable to upgrade: ${head.path} does not speak ${JSON.stringify(head.protocol)}`)
    }
    const node = nodeNameOf(head.user)
    if (node === undefined)
      throw new StatusError('Forbidden', `nodelink is forbidden: User ${JSON.stringify(head.user.name)} is not a node`)
    if (first.length > 0) throw new StatusError('BadRequest', 'unable to upgrade: the client must wait for the answer before it sends more')
    // HTTP/2 takes over the native handle: while this write is under way there, its end would be taken for one of HTTP/2's own
    // writes, and Node ends the whole process over that
    return new Promise((resolve, reject) => {
      socket.write(`HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: ${NODE_LINK_PROTOCOL}\r\n\r\n`, (error) => {
        if (error) return reject(error)
        links.attach(node, socket)
        resolve()
      })
    })
  }
}
