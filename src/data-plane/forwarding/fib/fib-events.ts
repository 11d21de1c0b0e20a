import type { Clock } from '../../../base/clock.ts'
import type { MessageCursor } from '../../../protocols/netlink/index.ts'
import {
  isClonedRoute,
  NETLINK_ROUTE,
  readAddress,
  readLink,
  RTM,
  RTNLGRP,
  type KernelLink,
} from '../../../protocols/netlink/route/index.ts'
import { NLM_REPLACE } from '../../../protocols/netlink/index.ts'
import { exceptPort, NetlinkMonitor } from '../netlink/index.ts'
import { routeKeyOf, type RouteKey } from './route-key.ts'

/** What others have done, and the kernel by itself. */
export interface FibEventHandlers {
  /** A route was made; `isReplacing`: in place of another. `port` is that of its maker, 0: the kernel. */
  routeMade(key: RouteKey, protocol: number, isReplacing: boolean): void
  routeGone(key: RouteKey, protocol: number, port: number): void
  link(link: KernelLink, isGone: boolean): void
  /** An address of a link came or went. */
  address(link: number): void
  lost(): void
  failed(error: Error): void
}

/** Routes are watched by a group of their own for each family. */
const ROUTE_GROUPS = [RTNLGRP.ipv4Route, RTNLGRP.ipv6Route]

/** Watches routes, links and addresses of a namespace. Events of our own port are not told. */
export function watchFib(
  options: { readonly namespace?: string; readonly clock: Clock; readonly ownPort: number },
  handlers: FibEventHandlers,
): NetlinkMonitor {
  const onMessage = (message: MessageCursor): void => {
    switch (message.type) {
      case RTM.newRoute:
        if (isClonedRoute(message)) return
        handlers.routeMade(routeKeyOf(message), protocolOf(message), (message.flags & NLM_REPLACE) !== 0)
        return
      case RTM.deleteRoute:
        if (!isClonedRoute(message)) handlers.routeGone(routeKeyOf(message), protocolOf(message), message.port)
        return
      case RTM.newLink:
      case RTM.deleteLink:
        // bridges tell of their ports in a family of their own
        if (message.bytes[message.start] === 0) handlers.link(readLink(message), message.type === RTM.deleteLink)
        return
      case RTM.newAddress:
      case RTM.deleteAddress:
        handlers.address(readAddress(message).link)
    }
  }
  const { ownPort, ...rest } = options
  return NetlinkMonitor.open({
    ...rest,
    filter: exceptPort(ownPort),
    protocol: NETLINK_ROUTE,
    groups: [RTNLGRP.link, RTNLGRP.ipv4Address, RTNLGRP.ipv6Address, ...ROUTE_GROUPS],
    onMessage,
    onLost: () => handlers.lost(),
    onFailed: (error) => handlers.failed(error),
  })
}

/** rtm_protocol: the tag of the owner. */
const protocolOf = (message: MessageCursor): number => message.bytes[message.start + 5] as number
