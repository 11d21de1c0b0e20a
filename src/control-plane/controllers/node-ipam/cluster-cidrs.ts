import { formatPrefix, parsePrefix, prefixContains, type IpPrefix } from '../../../base/ip.ts'

/** The addresses of one family that nodes share out to their pods. */
export interface ClusterCidr {
  readonly prefix: IpPrefix
  /** Length of the part each node gets: 24 makes /24. */
  readonly nodeLength: number
}

export interface NodeMaskSizes {
  /** Default 24. */
  readonly ipv4?: number
  /** Default 64. */
  readonly ipv6?: number
}

/** A setting of pod addresses that cannot be meant. Code `BAD_CLUSTER_CIDR`. */
export class ClusterCidrError extends Error {
  override readonly name = 'ClusterCidrError'
  readonly code = 'BAD_CLUSTER_CIDR'
}

/** Most parts one range is cut into, as a power of two. */
const MAX_SHARE_BITS = 24

/**
 * Reads `10.244.0.0/16` or `10.244.0.0/16,fd00:10:244::/48`: at most one range of each family, in the order in which nodes list theirs.
 * Source: kubernetes/cmd/kube-controller-manager, flags cluster-cidr and node-cidr-mask-size-ipv4/6.
 * @param reserved other ranges of the cluster that must not overlap (services)
 * @throws ClusterCidrError
 */
export function parseClusterCidrs(text: string, sizes: NodeMaskSizes = {}, reserved: readonly IpPrefix[] = []): ClusterCidr[] {
  const ranges = text.split(',').map((part): ClusterCidr => {
    const prefix = part.includes('/') ? parsePrefix(part.trim()) : undefined
    if (!prefix) throw new ClusterCidrError(`cluster CIDR "${part.trim()}" is not a CIDR; write one such as 10.244.0.0/16`)
    return { prefix, nodeLength: prefix.family === 4 ? (sizes.ipv4 ?? 24) : (sizes.ipv6 ?? 64) }
  })
  if (ranges.length > 2 || (ranges.length === 2 && ranges[0]?.prefix.family === ranges[1]?.prefix.family))
    throw new ClusterCidrError(`cluster CIDR "${text}" has more than one range of a family; give one IPv4 and one IPv6 range at most`)
  for (const range of ranges) checkShare(range)
  for (const { prefix } of ranges) {
    const other = reserved.find((one) => prefixContains(one, prefix) || prefixContains(prefix, one))
    if (other) throw new ClusterCidrError(`cluster CIDR ${formatPrefix(prefix)} overlaps ${formatPrefix(other)}, the addresses of services`)
  }
  return ranges
}

function checkShare({ prefix, nodeLength }: ClusterCidr): void {
  const [bits, flag] = prefix.family === 4 ? [32, '--node-cidr-mask-size-ipv4'] : [128, '--node-cidr-mask-size-ipv6']
  const range = formatPrefix(prefix)
  if (!Number.isInteger(nodeLength) || nodeLength < prefix.length || nodeLength > bits)
    throw new ClusterCidrError(`a node's part of ${range} cannot be a /${nodeLength}; set ${flag} to ${prefix.length}..${bits}`)
  if (nodeLength - prefix.length > MAX_SHARE_BITS)
    throw new ClusterCidrError(
      `${range} in parts of /${nodeLength} makes more than 2^${MAX_SHARE_BITS} parts; choose a smaller range or a smaller ${flag}`,
    )
}
