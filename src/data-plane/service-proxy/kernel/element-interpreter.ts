import { formatIp } from '../../../base/ip.ts'
import type { ServicePacket } from '../../../policy/packet/services/index.ts'
import type { ElementChange, SetElement } from '../../forwarding/contract.ts'
import { elementEncoder, encodeHairpin, encodeNumber } from './element-form.ts'
import { INSIDE_OFFSET, classOfNumber } from './frontend-class.ts'
import type { StateElement } from './state-elements.ts'

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex')

/** For tests: the element tables as the kernel keeps them, and what the rules make of a packet. */
export class ElementInterpreter {
  readonly sets: Map<string, Map<string, string>> = new Map()

  /** @throws Error where the kernel would refuse the transaction */
  apply(changes: readonly ElementChange[]): void {
    for (const { op, family, set, elements } of changes) {
      const name = `${family} ${set}`
      const known = this.sets.get(name) ?? new Map<string, string>()
      this.sets.set(name, known)
      for (const element of elements) {
        const [key, data] = [hex(element.key) + hex(element.keyEnd), hex(element.data as Uint8Array | undefined)]
        const had = known.get(key)
        if (op === 'delete') {
          if (had !== data) throw new Error(`delete of ${key} in ${name}: ${had === undefined ? 'not there' : 'other data'}`)
          known.delete(key)
        } else if (had !== undefined && had !== data) throw new Error(`add of ${key} in ${name}: there with other data`)
        else known.set(key, data)
      }
    }
  }

  /** All elements, without the marker, for comparisons. */
  contents(): readonly string[] {
    return [...this.sets].flatMap(([name, elements]) =>
      name.endsWith(' generation') ? [] : [...elements].map(([key, data]) => `${name} ${key} ${data}`),
    )
  }

  /** `reject`, `drop`, `pass`, or the backends that can be chosen, sorted. @throws Error when a slot that may be drawn is missing */
  judge(packet: ServicePacket, sender: 'inside' | 'outside', inRange: (ranges: readonly string[]) => boolean): string {
    const has = (element: StateElement): boolean => this.#find(packet, element) !== undefined
    if (has({ set: 'guarded' }) && !inRange(this.#allowed(packet))) return 'drop'
    if (has({ set: 'no-endpoints' })) return 'reject'
    if (has({ set: 'no-local' }) || (sender === 'outside' && has({ set: 'no-local-outside' }))) return 'drop'
    const number = (sender === 'inside' ? this.#find(packet, { set: 'near' }) : undefined) ?? this.#find(packet, { set: 'frontend' })
    if (number === undefined) return 'pass'
    const { count, inside, affinitySeconds } = classOfNumber(numberOf(number))
    return Array.from({ length: count }, (_, i) => {
      const slot = i + (inside ? INSIDE_OFFSET : 0)
      const drawn = affinitySeconds > 0 ? numberOf(this.#must(packet, { set: 'choice', number: slot })) : slot
      if (affinitySeconds > 0) this.#must(packet, { set: 'token', number: drawn })
      return backendOf(this.#must(packet, { set: 'endpoint', number: drawn }))
    })
      .sort()
      .join(' ')
  }

  isHairpin(address: string): boolean {
    return this.sets.get(`${familyOf(address)} hairpin`)?.has(hex(encodeHairpin(address).key)) ?? false
  }

  #find(packet: ServicePacket, element: StateElement): string | undefined {
    const family = packet.to.includes(':') ? 6 : 4
    const { key }: SetElement = elementEncoder({ family, address: packet.to, protocol: packet.protocol, port: packet.port })(element)
    return this.sets.get(`${familyOf(packet.to)} ${element.set}`)?.get(hex(key))
  }

  #must(packet: ServicePacket, element: StateElement): string {
    const found = this.#find(packet, element)
    if (found === undefined) throw new Error(`${packet.to}:${packet.port} draws ${element.set} ${element.number}, which is missing`)
    return found
  }

  #allowed(packet: ServicePacket): string[] {
    const family = packet.to.includes(':') ? 6 : 4
    const prefix = hex(elementEncoder({ family, address: packet.to, protocol: packet.protocol, port: packet.port })({ set: 'guarded' }).key)
    const keys = [...(this.sets.get(`${familyOf(packet.to)} allowed-source`)?.keys() ?? [])].filter((key) => key.startsWith(prefix))
    const width = family === 4 ? 8 : 32
    // first and last address
    return keys.map((key) => {
      const first = key.slice(prefix.length, prefix.length + width)
      return `${formatIp(Buffer.from(first, 'hex'))}-${formatIp(Buffer.from(key.slice(-width), 'hex'))}`
    })
  }
}

const familyOf = (address: string): string => (address.includes(':') ? 'ip6' : 'ip')

function numberOf(data: string): number {
  const bytes = Buffer.from(data, 'hex')
  return hex(encodeNumber(1)) === '01000000' ? bytes.readUInt32LE() : bytes.readUInt32BE()
}

function backendOf(data: string): string {
  const bytes = Buffer.from(data, 'hex')
  return `${formatIp(bytes.subarray(0, bytes.length - 4))}|${bytes.readUInt16BE(bytes.length - 4)}`
}
