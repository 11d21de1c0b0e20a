import type { Service } from '../../../api/generated/types.ts'
import type { Logger } from '../../../base/log.ts'
import type { Store } from '../../store/contract.ts'
import { claimsOf, NODE_PORTS, SERVICE_IPS } from './service-allocator.ts'

/**
 * Brings the allocation keys in line with the services that exist: claims without a key are written, keys without a
 * claim are deleted. Run at start, before the server takes writes. A value that two services hold is reported and left
 * alone: choosing would cut one of them off. Source: kubernetes/pkg/registry/core/service/ipallocator/controller/repair.go.
 */
export async function repairAllocations(
  store: Store,
  servicesPrefix: string,
  log: Logger,
): Promise<{ readonly added: number; readonly removed: number }> {
  const holders = new Map<string, string>()
  for (const { value } of (await store.list(servicesPrefix)).items) {
    const service = JSON.parse(Buffer.from(value).toString()) as Service
    const owner = `${service.metadata.namespace}/${service.metadata.name}`
    for (const key of claimsOf(service)) {
      const other = holders.get(key)
      if (other !== undefined) log.error('two services hold one address or node port', { key, services: `${other}, ${owner}` })
      else holders.set(key, owner)
    }
  }
  let added = 0
  let removed = 0
  const present = new Set<string>()
  for (const prefix of [SERVICE_IPS, NODE_PORTS]) {
    for (const { key } of (await store.list(prefix)).items) {
      present.add(key)
      if (holders.has(key)) continue
      await store.txn([], [{ type: 'delete', key }], [])
      removed++
    }
  }
  for (const [key, owner] of holders) {
    if (present.has(key)) continue
    await store.txn([{ key, op: '=', revision: 0n }], [{ type: 'put', key, value: Buffer.from(owner) }], [])
    added++
  }
  if (added + removed > 0) log.warn('service allocations repaired', { added, removed })
  return { added, removed }
}
