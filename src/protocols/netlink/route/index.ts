/**
 * rtnetlink: links, addresses, routes, neighbours and rules, to and from bytes.
 *
 *   constants    message types, multicast groups
 *   links        interfaces: veth pairs, VXLAN, up and down, moving to another namespace
 *   addresses    of interfaces
 *   routes       next hops with weights, gateways of the other family, tables beyond 255
 *   neighbours   ARP and neighbour discovery, proxies, forwarding entries of a VXLAN
 *   rules        which table is asked
 *
 * Functions `write...` add one request to a NetlinkWriter; `read...` take the message that a cursor stands on. Source: linux/rtnetlink.h
 * and neighbours; what they leave open is shown by test/forwarding-netlink.test.ts.
 */
export * from './constants.ts'
export * from './addresses.ts'
export * from './links.ts'
export * from './neighbours.ts'
export * from './routes.ts'
export * from './rules.ts'
