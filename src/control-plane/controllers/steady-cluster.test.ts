import { expect, test } from 'vitest'
import { deployments } from '../../api/apps/v1/deployment.ts'
import { services } from '../../api/core/v1/service.ts'
import { startRunningCluster, webDeployment, webService } from '../../testing/running-cluster.ts'

test('a cluster in which nothing happens writes nothing for an hour but heartbeats', { timeout: 30_000 }, async () => {
  await using running = await startRunningCluster({ nodes: ['n1', 'n2'] })
  const { client } = running
  await client.of(services).create(webService())
  await client.of(deployments).create(webDeployment())
  await running.advance(30_000)
  // events of the start expire after their hour
  expect((await running.writes(3_600_000)).filter((key) => !key.includes('/events/'))).toEqual([])
  // and it is not because nobody looks
  await client.of(deployments).patch('web', { spec: { replicas: 2 } }, { type: 'merge', namespace: 'default' })
  expect((await running.writes(5_000)).some((key) => key.includes('/endpointslices/'))).toBe(true)
})
