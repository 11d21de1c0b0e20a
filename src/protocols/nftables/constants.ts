/** Multicast group of nf_tables. */
export const NFNLGRP_NFTABLES = 7

export const NFNL_MSG_BATCH_BEGIN = 16
export const NFNL_MSG_BATCH_END = 17

/** Subsystem number, the upper byte of a message's type. */
export const NFNL_SUBSYS_NFTABLES = 10

/** Types of nf_tables messages, subsystem included. Source: linux/netfilter/nf_tables.h. */
export const NFT_MSG = {
  newTable: 0xa00,
  newChain: 0xa03,
  deleteChain: 0xa05,
  newRule: 0xa06,
  getRule: 0xa07,
  deleteRule: 0xa08,
  newSet: 0xa09,
  getSet: 0xa0a,
  deleteSet: 0xa0b,
  newElement: 0xa0c,
  getElement: 0xa0d,
  deleteElement: 0xa0e,
  newGeneration: 0xa0f,
  getGeneration: 0xa10,
  newObject: 0xa12,
  deleteObject: 0xa14,
} as const

/** nfgenmsg.nfgen_family. */
export const NFT_FAMILIES: Readonly<Record<string, number>> = { inet: 1, ip: 2, arp: 3, netdev: 5, bridge: 7, ip6: 10 }
