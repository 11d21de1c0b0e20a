import type { Metrics } from '../../../base/metrics.ts'
import type { Store } from '../../store/contract.ts'
import { qualified, type ResourceTable } from '../registry/index.ts'

/**
 * Keeps `apiserver_storage_objects`: each rendering of the metrics shows the last count and has the next one made, since a
 * count is asynchronous and a rendering is not.
 */
export function countStorageObjects(metrics: Metrics, store: Store, resources: ResourceTable): { close(): Promise<void> } {
  const help = 'Number of stored objects at the time of last check split by kind.'
  const gauge = metrics.gauge('apiserver_storage_objects', help, ['resource'])
  let running: Promise<void> | undefined
  let closed = false
  const count = async (): Promise<void> => {
    for (const resource of resources.all()) {
      if (closed) return
      if (resource.kind.storedAs) continue
      gauge.with(qualified(resource)).set(await store.count(resource.prefix))
    }
  }
  metrics.onRender(() => {
    if (closed) return
    running ??= count()
      .catch(() => {
        // the store says itself that it is closed or broken; the last count stays
      })
      .finally(() => {
        running = undefined
      })
  })
  return {
    async close() {
      closed = true
      await running
    },
  }
}
