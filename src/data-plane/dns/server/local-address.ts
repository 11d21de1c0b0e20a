import { parseIp } from '../../../base/ip.ts'
import { NLM_ACK, NLM_CREATE, NLM_EXCLUSIVE, NLM_REQUEST, NetlinkWriter } from '../../../protocols/netlink/index.ts'
import { NetlinkSocket } from '../../forwarding/netlink/index.ts'
import { AF_INET, AF_INET6 } from './socket-address.ts'

const NETLINK_ROUTE = 0
const RTM_NEWADDR = 20
const IFA_ADDRESS = 1
const IFA_LOCAL = 2
/** No duplicate detection: nobody else can have an address of `lo`. */
const IFA_F_NODAD = 2
const SCOPE_HOST = 254
/** `lo` is the first device of every network namespace. */
const LO_INDEX = 1
const EEXIST = 17

/**
 * Gives this machine an address of its own on `lo`, for good: it may stay when nobody listens there. Needs CAP_NET_ADMIN. Idempotent.
 * @throws Error when the kernel refuses, RangeError when `host` is no address
 */
export async function addLocalAddress(host: string): Promise<void> {
  const address = parseIp(host)
  if (!address) throw new RangeError(`"${host}" is no IP address`)
  const socket = new NetlinkSocket({ protocol: NETLINK_ROUTE })
  try {
    const sequence = socket.sequences(1)
    const writer = new NetlinkWriter()
    writer.message(RTM_NEWADDR, NLM_REQUEST | NLM_ACK | NLM_CREATE | NLM_EXCLUSIVE, sequence)
    const isV4 = address.length === 4
    writer.head([isV4 ? AF_INET : AF_INET6, address.length * 8, isV4 ? 0 : IFA_F_NODAD, SCOPE_HOST, LO_INDEX, 0, 0, 0])
    writer.bytes(IFA_LOCAL, address)
    writer.bytes(IFA_ADDRESS, address)
    const [error] = await socket.request({ bytes: writer.finish(), lastSequence: sequence, what: `address ${host} on lo` })
    if (error && Math.abs(error.errno) !== EEXIST)
      throw new Error(`the kernel does not take ${host} on lo (error ${Math.abs(error.errno)})`)
  } finally {
    socket.close()
  }
}
