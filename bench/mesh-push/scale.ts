/** What both sides and the clients agree on. */
export interface Scale {
  /** Of the unix socket. */
  readonly path: string
  readonly proxies: number
  readonly services: number
  readonly endpoints: number
}

/** Proxies of one node: they share a connection, as a node's agent relays them. */
export const PER_NODE = 50

export const nodeOf = (proxy: number): string => `n${Math.floor(proxy / PER_NODE)}`

export const addressOf = (number: number): string => `10.${1 + (number >> 16)}.${(number >> 8) & 255}.${number & 255}`
