import { createServer, type AddressInfo } from 'node:net'
import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { serveHealthz } from './healthz-server.ts'
import { ProxyHealth } from './proxy-health.ts'

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function ask(port: number, path: string): Promise<{ readonly status: number; readonly body: string }> {
  const response = await fetch(`http://127.0.0.1:${port}${path}`)
  return { status: response.status, body: await response.text() }
}

test('a node that drains is not healthy, but alive; a change that waits too long is neither', async () => {
  const clock = new FakeClock()
  const health = new ProxyHealth(clock)
  const port = await freePort()
  const ended = new AbortController()
  let isEligible = true
  const options = { addresses: ['127.0.0.1'], port, log: silentLogger, isNodeEligible: () => isEligible }
  const served = serveHealthz({ ...options, answer: (eligible) => health.answer(eligible) }, ended.signal)
  expect(await ask(port, '/healthz')).toMatchObject({ status: 200, body: expect.stringContaining('"nodeEligible":true') })
  isEligible = false
  expect((await ask(port, '/healthz')).status).toBe(503)
  expect((await ask(port, '/livez')).status).toBe(200)
  health.queued()
  await clock.advance(60_000)
  expect((await ask(port, '/livez')).status).toBe(503)
  expect((await ask(port, '/other')).status).toBe(404)
  ended.abort()
  await served
  await expect(ask(port, '/livez')).rejects.toThrow()
})

test('a port that is taken ends nothing', async () => {
  const other = createServer()
  await new Promise<void>((resolve) => other.listen(0, '127.0.0.1', resolve))
  const { port } = other.address() as AddressInfo
  const health = new ProxyHealth(new FakeClock())
  await serveHealthz(
    { addresses: ['127.0.0.1'], port, log: silentLogger, isNodeEligible: () => true, answer: () => health.answer() },
    new AbortController().signal,
  )
  await new Promise((resolve) => other.close(resolve))
})
