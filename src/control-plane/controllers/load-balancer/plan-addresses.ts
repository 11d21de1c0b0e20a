import type { BalancerRequest } from './balancer-request.ts'
import { poolAddresses, poolHas, type PoolLabels, type PoolView } from './pool-view.ts'

/** What the planner asks about addresses. */
export interface AddressUse {
  /** What the service has. */
  readonly held: readonly string[]
  readonly mayKeep: (address: string) => boolean
  readonly mayTake: (address: string) => boolean
  readonly isFree: (address: string) => boolean
  /** Addresses of services with the same sharing key. */
  readonly sharedUnder: (key: string) => readonly string[]
}

export interface AddressPlan {
  /** In the order of the families. */
  readonly addresses: readonly string[]
  /** Why something that was asked for is missing. */
  readonly problem?: string
}

/**
 * Decides which addresses a service should have. Pure. What it has it keeps as long as it may; else the address it names, one of those
 * that it can share, the first free one of the pools in their order.
 */
export function planAddresses(request: BalancerRequest, labels: PoolLabels, pools: readonly PoolView[], use: AddressUse): AddressPlan {
  const allowed = pools.filter((pool) => (request.pool === undefined || pool.name === request.pool) && pool.matches(labels))
  const addresses: string[] = []
  const problems: string[] = []
  for (const family of request.families) {
    const found = addressOf(request, family, { allowed, use })
    if ('address' in found) addresses.push(found.address)
    else problems.push(found.problem)
  }
  if (problems.length === 0) return { addresses }
  const problem = [...new Set(problems)].join('; ')
  const named = request.pool === undefined ? undefined : pools.find(({ name }) => name === request.pool)
  const why =
    request.pool !== undefined && !named
      ? `there is no AddressPool ${request.pool}`
      : named && allowed.length === 0
        ? `AddressPool ${request.pool} is not for this service: its selectors leave it out`
        : problem
  // half of what must be whole is given only to who has it already
  const partly = !request.requiresAll || addresses.some((address) => use.held.includes(address))
  const fixedMissing = [...request.fixed.values()].some((address) => !addresses.includes(address))
  const optional = addresses.length > 0 && !request.requiresAll && !fixedMissing
  return { addresses: partly ? addresses : [], ...(optional ? {} : { problem: why }) }
}

function addressOf(
  request: BalancerRequest,
  family: 4 | 6,
  { allowed, use }: { readonly allowed: readonly PoolView[]; readonly use: AddressUse },
): { readonly address: string } | { readonly problem: string } {
  const isOf = (address: string): boolean => address.includes(':') === (family === 6)
  const isAllowed = (address: string): boolean => allowed.some((pool) => poolHas(pool, address))
  const fixed = request.fixed.get(family)
  if (fixed !== undefined) {
    if (!isAllowed(fixed)) return { problem: `${fixed} is in no AddressPool that this service may use` }
    const may = use.held.includes(fixed) ? use.mayKeep(fixed) : use.mayTake(fixed)
    return may ? { address: fixed } : { problem: `${fixed} is in use by another service` }
  }
  const kept = use.held.find((address) => isOf(address) && isAllowed(address) && use.mayKeep(address))
  if (kept !== undefined) return { address: kept }
  const open = allowed.filter((pool) => pool.autoAssign || request.pool !== undefined)
  const shared = request.sharer.key === undefined ? [] : use.sharedUnder(request.sharer.key)
  const common = shared.find((address) => isOf(address) && open.some((pool) => poolHas(pool, address)) && use.mayTake(address))
  if (common !== undefined) return { address: common }
  for (const pool of open) {
    for (const address of poolAddresses(pool, family)) if (use.isFree(address)) return { address }
  }
  const some = open.some((pool) => pool.ranges.some((range) => range.family === family))
  return { problem: some ? `no free IPv${family} address is left` : `no AddressPool with IPv${family} addresses is for this service` }
}
