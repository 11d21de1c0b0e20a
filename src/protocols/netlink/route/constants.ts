/** Netlink family of the network's tables. */
export const NETLINK_ROUTE = 0

/** Message types. Source: linux/rtnetlink.h. */
export const RTM = {
  newLink: 16,
  deleteLink: 17,
  getLink: 18,
  newAddress: 20,
  deleteAddress: 21,
  getAddress: 22,
  newRoute: 24,
  deleteRoute: 25,
  getRoute: 26,
  newNeighbour: 28,
  deleteNeighbour: 29,
  getNeighbour: 30,
  newRule: 32,
  deleteRule: 33,
  getRule: 34,
} as const

/** Multicast groups. */
export const RTNLGRP = {
  link: 1,
  neighbour: 3,
  ipv4Address: 5,
  ipv4Route: 7,
  ipv4Rule: 8,
  ipv6Address: 9,
  ipv6Route: 11,
  ipv6Rule: 19,
} as const

export const AF_INET = 2
export const AF_BRIDGE = 7
export const AF_INET6 = 10

/** The main routing table. */
export const TABLE_MAIN = 254

export const familyOf = (bytes: Uint8Array): number => (bytes.length === 4 ? AF_INET : AF_INET6)

/** 32 bits in host order, for fixed heads. */
export const int32 = (value: number): readonly number[] => [value & 255, (value >>> 8) & 255, (value >>> 16) & 255, value >>> 24]
