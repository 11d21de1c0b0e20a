/**
 * Netlink, the language of the Linux kernel's network tables: bytes in and values out, no sockets.
 *
 *   constants         flags and types that all families share
 *   writer            messages and attributes, many messages in one buffer
 *   reader            cursors over messages and attributes: no objects, so that long dumps are read fast
 *   acknowledgement   errors with the kernel's own words
 *   netfilter         what nf_tables, connection tracking and packet logs have in common
 *   route/, conntrack/, nflog/   families of messages
 *
 * nf_tables is in ../nftables. Supported standards: RFC 3549 as Linux speaks it, extended acknowledgements.
 */
export * from './constants.ts'
export { readAcknowledgement, type Acknowledgement } from './acknowledgement.ts'
export { AttributeCursor, MessageCursor, NetlinkFormatError, uint16, uint32, uint32be } from './reader.ts'
export { MAX_ATTRIBUTE_BYTES, NetlinkWriter } from './writer.ts'
export { NETLINK_NETFILTER, netfilterHead } from './netfilter.ts'
