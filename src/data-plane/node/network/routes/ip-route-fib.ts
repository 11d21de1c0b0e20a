import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { formatIp, formatPrefix } from '../../../../base/ip.ts'
import { ROUTE_PROTOCOL, type Fib, type FibProblem, type FibRoute } from '../../../../policy/route/fib-route.ts'

/** A Fib by means of the command `ip`. */
export function ipRouteFib(): Fib {
  const known = new Map<string, FibRoute>()
  const run = async (add: readonly FibRoute[], remove: readonly FibRoute[]): Promise<readonly FibProblem[]> => {
    const problems: FibProblem[] = []
    for (const route of remove) await ip(['del', ...args(route)]).catch(() => {})
    for (const route of add) {
      await ip(['replace', ...args(route)]).catch((error: Error) =>
        problems.push({ prefix: formatPrefix(route.prefix), message: error.message }),
      )
    }
    return problems
  }
  return {
    apply(routes) {
      const next = new Map([...routes].map((route) => [formatPrefix(route.prefix), route]))
      const gone = [...known].filter(([key]) => !next.has(key)).map(([, route]) => route)
      known.clear()
      for (const [key, route] of next) known.set(key, route)
      return run([...next.values()], gone)
    },
    change: ({ add, remove }) => {
      for (const route of add) known.set(formatPrefix(route.prefix), route)
      for (const route of remove) known.delete(formatPrefix(route.prefix))
      return run(add, remove)
    },
  }
}

const ip = (argv: readonly string[]): Promise<unknown> => promisify(execFile)('ip', ['route', ...argv], { timeout: 5_000 })

function args(route: FibRoute): string[] {
  const hop = route.nextHops[0]
  return [
    ...(route.type === undefined || route.type === 'unicast' ? [] : [route.type]),
    formatPrefix(route.prefix),
    'metric',
    String(route.metric),
    'protocol',
    String(ROUTE_PROTOCOL.node),
    ...(hop?.gateway ? ['via', formatIp(hop.gateway)] : []),
    ...(hop?.device ? ['dev', hop.device] : []),
    ...(hop?.onLink ? ['onlink'] : []),
    ...(route.source ? ['src', formatIp(route.source)] : []),
  ]
}
