import { setCondition } from '../../../api/conditions.ts'
import type { AddressPool, AddressPoolStatus } from '../../../api/routing.biplane.dev/v1alpha1/address-pool.ts'
import { commonRange, parseAddressRange, rangeText, type AddressRange } from '../../../api/routing.biplane.dev/v1alpha1/address-range.ts'
import { poolHas, poolSize, viewPool } from './pool-view.ts'

/** Overlaps named in the condition; the rest is counted. */
const MAX_NAMED = 5

/** The status a pool should have. Pure. `assigned` are all addresses that services have, of whatever pool. */
export function poolStatus(
  pool: AddressPool,
  all: readonly AddressPool[],
  { assigned, now }: { readonly assigned: Iterable<string>; readonly now: string },
): AddressPoolStatus {
  const view = viewPool(pool)
  const used = { 4: 0, 6: 0 }
  for (const address of assigned) if (poolHas(view, address)) used[address.includes(':') ? 6 : 4]++
  const conflicts = conflictsOf(pool, all)
  const named = conflicts.slice(0, MAX_NAMED).join(', ')
  const more = conflicts.length > MAX_NAMED ? ` and ${conflicts.length - MAX_NAMED} more` : ''
  const condition = {
    type: 'Conflicting',
    status: conflicts.length > 0 ? 'True' : 'False',
    reason: conflicts.length > 0 ? 'Overlaps' : 'Distinct',
    message: conflicts.length > 0 ? `other pools have the same addresses: ${named}${more}` : 'no other pool has addresses of this one',
    observedGeneration: pool.metadata.generation,
    lastTransitionTime: undefined,
  }
  const conditions = setCondition<object & { type: string; status: string }>(pool.status?.conditions, condition, now)
  const available = (family: 4 | 6): number => clamp(poolSize(view, family) - BigInt(used[family]))
  return {
    observedGeneration: pool.metadata.generation,
    assignedIPv4: used[4],
    assignedIPv6: used[6],
    availableIPv4: available(4),
    availableIPv6: available(6),
    conditions: [...conditions] as NonNullable<AddressPoolStatus['conditions']>,
  }
}

/** `name (range)` for each range that another pool has too. */
function conflictsOf(pool: AddressPool, all: readonly AddressPool[]): string[] {
  const mine = rangesOf(pool)
  return all
    .filter((other) => other.metadata.name !== pool.metadata.name)
    .toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))
    .flatMap((other) =>
      rangesOf(other).flatMap((theirs) =>
        mine.flatMap((own) => {
          const common = commonRange(own, theirs)
          return common ? [`${other.metadata.name} (${rangeText(common)})`] : []
        }),
      ),
    )
}

const rangesOf = (pool: AddressPool): AddressRange[] => pool.spec.addresses.flatMap((text) => parseAddressRange(text) ?? [])

function clamp(count: bigint): number {
  return Number(count > BigInt(Number.MAX_SAFE_INTEGER) ? BigInt(Number.MAX_SAFE_INTEGER) : count)
}
