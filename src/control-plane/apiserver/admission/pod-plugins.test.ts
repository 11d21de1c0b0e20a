import { expect, test } from 'vitest'
import { namespaces } from '../../../api/core/v1/namespace.ts'
import { pods } from '../../../api/core/v1/pod.ts'
import { serviceAccounts } from '../../../api/core/v1/service-account.ts'
import { priorityClasses } from '../../../api/scheduling/v1/priority-class.ts'
import type { Pod, PodSpec } from '../../../api/generated/types.ts'
import { BUILT_IN_KINDS } from '../../../api/registry.ts'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import type { Client } from '../../../client/client.ts'
import { createClient } from '../../../client/create-client.ts'
import { createMemoryStore } from '../../store/index.ts'
import { createResourceHandler } from '../handlers/index.ts'
import { createApiServer, LOOPBACK_USER } from '../index.ts'
import { createPriorityPlugin } from './priority.ts'
import { createServiceAccountPlugin } from './service-account.ts'

async function start(): Promise<{ readonly client: Client } & AsyncDisposable> {
  const clock = new FakeClock()
  const store = createMemoryStore({ clock })
  const parts = { clock, log: silentLogger, metrics: createMetrics() }
  let uid = 0
  const admission = [createServiceAccountPlugin(store), createPriorityPlugin(store)]
  const resources = createResourceHandler({ store, kinds: BUILT_IN_KINDS, random: () => 0.5, uuid: () => `u${uid++}`, admission, ...parts })
  const api = createApiServer({ resources: resources.handle, kinds: () => BUILT_IN_KINDS, ...parts })
  const client = createClient(api.inProcess(LOOPBACK_USER))
  await client.of(namespaces).create({ metadata: { name: 'default' } })
  await client.of(serviceAccounts).create({ metadata: { name: 'default', namespace: 'default' } })
  return {
    client,
    async [Symbol.asyncDispose]() {
      await resources.close()
      await api.stop({ graceMs: 0 })
      await store.close()
    },
  }
}

const make = (client: Client, spec: Partial<PodSpec> = {}): Promise<Pod> =>
  client
    .of(pods)
    .create(
      { metadata: { generateName: 'p-', namespace: 'default' }, spec: { containers: [{ name: 'c', image: 'x' }], ...spec } },
      { dryRun: true },
    )

test('a pod runs only as an account that exists', async () => {
  await using server = await start()
  expect((await make(server.client)).spec?.serviceAccountName).toBe('default')
  await expect(make(server.client, { serviceAccountName: 'nobody' })).rejects.toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('error looking up service account default/nobody: serviceaccount "nobody" not found'),
  })
})

test('the class of a pod decides its priority', async () => {
  await using server = await start()
  const { client } = server
  expect((await make(client)).spec).toMatchObject({ priority: 0, preemptionPolicy: 'PreemptLowerPriority' })
  expect((await make(client, { priorityClassName: 'system-node-critical' })).spec?.priority).toBe(2_000_001_000)
  await client.of(priorityClasses).create({ metadata: { name: 'high' }, value: 1000, preemptionPolicy: 'Never' })
  expect((await make(client, { priorityClassName: 'high' })).spec).toMatchObject({
    priority: 1000,
    preemptionPolicy: 'PreemptLowerPriority',
  })
  await expect(make(client, { priorityClassName: 'none' })).rejects.toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('no PriorityClass with name none was found'),
  })
  await expect(make(client, { priorityClassName: 'high', priority: 7 })).rejects.toMatchObject({
    reason: 'Forbidden',
    message: expect.stringContaining('priority admission controller computed 1000'),
  })
})

test('a default class counts for pods without one', async () => {
  await using server = await start()
  const { client } = server
  await client.of(priorityClasses).create({ metadata: { name: 'usual' }, value: 50, globalDefault: true })
  expect((await make(client)).spec).toMatchObject({ priority: 50, priorityClassName: 'usual' })
})
