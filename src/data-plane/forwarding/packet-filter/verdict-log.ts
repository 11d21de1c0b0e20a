import type { Clock } from '../../../base/clock.ts'
import { formatIp } from '../../../base/ip.ts'
import type { Logger } from '../../../base/log.ts'
import type { RuleLabel } from './filter-model.ts'

/** A packet that the kernel has told of; an Nflog (forwarding/nflog) of group 190 gives them. */
export interface PacketLogMessage {
  readonly prefix: string
  /** Undefined: no IP packet. */
  readonly tuple:
    | {
        readonly source: Uint8Array
        readonly destination: Uint8Array
        /** IP protocol number. */
        readonly protocol: number
        readonly sourcePort?: number
        readonly destinationPort?: number
      }
    | undefined
}

/** A packet that was denied, and by whom. */
export interface Denial {
  /** Milliseconds since 1970. */
  readonly atMs: number
  readonly source: string
  readonly destination: string
  /** `TCP`, `UDP`, `SCTP`, `ICMP`, `ICMPv6`, else the number. */
  readonly protocol: string
  readonly sourcePort?: number
  readonly destinationPort?: number
  /** `namespace/name`, where the address is a pod's. */
  readonly sourcePod?: string
  readonly destinationPod?: string
  readonly direction: RuleLabel['direction']
  readonly tier: RuleLabel['tier']
  /** Ids of the policies; several where NetworkPolicies isolate together and no rule of theirs matched. */
  readonly policies: readonly string[]
  readonly rule?: RuleLabel['rule']
  readonly denyAction?: RuleLabel['denyAction']
}

const PROTOCOLS: Readonly<Record<number, string>> = { 1: 'ICMP', 6: 'TCP', 17: 'UDP', 58: 'ICMPv6', 132: 'SCTP' }
const MAX_DENIALS = 1000
/** Lines a second; what is above is counted and told with the next line. */
const MAX_LINES = 20

/** The last denials, and a log line for each, within bounds. */
export class VerdictLog {
  readonly #clock: Clock
  readonly #log: Logger
  readonly #podAt: (address: string) => string | undefined
  readonly #ring: Denial[] = []
  #next = 0
  #second = 0
  #lines = 0
  #left = 0

  /** @param podAt `namespace/name` of the pod with an address */
  constructor(options: { readonly clock: Clock; readonly log: Logger; readonly podAt: (address: string) => string | undefined }) {
    this.#clock = options.clock
    this.#log = options.log
    this.#podAt = options.podAt
  }

  /** Oldest first; at most 1,000. */
  recent(): readonly Denial[] {
    return [...this.#ring.slice(this.#next), ...this.#ring.slice(0, this.#next)]
  }

  note(label: RuleLabel, { tuple }: PacketLogMessage): void {
    if (!tuple) return
    const { verdict, direction, tier, policies, rule, denyAction } = label
    const source = formatIp(tuple.source)
    const destination = formatIp(tuple.destination)
    const sourcePod = this.#podAt(source)
    const destinationPod = this.#podAt(destination)
    const fields = {
      source,
      destination,
      protocol: PROTOCOLS[tuple.protocol] ?? String(tuple.protocol),
      ...(tuple.sourcePort === undefined ? {} : { sourcePort: tuple.sourcePort }),
      ...(tuple.destinationPort === undefined ? {} : { destinationPort: tuple.destinationPort }),
      ...(sourcePod === undefined ? {} : { sourcePod }),
      ...(destinationPod === undefined ? {} : { destinationPod }),
      direction,
      tier,
      policies,
      ...(rule ? { rule } : {}),
      ...(denyAction ? { denyAction } : {}),
    }
    if (verdict === 'deny') {
      this.#ring[this.#next] = { atMs: this.#clock.now(), ...fields }
      this.#next = (this.#next + 1) % MAX_DENIALS
    }
    this.#tell(verdict, fields)
  }

  #tell(verdict: RuleLabel['verdict'], fields: Omit<Denial, 'atMs'>): void {
    const second = Math.floor(this.#clock.monotonic() / 1000)
    if (second !== this.#second) {
      this.#second = second
      this.#lines = 0
    }
    if (this.#lines >= MAX_LINES) {
      this.#left++
      return
    }
    this.#lines++
    this.#log.info(verdict === 'deny' ? 'packet denied' : 'packet accepted', {
      ...fields,
      ...(this.#left > 0 ? { untold: this.#left } : {}),
    })
    this.#left = 0
  }
}
