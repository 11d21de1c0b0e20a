import { parseIp } from '../../../base/ip.ts'
import { IFA_NODAD } from '../../../protocols/netlink/route/index.ts'
import { RouteSocket } from '../../forwarding/netlink/index.ts'

const SCOPE_HOST = 254
/** `lo` is the first device of every network namespace. */
const LO_INDEX = 1

/**
 * Gives this machine an address of its own on `lo`, for good: it may stay when nobody listens there. Needs CAP_NET_ADMIN. Idempotent.
 * @throws NetlinkError when the kernel refuses, RangeError when `host` is no address
 */
export async function addLocalAddress(host: string): Promise<void> {
  const bytes = parseIp(host)
  if (!bytes) throw new RangeError(`"${host}" is no IP address`)
  const socket = RouteSocket.open()
  try {
    // no duplicate detection: nobody else can have an address of `lo`
    const flags = bytes.length === 16 ? IFA_NODAD : 0
    await socket.addAddress({ bytes, length: bytes.length * 8, link: LO_INDEX, scope: SCOPE_HOST, flags })
  } finally {
    socket.close()
  }
}
