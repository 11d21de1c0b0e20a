import type { Clock } from '../../../base/clock.ts'
import type { Histogram, Metrics } from '../../../base/metrics.ts'
import type { Op, Store } from '../../store/contract.ts'

/** Seconds; upstream's buckets for etcd. */
const BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

/** `store`, with the time of every call in `etcd_request_duration_seconds`: upstream's name, whatever the engine is. */
export function instrumentStore(store: Store, metrics: Metrics, clock: Clock): Store {
  const help = 'Store request latency in seconds for each operation and object type.'
  const family = metrics.histogram('etcd_request_duration_seconds', help, ['operation', 'type'], BUCKETS)
  const series = new Map<string, Map<string, Histogram>>()
  const seriesOf = (operation: string, key: string): Histogram => {
    let types = series.get(operation)
    if (!types) series.set(operation, (types = new Map()))
    const type = typeOf(key)
    let found = types.get(type)
    if (!found) types.set(type, (found = family.with(operation, type)))
    return found
  }
  const timed = async <T>(operation: string, key: string, call: Promise<T>): Promise<T> => {
    const start = clock.monotonic()
    try {
      return await call
    } finally {
      seriesOf(operation, key).observe((clock.monotonic() - start) / 1000)
    }
  }
  return {
    txn: (compares, onSuccess, onFailure) => {
      const [first] = onSuccess
      const absent = compares[0]?.revision === 0n
      return timed(operationOf(first, absent), first?.key ?? '', store.txn(compares, onSuccess, onFailure))
    },
    get: (key, revision) => timed('get', key, store.get(key, revision)),
    list: (prefix, options) => timed('list', prefix, store.list(prefix, options)),
    count: (prefix) => store.count(prefix),
    watch: (prefix, options) => store.watch(prefix, options),
    compact: (revision) => store.compact(revision),
    leases: store.leases,
    status: () => store.status(),
    close: () => store.close(),
  }
}

function operationOf(op: Op | undefined, absent: boolean): string {
  if (op?.type === 'put') return absent ? 'create' : 'update'
  return op?.type ?? 'get'
}

/** `core/pods` of `/registry/core/pods/default/web`. */
function typeOf(key: string): string {
  const start = '/registry/'.length
  const end = key.indexOf('/', key.indexOf('/', start) + 1)
  return end < 0 ? key.slice(start) : key.slice(start, end)
}
