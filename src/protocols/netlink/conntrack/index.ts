/**
 * ctnetlink: flows that the kernel tracks, read and deleted. Source: linux/netfilter/nfnetlink_conntrack.h; what that leaves open is shown by
 * test/forwarding-conntrack.test.ts.
 */
export * from './flows.ts'
