/**
 * The kernel's tables: what packets follow. Root on Linux.
 *
 *   contract   Nft: rulesets and elements of nf_tables
 *   nft/       its implementation: openNft
 *   netlink/   sockets: links, addresses, routes, neighbours, rules (RouteSocket), notifications (NetlinkMonitor)
 *   fib/       the routing table, as far as it carries our tag: openFib
 *   tagged/    rules, neighbours and forwarding entries that are ours
 *   conntrack/ flows that are to be forgotten: openConntrackCleaner
 *   nflog/     packets that rules have logged: openNflog
 *   counters/  what became of packets: openPacketCounters, showPacketCounters
 *   packet-filter/   packet policies, compiled and in force: PolicyEnforcer; with an index of its own, for it watches the API
 *
 * What the tables should hold is compiled elsewhere (policy/, data-plane/service-proxy, control-plane/routing).
 */
export type { ElementChange, ForeignChange, Nft, NftStructures, NftVerdict, SetElement } from './contract.ts'
export * from './conntrack/index.ts'
export * from './counters/index.ts'
export * from './fib/index.ts'
export * from './netlink/index.ts'
export * from './nflog/index.ts'
export * from './nft/index.ts'
export * from './tagged/index.ts'
