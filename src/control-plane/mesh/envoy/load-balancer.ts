import type { LoadBalancer } from '../../../policy/traffic/model/index.ts'
import type { Json } from './resource.ts'

/** How a cluster chooses among its endpoints. */
export function loadBalancer(balancer: LoadBalancer): Json {
  const slow_start_config = balancer.slowStartMs ? { slow_start_window: balancer.slowStartMs } : undefined
  switch (balancer.type) {
    case 'roundRobin':
      return { lb_policy: 'ROUND_ROBIN', round_robin_lb_config: slow_start_config && { slow_start_config } }
    case 'leastRequest':
      return {
        lb_policy: 'LEAST_REQUEST',
        least_request_lb_config: {
          choice_count: Math.max(2, balancer.choices),
          active_request_bias:
            balancer.activeRequestBias === undefined
              ? undefined
              : { default_value: balancer.activeRequestBias, runtime_key: 'least_request_bias' },
          slow_start_config,
        },
      }
    case 'random':
      return { lb_policy: 'RANDOM' }
    case 'ringHash':
      return {
        lb_policy: 'RING_HASH',
        ring_hash_lb_config: {
          minimum_ring_size: balancer.minSize,
          maximum_ring_size: balancer.maxSize,
          hash_function: balancer.hash === 'murmur2' ? 'MURMUR_HASH_2' : 'XX_HASH',
        },
      }
    case 'maglev':
      return { lb_policy: 'MAGLEV', maglev_lb_config: { table_size: balancer.tableSize } }
  }
}
