import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { SetShape } from '../../../protocols/nftables/index.ts'
import type { SetElement } from '../contract.ts'
import type { FilterMap, FilterSet, KeyType } from './filter-model.ts'

/** Numbers and sizes of nft's types; concatenations have no number of their own here, for sets of them are never made one by one. */
export const TYPES: Readonly<Record<KeyType, { readonly number: number; readonly bytes: number }>> = {
  ipv4_addr: { number: 7, bytes: 4 },
  ipv6_addr: { number: 8, bytes: 16 },
  inet_service: { number: 13, bytes: 2 },
  'ipv4_addr . ipv4_addr': { number: 0, bytes: 8 },
  'ipv6_addr . ipv6_addr': { number: 0, bytes: 32 },
  'ipv4_addr . inet_service': { number: 0, bytes: 8 },
  'ipv6_addr . inet_service': { number: 0, bytes: 20 },
}

/** An element as nft writes it, and the chain that it leads to. */
export interface ElementText {
  readonly key: string
  readonly chain?: string
}

export function shapeOf(set: FilterSet | FilterMap): SetShape {
  return {
    keyBytes: TYPES[set.type].bytes,
    dataBytes: 0,
    isInterval: 'isInterval' in set && set.isInterval === true,
    isConcatenation: set.type.includes(' . '),
  }
}

/** The kernel's form of an element: addresses, pairs of them or of one and a port, prefixes, ports, ranges of ports. */
export function elementBytes({ key, chain }: ElementText): SetElement {
  return { ...rangeOf(key), ...(chain === undefined ? {} : { data: { verdict: 'jump', chain } }) }
}

function rangeOf(key: string): Pick<SetElement, 'key' | 'keyEnd'> {
  const ports = /^(\d+)(?:-(\d+))?$/.exec(key)
  if (ports) return { key: port(Number(ports[1])), keyEnd: port(Number(ports[2] ?? ports[1])) }
  if (key.includes('/')) {
    const { bytes, length } = parsePrefix(key) as NonNullable<ReturnType<typeof parsePrefix>>
    return { key: bytes, keyEnd: bytes.map((byte, i) => byte | (0xff >> Math.min(Math.max(length - 8 * i, 0), 8))) }
  }
  return { key: Buffer.concat(key.split(' . ').map((part) => (/^\d+$/.test(part) ? port(Number(part)) : (parseIp(part) as Uint8Array)))) }
}

// padded to a multiple of 4 bytes
const port = (number: number): Uint8Array => Uint8Array.of(number >> 8, number & 255, 0, 0)
