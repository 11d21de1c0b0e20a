import { compareIp, formatIp, type IpBytes } from '../../../base/ip.ts'
import type { Flow } from '../../../protocols/netlink/conntrack/index.ts'

/** Flows that lead where nobody answers any more. */
export interface StaleFlows {
  /** Where the client sends to: a service's address. Absent: any, as for ports of nodes. */
  readonly originalDestination?: IpBytes
  readonly port: number
  /** Only flows that were sent on to it. Absent: all, as for a service that has got its first backend. */
  readonly backend?: { readonly address: IpBytes; readonly port?: number }
}

/** Finds flows by many wishes at once: each is looked at by its port first. */
export class StaleFlowMatcher {
  readonly #byPort = new Map<number, Map<string, StaleFlows>>()

  add(stale: StaleFlows): void {
    const { originalDestination: to, port, backend } = stale
    const key = `${to ? formatIp(to) : ''} ${backend ? formatIp(backend.address) : ''} ${backend?.port ?? ''}`
    const wishes = this.#byPort.get(port)
    if (wishes) wishes.set(key, stale)
    else this.#byPort.set(port, new Map([[key, stale]]))
  }

  matches({ original, reply }: Flow): boolean {
    const wishes = this.#byPort.get(original.destinationPort)
    if (!wishes) return false
    for (const { originalDestination: to, backend } of wishes.values()) {
      if (to && compareIp(to, original.destination) !== 0) continue
      if (!backend) return true
      if (compareIp(backend.address, reply.source) !== 0) continue
      if (backend.port === undefined || backend.port === reply.sourcePort) return true
    }
    return false
  }

  /** Families that may hold such flows. */
  families(): readonly (4 | 6)[] {
    const found = new Set<4 | 6>()
    for (const wishes of this.#byPort.values())
      for (const { originalDestination, backend } of wishes.values()) {
        const address = originalDestination ?? backend?.address
        if (address?.length !== 16) found.add(4)
        if (address?.length !== 4) found.add(6)
      }
    return [...found]
  }
}
