import { compareIp, parseIp, parsePrefix } from '../../../base/ip.ts'
import type { FibRoute } from '../../../policy/route/fib-route.ts'

/** Loses against any other route to the same addresses. */
const METRIC = 4_294_967_290

/**
 * Routes for programs of the node itself. A packet is routed before it meets the translation of the output hook, and a service address lies nowhere: without a
 * default route `connect` would fail at once. This one is the last to be asked and names the node's address as the source, so that
 * backends can answer; nothing travels by it, since what is not translated is rejected in the output hook. For the Fib with the node's tag. Pure.
 * @param ranges service ranges, and pools of load-balancer addresses where they are to be reached from nodes without a default route
 * @param device the one that has the node's address. Not `lo`: the kernel takes routes by it for addresses of its own, and gives no refusal of datagrams
 */
export function serviceRangeRoutes(ranges: readonly string[], nodeAddresses: readonly string[], device: string): FibRoute[] {
  const addresses = nodeAddresses.flatMap((text) => parseIp(text) ?? []).sort(compareIp)
  return ranges.flatMap((range): FibRoute[] => {
    const prefix = parsePrefix(range)
    const source = addresses.find(({ length }) => length === prefix?.bytes.length)
    if (!prefix || !source) return []
    return [{ prefix, nextHops: [{ device }], metric: METRIC, source }]
  })
}
