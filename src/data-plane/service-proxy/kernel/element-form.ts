import { endianness } from 'node:os'
import { parseIp, parsePrefix, type IpPrefix } from '../../../base/ip.ts'
import type { SetElement } from '../../forwarding/contract.ts'
import type { FrontendState } from './frontend-state.ts'
import type { StateElement } from './state-elements.ts'

const PROTOCOL_NUMBER = { TCP: 6, UDP: 17, SCTP: 132 } as const
/** Numbers in registers are the machine's own; addresses and ports are in network order. */
const LITTLE = endianness() === 'LE'

type Key = Pick<FrontendState, 'family' | 'address' | 'protocol' | 'port'>

/** Elements of one frontend in the kernel's form: fields in a row, each padded to a multiple of 4 bytes. */
export function elementEncoder(frontend: Key): (element: StateElement) => SetElement {
  const width = frontend.family === 4 ? 4 : 16
  const base = width + 8
  const own = new Uint8Array(base)
  own.set(parseIp(frontend.address) as Uint8Array)
  own[width] = PROTOCOL_NUMBER[frontend.protocol]
  putPort(own, width + 4, frontend.port)
  return ({ number, range, value, backend }) => {
    if (range !== undefined) return encodeRange(own, range)
    let key = own
    if (number !== undefined) {
      key = new Uint8Array(base + 4)
      key.set(own)
      putNumber(key, base, number)
    }
    if (backend) {
      const data = new Uint8Array(width + 4)
      data.set(parseIp(backend.address) as Uint8Array)
      putPort(data, width, backend.port)
      return { key, data }
    }
    return value === undefined ? { key } : { key, data: encodeNumber(value) }
  }
}

function encodeRange(own: Uint8Array, range: string): SetElement {
  const { bytes, length } = parsePrefix(range) as IpPrefix
  const last = bytes.map((byte, i) => byte | (0xff >> Math.min(Math.max(length - 8 * i, 0), 8)))
  return { key: Uint8Array.from([...own, ...bytes]), keyEnd: Uint8Array.from([...own, ...last]) }
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
  for (let i = 0; i < 4; i++) into[at + i] = value >>> (8 * (LITTLE ? i : 3 - i))
}

function putPort(into: Uint8Array, at: number, port: number): void {
  into[at] = port >> 8
  into[at + 1] = port & 0xff
}
