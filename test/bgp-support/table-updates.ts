import { HEADER_BYTES, MESSAGE_TYPE, writeHeader } from '../../src/protocols/bgp/index.ts'

const PER_UPDATE = 150

/** UPDATEs with so many prefixes of 24 bits from 16.0.0.0 on (at most 2^20), of AS 65003, in many attribute sets. */
export function* tableUpdates(prefixes: number): Generator<Uint8Array> {
  for (let first = 0, set = 0; first < prefixes; first += PER_UPDATE, set++) {
    const count = Math.min(PER_UPDATE, prefixes - first)
    const attributes = [
      [0x40, 1, 1, 0],
      // 65003 and an origin that differs
      [0x40, 2, 10, 2, 2, 0, 0, 0xfd, 0xeb, 0, 1, set >> 8, set & 0xff],
      [0x40, 3, 4, 192, 0, 2, 3],
    ].flat()
    const message = new Uint8Array(HEADER_BYTES + 4 + attributes.length + 4 * count)
    writeHeader(message, 0, MESSAGE_TYPE.update, message.length)
    const view = new DataView(message.buffer)
    view.setUint16(HEADER_BYTES + 2, attributes.length)
    message.set(attributes, HEADER_BYTES + 4)
    let at = HEADER_BYTES + 4 + attributes.length
    for (let i = first; i < first + count; i++) {
      const network = 0x1000_00 + i
      message.set([24, network >> 16, network >> 8, network], at)
      at += 4
    }
    yield message
  }
}
