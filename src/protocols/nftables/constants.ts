/** Multicast group of nf_tables. */
export const NFNLGRP_NFTABLES = 7

export const NFNL_MSG_BATCH_BEGIN = 16
export const NFNL_MSG_BATCH_END = 17

/** Subsystem number, the upper byte of a message's type. */
export const NFNL_SUBSYS_NFTABLES = 10

/** Types of nf_tables messages, subsystem included. Source: linux/netfilter/nf_tables.h. */
export const NFT_MSG = {
  newTable: 0xa00,
  newSet: 0xa09,
  getSet: 0xa0a,
  newElement: 0xa0c,
  deleteElement: 0xa0e,
  newGeneration: 0xa0f,
  getGeneration: 0xa10,
} as const

/** nfgenmsg.nfgen_family. */
export const NFT_FAMILIES: Readonly<Record<string, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 }
