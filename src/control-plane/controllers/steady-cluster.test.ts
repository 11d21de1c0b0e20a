import { expect, test } from 'vitest'
import { deployments } from '../../api/apps/v1/deployment.ts'
import { services } from '../../api/core/v1/service.ts'
import { startRunningCluster, webDeployment, webService } from './test-support.ts'

test('a cluster in which nothing happens writes nothing for an hour but heartbeats', async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  const { client, cluster, clock } = running
  await client.of(services).create(webService())
  await client.of(deployments).create(webDeployment())
  await running.advance(30_000)
  const written: string[] = []
  const watch = cluster.store.watch('/registry/')
  const reading = (async () => {
    for await (const batch of watch) for (const event of batch.events) written.push(event.key)
  })()
  await clock.advance(3_600_000)
  watch.close()
  await reading.catch(() => {})
  const heartbeats = written.filter((key) => key.includes('/leases/kube-node-lease/'))
  expect(heartbeats.length).toBeGreaterThan(700)
  // events of the start expire after their hour
  expect(written.filter((key) => !heartbeats.includes(key) && !key.includes('/events/'))).toEqual([])
})
