import type { RouteKey } from './route-key.ts'
import { isSameWay, usableWay, type Devices, type FoundWay, type Way } from './way.ts'

/** What makes the kernel's routes of one tag equal to the wanted ones. */
export interface FibPlan {
  /** Nothing of ours is there. */
  readonly create: readonly RouteKey[]
  /** Ours is there, and other than wanted. */
  readonly replace: readonly RouteKey[]
  /** Ours, and not wanted. */
  readonly remove: readonly RouteKey[]
  /** Wanted, and none of its devices is usable. */
  readonly blocked: readonly RouteKey[]
}

/**
 * A route is right with all its next hops, or with those that are usable now. So the kernel's own way to drop the next hops of a link that
 * is down is no difference, and they come back with the link.
 * @param found the routes with our tag
 */
export function planFib(wanted: ReadonlyMap<RouteKey, Way>, found: ReadonlyMap<RouteKey, FoundWay>, devices: Devices): FibPlan {
  const create: RouteKey[] = []
  const replace: RouteKey[] = []
  const remove: RouteKey[] = []
  const blocked: RouteKey[] = []
  // few ways, many routes
  const usable = new Map<Way, Way | undefined>()
  const compared = new Map<Way, Map<FoundWay, boolean>>()
  const isRight = (way: Way, other: FoundWay): boolean => {
    let results = compared.get(way)
    if (!results) compared.set(way, (results = new Map()))
    let result = results.get(other)
    if (result === undefined) {
      const rest = usable.get(way)
      result = isSameWay(way, other, devices) || (rest !== undefined && rest !== way && isSameWay(rest, other, devices))
      results.set(other, result)
    }
    return result
  }
  for (const [key, way] of wanted) {
    if (!usable.has(way)) usable.set(way, usableWay(way, devices))
    const other = found.get(key)
    if (other && isRight(way, other)) continue
    if (usable.get(way) !== undefined) (other ? replace : create).push(key)
    else {
      blocked.push(key)
      // what is there instead is not wanted any more
      if (other) remove.push(key)
    }
  }
  for (const key of found.keys()) if (!wanted.has(key)) remove.push(key)
  return { create, replace, remove, blocked }
}
