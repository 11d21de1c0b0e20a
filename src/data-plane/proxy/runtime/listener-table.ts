import { isIPv4, isIPv6 } from 'node:net'
import {
  HEALTH_PORT,
  INBOUND_ANY,
  INBOUND_PORT,
  inboundName,
  MESH_PORT,
  OUTBOUND_ANY,
  OUTBOUND_PORT,
  outboundName,
  type Listener,
} from '../../../policy/traffic/model/index.ts'

/** The proxy's own, which no application has: handing them on would lead here again. */
const OWN_PORTS: ReadonlySet<number> = new Set([INBOUND_PORT, OUTBOUND_PORT, MESH_PORT, HEALTH_PORT])

/** Listeners of a snapshot, by what a connection was going to. */
export class ListenerTable {
  readonly #listeners: ReadonlyMap<string, Listener>

  constructor(listeners: ReadonlyMap<string, Listener>) {
    this.#listeners = listeners
  }

  /** For a connection that the application has dialled. Undefined: nothing is known of that address (yet). */
  outbound(address: string, port: number): Listener | undefined {
    return this.#listeners.get(outboundName(plainAddress(address), port))
  }

  /** Carries what is no service of the mesh; undefined: nothing does. */
  get passthrough(): Listener | undefined {
    return this.#listeners.get(OUTBOUND_ANY)
  }

  /** For a connection to a port of the application, declared or not. Undefined: it is closed. */
  inbound(port: number): Listener | undefined {
    return this.#listeners.get(inboundName(port)) ?? (OWN_PORTS.has(port) ? undefined : this.#listeners.get(INBOUND_ANY))
  }

  /** Listeners that are bound here. */
  get gateways(): readonly Listener[] {
    return [...this.#listeners.values()].filter(({ direction }) => direction === 'gateway')
  }
}

/** An address as names have it: IPv4 in IPv6 is IPv4, no zone, lower-case. */
export function plainAddress(address: string): string {
  if (isIPv4(address)) return address
  const plain = (address.split('%')[0] as string).toLowerCase()
  const mapped = plain.startsWith('::ffff:') ? plain.slice('::ffff:'.length) : ''
  if (isIPv4(mapped)) return mapped
  return isIPv6(plain) ? compressed(plain) : plain
}

/** RFC 5952: as the kernel and the API write addresses. */
function compressed(address: string): string {
  return new URL(`http://[${address}]`).hostname.slice(1, -1)
}
