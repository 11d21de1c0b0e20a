/**
 * Netlink sockets: how the tables of the kernel are reached without a command in between. The bytes are made in protocols/netlink.
 *
 *   open-socket       a socket in a namespace, with a port of its own
 *   netlink-socket    requests and dumps, one after another; never blocks the event loop for long
 *   netlink-monitor   notifications of multicast groups, and what to do when some were lost
 *   notification-filters   programs by which the kernel leaves out what a monitor need not be told
 *   route-socket      links, addresses, routes, neighbours and rules of a namespace
 *   netlink-error     refusals, with the kernel's own words
 */
export { NetlinkError } from './netlink-error.ts'
export { NetlinkMonitor, type NetlinkMonitorOptions } from './netlink-monitor.ts'
export { exceptPort, exceptRoutesOf } from './notification-filters.ts'
export { NetlinkSocket, type NetlinkRequest, type NetlinkSocketOptions } from './netlink-socket.ts'
export { RouteSocket, type RouteChange, type RouteFailure, type Write } from './route-socket.ts'
