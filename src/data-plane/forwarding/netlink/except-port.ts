/** Where a message says by whose request it came to be (nlmsg_pid). */
const PORT_AT = 12
const LOAD_WORD = 0x20
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06
const WHOLE = 0xffff_ffff

/**
 * A program of classic BPF that takes all datagrams but those whose first message carries a port. The kernel puts messages of one request together, never
 * those of several. Source: linux/filter.h.
 */
export function exceptPort(port: number): Uint8Array {
  // loads are in network order, and the port lies there in the machine's
  const swapped = new DataView(Uint32Array.of(port).buffer).getUint32(0)
  const instructions: readonly (readonly [code: number, whenTrue: number, whenFalse: number, value: number])[] = [
    [LOAD_WORD, 0, 0, PORT_AT],
    [JUMP_IF_EQUAL, 0, 1, swapped],
    [RETURN, 0, 0, 0],
    [RETURN, 0, 0, WHOLE],
  ]
  return Buffer.concat(
    instructions.map(([code, whenTrue, whenFalse, value]) =>
      Buffer.concat([
        new Uint8Array(Uint16Array.of(code).buffer),
        Uint8Array.of(whenTrue, whenFalse),
        new Uint8Array(Uint32Array.of(value).buffer),
      ]),
    ),
  )
}
