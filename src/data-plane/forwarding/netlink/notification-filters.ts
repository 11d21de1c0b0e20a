import { RTM } from '../../../protocols/netlink/route/index.ts'

/** Offsets in a message: its type, the port of the request that it came from (nlmsg_pid), the tag of a route (rtm_protocol). */
const TYPE_AT = 4
const PORT_AT = 12
const ROUTE_PROTOCOL_AT = 21
const LOAD_WORD = 0x20
const LOAD_HALF = 0x28
const LOAD_BYTE = 0x30
const JUMP_IF_EQUAL = 0x15
const RETURN = 0x06
const DROP = 0
const TAKE = 0xffff_ffff

type Instruction = readonly [code: number, whenTrue: number, whenFalse: number, value: number]

/**
 * Programs of classic BPF for sockets that listen to groups: what the kernel leaves out takes neither room nor time. They look at the first message
 * of a datagram; the kernel never puts messages of several requests together, and tells each route by itself. Source: linux/filter.h.
 */

/** All but what the requests of a port cause. */
export function exceptPort(port: number): Uint8Array {
  return program([
    [LOAD_WORD, 0, 0, PORT_AT],
    [JUMP_IF_EQUAL, 0, 1, new DataView(Uint32Array.of(port).buffer).getUint32(0)],
    [RETURN, 0, 0, DROP],
    [RETURN, 0, 0, TAKE],
  ])
}

/** All but routes with a tag, whoever makes or deletes them. */
export function exceptRoutesOf(protocol: number): Uint8Array {
  const type = (number: number): number => new DataView(Uint16Array.of(number).buffer).getUint16(0)
  return program([
    [LOAD_HALF, 0, 0, TYPE_AT],
    [JUMP_IF_EQUAL, 1, 0, type(RTM.newRoute)],
    [JUMP_IF_EQUAL, 0, 3, type(RTM.deleteRoute)],
    [LOAD_BYTE, 0, 0, ROUTE_PROTOCOL_AT],
    [JUMP_IF_EQUAL, 0, 1, protocol],
    [RETURN, 0, 0, DROP],
    [RETURN, 0, 0, TAKE],
  ])
}

/** Loads are in network order, what is loaded lies there in the machine's: values are compared with their bytes swapped. */
function program(instructions: readonly Instruction[]): Uint8Array {
  return Buffer.concat(
    instructions.flatMap(([code, whenTrue, whenFalse, value]) => [
      new Uint8Array(Uint16Array.of(code).buffer),
      Uint8Array.of(whenTrue, whenFalse),
      new Uint8Array(Uint32Array.of(value).buffer),
    ]),
  )
}
