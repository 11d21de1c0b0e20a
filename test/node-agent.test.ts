import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { get as httpGet } from 'node:http'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { events, pods, services, type Container, type Pod } from '../src/api/index.ts'
import { isStatus } from '../src/base/errors.ts'
import type { Client } from '../src/client/index.ts'
import { kubectlOf, Processes } from './node-agent-support/processes.ts'
import { requirements } from './support/requirements.ts'

const root = fileURLToPath(new URL('..', import.meta.url))
const { kubectl: kubectlPath, missing, suffix } = await requirements()
const here = { namespace: 'default' }
/** Says its pid, its pod and how often it has answered. */
const SERVER = `
const { createServer } = require('node:http')
let count = 0
createServer((request, response) => {
  if (request.url === '/die') process.exit(9)
  response.end(JSON.stringify({ pid: process.pid, pod: process.env.POD, count: ++count }))
}).listen(8080, process.env.IP)
console.log('first line'); console.log('second line')
setInterval(() => console.log('tick'), 100)`

const processes = new Processes()
let client: Client

beforeAll(async () => {
  await processes.bundle(root)
  await processes.start('control-plane')
  client = processes.client()
  await processes.start('node')
})
afterAll(() => processes.close())

const field = (name: string, fieldPath: string): NonNullable<Container['env']>[number] => ({ name, valueFrom: { fieldRef: { fieldPath } } })

async function serve(name: string): Promise<void> {
  const main: Container = {
    name: 'main',
    image: 'host',
    command: [process.execPath, '-e', SERVER],
    env: [field('IP', 'status.podIP'), field('POD', 'metadata.name')],
    readinessProbe: { httpGet: { path: '/', port: 8080 }, periodSeconds: 1 },
  }
  const labels = { app: name }
  const spec = { nodeName: processes.nodeName, containers: [main], terminationGracePeriodSeconds: 1 }
  await client.of(pods).create({ metadata: { name, ...here, labels }, spec })
  await client.of(services).create({ metadata: { name, ...here }, spec: { selector: labels, ports: [{ port: 80, targetPort: 8080 }] } })
  await settled(async () => ready(await pod(name)))
}

const pod = (name: string): Promise<Pod> => client.of(pods).get(name, here)
const ready = (found: Pod): boolean => found.status?.conditions?.find(({ type }) => type === 'Ready')?.status === 'True'
const main = (found: Pod): NonNullable<NonNullable<Pod['status']>['containerStatuses']>[number] | undefined =>
  found.status?.containerStatuses?.[0]
const address = async (name: string): Promise<string> => (await client.of(services).get(name, here)).spec?.clusterIP ?? ''

async function settled(holds: () => Promise<boolean>): Promise<void> {
  await expect
    .poll(async () => holds().catch((error: unknown) => (isStatus(error) ? error.message : false)), { timeout: 30_000, interval: 25 })
    .toBe(true)
}

function ask(host: string, path = '/', port = 80): Promise<{ pid: number; pod: string; count: number }> {
  return new Promise((resolve, reject) => {
    const request = httpGet({ host, port, path, agent: false, timeout: 2_000 }, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () => resolve(JSON.parse(Buffer.concat(chunks).toString()) as { pid: number; pod: string; count: number }))
      response.on('error', reject)
    })
    request.on('timeout', () => request.destroy(new Error('no answer')))
    request.on('error', reject)
  })
}

describe('kill -9 of the agent', () => {
  test('harms no workload: same processes, no restart, the service comes back with the next agent', async () => {
    await serve('one')
    const ip = await address('one')
    await expect.poll(() => ask(ip).then(({ pod: who }) => who), { timeout: 5_000 }).toBe('one')
    const before = await ask(ip)
    const told = (await pod('one')).status
    await processes.kill('node')
    expect(await ask(told?.podIP ?? '', '/', 8080)).toMatchObject({ pid: before.pid })
    await expect(ask(ip)).rejects.toThrow('ECONNREFUSED')
    await processes.start('node')
    await expect
      .poll(
        () =>
          ask(ip).then(
            ({ pid }) => pid,
            () => 0,
          ),
        { timeout: 5_000 },
      )
      .toBe(before.pid)
    // long enough for the first probes of the new agent
    await new Promise((resolve) => setTimeout(resolve, 1_500))
    expect((await pod('one')).status).toEqual(told)
    const { items } = await client.of(events).list({ ...here, fieldSelector: 'involvedObject.name=one' })
    expect(items.filter(({ reason }) => reason === 'Started').map(({ count }) => count)).toEqual([1])
    expect(items.filter(({ reason }) => reason === 'Killing')).toEqual([])
  })

  test('an exit that happened meanwhile is reported, and the container started again', async () => {
    await serve('two')
    const { podIP = '' } = (await pod('two')).status ?? {}
    await processes.kill('node')
    await expect(ask(podIP, '/die', 8080)).rejects.toThrow()
    await processes.start('node')
    await settled(async () => main(await pod('two'))?.restartCount === 1 && ready(await pod('two')))
    expect(main(await pod('two'))?.lastState?.terminated).toMatchObject({ exitCode: 9, reason: 'Error' })
    expect((await ask(podIP, '/', 8080)).pod).toBe('two')
  })

  test('a pod that is deleted meanwhile is stopped by the next agent', async () => {
    await serve('three')
    const { podIP = '' } = (await pod('three')).status ?? {}
    await processes.kill('node')
    await client.of(pods).delete('three', here)
    expect((await ask(podIP, '/', 8080)).pod).toBe('three')
    await processes.start('node')
    await settled(async () => (await client.of(pods).list(here)).items.every(({ metadata }) => metadata.name !== 'three'))
    await expect(ask(podIP, '/', 8080)).rejects.toThrow('ECONNREFUSED')
  })
})

test('static stability: without a control plane a new agent serves what was known, and restarts what crashes', async () => {
  await serve('four')
  const ip = await address('four')
  await expect.poll(() => ask(ip).then(({ pod: who }) => who), { timeout: 5_000 }).toBe('four')
  const { podIP = '' } = (await pod('four')).status ?? {}
  // last good copies are written within a second
  await new Promise((resolve) => setTimeout(resolve, 1_500))
  await processes.kill('control-plane')
  expect((await ask(ip)).pod).toBe('four')
  await processes.kill('node')
  await processes.start('node', { awaitReady: false })
  await expect
    .poll(
      () =>
        ask(ip).then(
          ({ pod: who }) => who,
          () => '',
        ),
      { timeout: 10_000 },
    )
    .toBe('four')
  const { pid } = await ask(ip)
  await expect(ask(podIP, '/die', 8080)).rejects.toThrow()
  await expect
    .poll(
      () =>
        ask(ip).then(
          (answer) => answer.pid !== pid,
          () => false,
        ),
      { timeout: 15_000 },
    )
    .toBe(true)
  await processes.start('control-plane')
  await settled(async () => main(await pod('four'))?.restartCount === 1 && ready(await pod('four')))
  expect(main(await pod('four'))?.lastState?.terminated).toMatchObject({ exitCode: 9 })
})

describe.skipIf(missing !== '')(`kubectl logs${suffix}`, () => {
  const kubectl = kubectlOf(kubectlPath, processes)

  test('shows, tails, follows, times and limits the log of a container, and of the one before', async () => {
    await serve('five')
    await expect.poll(() => kubectl('logs', 'five'), { timeout: 10_000 }).toMatch(/^first line\nsecond line\n(tick\n)+$/)
    // a line that is written meanwhile may come too
    expect(await kubectl('logs', 'five', '--tail=1')).toMatch(/^(tick\n){1,3}$/)
    expect(await kubectl('logs', 'five', '--limit-bytes=10')).toBe('first line')
    expect(await kubectl('logs', 'five', '--timestamps', '--tail=1')).toMatch(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z tick\n){1,3}$/)
    await new Promise((resolve) => setTimeout(resolve, 2_500))
    const recent = await kubectl('logs', 'five', '--since=1s')
    expect(recent).toMatch(/^(tick\n)+$/)
    expect(recent.length).toBeLessThan((await kubectl('logs', 'five')).length / 2)
    await expect(kubectl('logs', 'five', '--previous')).rejects.toThrow('previous terminated container "main" in pod "five" not found')

    const follower = spawn(kubectlPath, ['--kubeconfig', processes.kubeconfig, 'logs', '-f', '--tail=0', 'five'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let followed = ''
    follower.stdout.on('data', (text: Buffer) => (followed += text.toString()))
    const exited = once(follower, 'exit')
    await expect.poll(() => followed.split('\n').length, { timeout: 10_000 }).toBeGreaterThan(5)
    const { podIP = '' } = (await pod('five')).status ?? {}
    await ask(podIP, '/die', 8080).catch(() => {})
    // ends with its container
    expect(await exited).toEqual([0, null])
    expect(followed).toMatch(/^(tick\n)+$/)
    await settled(async () => main(await pod('five'))?.restartCount === 1)
    expect(await kubectl('logs', 'five', '--previous', '--tail=2')).toBe('tick\ntick\n')
    await expect.poll(() => kubectl('logs', 'five'), { timeout: 10_000 }).toMatch(/^first line\nsecond line/)
  })

  test('says why there is none', async () => {
    const waiting: Container = { name: 'main', image: 'nobody/knows:1' }
    await client.of(pods).create({ metadata: { name: 'six', ...here }, spec: { nodeName: processes.nodeName, containers: [waiting] } })
    await settled(async () => main(await pod('six'))?.state?.waiting?.reason === 'ImageNotRunnableAsProcess')
    await expect(kubectl('logs', 'six')).rejects.toThrow('container "main" in pod "six" is waiting to start: ImageNotRunnableAsProcess')
  })
})
