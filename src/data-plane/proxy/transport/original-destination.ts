import { formatIp } from '../../../base/ip.ts'
import { libcProblem, loadLibc } from '../../../base/linux/libc.ts'
import type { SocketAddress } from '../../../policy/traffic/model/index.ts'

const SOL_IP = 0
const SOL_IPV6 = 41
/** The same number in both families: SO_ORIGINAL_DST and IP6T_SO_ORIGINAL_DST. Source: linux/netfilter_ipv4.h, linux/netfilter_ipv6/ip6_tables.h. */
const ORIGINAL_DST = 80

/** Why original destinations cannot be asked for here; undefined: they can. */
export function originalDestinationProblem(): string | undefined {
  const problem = libcProblem()
  return problem && `${problem.what}: ${problem.fix}`
}

/** Where an intercepted connection was going before the kernel redirected it; undefined: it was not redirected. */
export function originalDestination(fd: number, isIpv6: boolean): SocketAddress | undefined {
  if (fd < 0) return undefined
  const libc = loadLibc()
  try {
    if (isIpv6) {
      // struct sockaddr_in6: family, port, flow, address, scope
      const answer = libc.getsockopt(fd, SOL_IPV6, ORIGINAL_DST, 28)
      return { address: formatIp(answer.slice(8, 24)), port: portIn(answer) }
    }
    const answer = libc.getsockopt(fd, SOL_IP, ORIGINAL_DST, 16)
    return { address: formatIp(answer.slice(4, 8)), port: portIn(answer) }
  } catch {
    // ENOENT: the kernel knows of no translation
    return undefined
  }
}

const portIn = (address: Uint8Array): number => ((address[2] as number) << 8) | (address[3] as number)
