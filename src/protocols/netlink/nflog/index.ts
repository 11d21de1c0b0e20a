/**
 * Packets that rules have logged (`log group N`), as the kernel hands them out.
 *
 *   log-messages   asking for the packets of a group; what comes with a packet
 *   packet-tuple   who talks to whom in an IP packet
 *
 * Source: linux/netfilter/nfnetlink_log.h; what that leaves open is shown by test/forwarding-nflog.test.ts.
 */
export * from './log-messages.ts'
export * from './packet-tuple.ts'
