import { parseIp } from '../ip.ts'

export const AF_INET = 2
export const AF_INET6 = 10

/** `struct sockaddr_in` or `sockaddr_in6` for bind and connect. @throws RangeError when `host` is no address */
export function socketAddress(host: string, port: number): Buffer {
  const address = parseIp(host)
  if (!address) throw new RangeError(`"${host}" is no IP address`)
  const isV4 = address.length === 4
  const bytes = Buffer.alloc(isV4 ? 16 : 28)
  // the family is in the byte order of the machine: little-endian on all that Node runs on but s390x
  if (isBigEndian) bytes.writeUInt16BE(isV4 ? AF_INET : AF_INET6, 0)
  else bytes.writeUInt16LE(isV4 ? AF_INET : AF_INET6, 0)
  bytes.writeUInt16BE(port, 2)
  bytes.set(address, isV4 ? 4 : 8)
  return bytes
}

/** A C `int` for socket options. */
export function nativeInt(value: number): Uint8Array {
  return new Uint8Array(Int32Array.of(value).buffer)
}

const isBigEndian = new Uint8Array(Uint16Array.of(1).buffer)[0] === 0
