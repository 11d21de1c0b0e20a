/** Netlink family of netfilter: nf_tables, connection tracking, packet logs. */
export const NETLINK_NETFILTER = 12

/** nfgenmsg, the fixed head of all its messages. @param resource 16 bits: a subsystem, a group, or 0 */
export function netfilterHead(family: number, resource: number): readonly number[] {
  return [family, 0, resource >> 8, resource & 255]
}
