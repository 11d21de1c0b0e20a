import { endianness } from 'node:os'
import { parseIp, parsePrefix } from '../../../base/ip.ts'
import type { SetElement } from '../../forwarding/contract.ts'
import type { FrontendState } from './frontend-state.ts'
import type { StateElement } from './state-elements.ts'

const PROTOCOL_NUMBER = { TCP: 6, UDP: 17, SCTP: 132 } as const
/** Numbers in registers are the machine's own; addresses and ports are in network order. */
const LITTLE = endianness() === 'LE'

type Key = Pick<FrontendState, 'family' | 'address' | 'protocol' | 'port'>

/** An element in the kernel's form: fields in a row, each padded to a multiple of 4 bytes. */
export function encodeElement(frontend: Key, element: StateElement): SetElement {
  const width = frontend.family === 4 ? 4 : 16
  const base = width + 8
  const prefix = element.range === undefined ? undefined : parsePrefix(element.range)
  const key = new Uint8Array(base + (prefix ? width : element.number === undefined ? 0 : 4))
  key.set(parseIp(frontend.address) as Uint8Array)
  key[width] = PROTOCOL_NUMBER[frontend.protocol]
  putPort(key, width + 4, frontend.port)
  if (element.number !== undefined) putNumber(key, base, element.number)
  if (prefix) {
    const keyEnd = key.slice()
    key.set(prefix.bytes, base)
    keyEnd.set(
      prefix.bytes.map((byte, i) => byte | (0xff >> Math.min(Math.max(prefix.length - 8 * i, 0), 8))),
      base,
    )
    return { key, keyEnd }
  }
  if (element.backend) {
    const data = new Uint8Array(width + 4)
    data.set(parseIp(element.backend.address) as Uint8Array)
    putPort(data, width, element.backend.port)
    return { key, data }
  }
  return element.value === undefined ? { key } : { key, data: encodeNumber(element.value) }
}

/** The same element in nft's language. */
export function formatElement(frontend: Key, element: StateElement): string {
  const key = `${frontend.address} . ${frontend.protocol.toLowerCase()} . ${frontend.port}`
  const { number, range, value, backend } = element
  const field = number === undefined ? '' : ` . ${formatHandle(number)}`
  const sender = range === undefined ? '' : ` . ${range}`
  if (backend) return `${key}${field} : ${backend.address} . ${backend.port}`
  return `${key}${field}${sender}${value === undefined ? '' : ` : ${formatHandle(value)}`}`
}

/** A number as `meta priority` writes it. */
export function formatHandle(number: number): string {
  return `${(number >>> 16).toString(16)}:${(number & 0xffff).toString(16)}`
}

export function encodeNumber(value: number): Uint8Array {
  const bytes = new Uint8Array(4)
  putNumber(bytes, 0, value)
  return bytes
}

/** `address . address`: a sender that is its own backend. */
export function encodeHairpin(address: string): SetElement {
  const bytes = parseIp(address) as Uint8Array
  const key = new Uint8Array(bytes.length * 2)
  key.set(bytes)
  key.set(bytes, bytes.length)
  return { key }
}

function putNumber(into: Uint8Array, at: number, value: number): void {
  new DataView(into.buffer, into.byteOffset).setUint32(at, value, LITTLE)
}

function putPort(into: Uint8Array, at: number, port: number): void {
  into[at] = port >> 8
  into[at + 1] = port & 0xff
}
