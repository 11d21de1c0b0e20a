import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { randomUUID } from 'node:crypto'
import { build } from 'esbuild'
import { afterEach, expect, test } from 'vitest'
import { addTeamOperator } from '../examples/operator/team-operator.ts'
import { BUILT_IN_KINDS, configMaps, events, leases, namespaces, type ConfigMap } from '../src/api/index.ts'
import { systemClock } from '../src/base/clock.ts'
import { FakeClock } from '../src/base/fake-clock.ts'
import { silentLogger } from '../src/base/log.ts'
import { createMetrics } from '../src/base/metrics.ts'
import { createClient, createHttpsTransport, isStatus, type Client } from '../src/client/index.ts'
import { createResourceHandler } from '../src/control-plane/apiserver/handlers/index.ts'
import { createMemoryStore } from '../src/control-plane/store/index.ts'
import { startTestCluster } from '../src/testing/index.ts'
import { ADMIN_TOKEN, startFixture } from './apiserver-fixture.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup()
})

const contact = async (client: Client): Promise<string | undefined> => {
  try {
    return (await client.of(configMaps).get('team', { namespace: 'shop' })).data?.['contact']
  } catch (error) {
    if (isStatus(error, 'NotFound')) return undefined
    throw error
  }
}

const label = (client: Client, team: string | null): Promise<unknown> =>
  client.of(namespaces).patch('shop', { metadata: { labels: { team } } }, { type: 'merge' })

test('the operator of the example keeps its promise, and puts back what is changed', async () => {
  const clock = new FakeClock()
  await using cluster = await startTestCluster({ clock, namespaces: ['default', 'shop'] })
  const { client } = cluster
  const manager = cluster.manager()
  addTeamOperator(manager)
  const stop = new AbortController()
  const done = manager.run(stop.signal)
  await clock.advance(1_000)
  expect(await contact(client)).toBeUndefined()
  for (const [change, want] of [
    [() => label(client, 'payments'), 'payments@example.com'],
    [() => label(client, 'checkout'), 'checkout@example.com'],
    [
      () => client.of(configMaps).patch('team', { data: { contact: 'nobody' } }, { type: 'merge', namespace: 'shop' }),
      'checkout@example.com',
    ],
    [() => client.of(configMaps).delete('team', { namespace: 'shop' }), 'checkout@example.com'],
    [() => label(client, null), undefined],
  ] as const) {
    await change()
    await clock.advance(1_000)
    expect(await contact(client)).toBe(want)
  }
  const told = (await client.of(events).list({ namespace: 'default' })).items.map(({ message, count }) => `${message} x${count}`)
  expect(told.sort()).toEqual(['the team is reached at checkout@example.com x3', 'the team is reached at payments@example.com x1'])
  stop.abort()
  await done
})

test('as a process, over HTTPS from a kubeconfig: works, gives its lease back on SIGTERM, exits 0', async () => {
  const store = createMemoryStore()
  const environment = { clock: systemClock, random: Math.random, uuid: randomUUID, log: silentLogger, metrics: createMetrics() }
  const resources = createResourceHandler({ store, kinds: BUILT_IN_KINDS, ...environment })
  const fixture = await startFixture(resources.handle)
  const server = `https://127.0.0.1:${fixture.port}`
  const transport = createHttpsTransport({ ...environment, server, ca: fixture.pki.ca, token: ADMIN_TOKEN })
  cleanups.push(
    () => store.close(),
    () => resources.close(),
    () => fixture.close(),
    () => transport.close(),
  )
  const client = createClient(transport)
  for (const name of ['default', 'shop']) await client.of(namespaces).create({ metadata: { name } })
  const ca = Buffer.from(fixture.pki.ca).toString('base64')
  const operator = await startOperator(`
current-context: c
clusters: [{name: k, cluster: {server: "${server}", certificate-authority-data: ${ca}}}]
users: [{name: u, user: {token: ${ADMIN_TOKEN}}}]
contexts: [{name: c, context: {cluster: k, user: u}}]`)
  await label(client, 'payments')
  await expect.poll(() => contact(client), { timeout: 20_000 }).toBe('payments@example.com')
  const before: ConfigMap = await client.of(configMaps).get('team', { namespace: 'shop' })
  await client.of(configMaps).delete('team', { namespace: 'shop' })
  await expect.poll(() => contact(client), { timeout: 20_000 }).toBe('payments@example.com')
  expect((await client.of(configMaps).get('team', { namespace: 'shop' })).metadata.uid).not.toBe(before.metadata.uid)
  const exited = once(operator, 'exit')
  operator.kill('SIGTERM')
  expect(await exited).toEqual([0, null])
  expect((await client.of(leases).get('team-operator', { namespace: 'default' })).spec?.holderIdentity).toBe('')
})

/** Bundles the example as its README says, and runs it with this kubeconfig. */
async function startOperator(kubeconfig: string): Promise<ChildProcess> {
  const dir = mkdtempSync(join(tmpdir(), 'biplane-operator-'))
  cleanups.push(() => rmSync(dir, { recursive: true, force: true }))
  const root = fileURLToPath(new URL('..', import.meta.url))
  const outfile = join(dir, 'operator.mjs')
  await build({
    absWorkingDir: root,
    entryPoints: ['examples/operator/main.ts'],
    bundle: true,
    platform: 'node',
    format: 'esm',
    packages: 'external',
    outfile,
    logLevel: 'error',
  })
  // dependencies are found from the bundle's own place
  mkdirSync(join(dir, 'node_modules'))
  symlinkSync(join(root, 'node_modules/js-yaml'), join(dir, 'node_modules/js-yaml'))
  writeFileSync(join(dir, 'kubeconfig'), kubeconfig, { mode: 0o600 })
  const child = spawn(process.execPath, [outfile], { env: { KUBECONFIG: join(dir, 'kubeconfig') }, stdio: ['ignore', 'ignore', 'inherit'] })
  cleanups.push(() => child.exitCode === null && child.signalCode === null && child.kill('SIGKILL'))
  return child
}
