import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, expect, it } from 'vitest'
import { openHealthServer, type HealthServer, type HealthServerOptions } from './health-server.ts'

const servers: HealthServer[] = []
afterEach(() => Promise.all(servers.splice(0).map((server) => server.close())))

async function open(
  more: Partial<HealthServerOptions>,
): Promise<(path: string, headers?: Record<string, string>) => Promise<[number, string]>> {
  const server = await openHealthServer({
    listen: { host: '127.0.0.1', port: 0 },
    notReady: () => undefined,
    probes: {},
    appHost: '127.0.0.1',
    metrics: () => 'a 1\n',
    ...more,
  })
  servers.push(server)
  return async (path, headers = {}) => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { headers })
    return [response.status, await response.text()]
  }
}

it('says what is missing until it is ready', async () => {
  let missing: string | undefined = 'no configuration yet'
  const ask = await open({ notReady: () => missing })
  expect(await ask('/ready')).toEqual([503, 'no configuration yet\n'])
  missing = undefined
  expect(await ask('/ready')).toEqual([200, 'LIVE\n'])
  expect(await ask('/stats/prometheus')).toEqual([200, 'a 1\n'])
  expect((await ask('/other'))[0]).toBe(404)
})

it("asks the application in the kubelet's name, and passes on its reason", async () => {
  let status = 200
  const asked: string[] = []
  const app = createServer((request, response) => {
    asked.push(`${request.method} ${request.url} ${String(request.headers['x-probe'])}`)
    response.writeHead(status).end()
  })
  await new Promise<void>((resolve) => app.listen(0, '127.0.0.1', resolve))
  const { port } = app.address() as AddressInfo
  const ask = await open({
    probes: {
      '/app-health/web/livez': { httpGet: { path: '/live', port, httpHeaders: [{ name: 'X-Probe', value: 'y' }] }, timeoutSeconds: 1 },
      '/app-health/web/readyz': { tcpSocket: { port }, timeoutSeconds: 1 },
    },
  })
  expect(await ask('/app-health/web/livez')).toEqual([200, 'ok\n'])
  expect(asked).toEqual(['GET /live y'])
  status = 500
  expect(await ask('/app-health/web/livez')).toEqual([503, 'HTTP probe failed with statuscode: 500\n'])
  expect(await ask('/app-health/web/readyz')).toEqual([200, 'ok\n'])
  await new Promise((resolve) => app.close(resolve))
  expect((await ask('/app-health/web/readyz'))[0]).toBe(503)
  expect((await ask('/app-health/other/livez'))[0]).toBe(404)
})

it('sends callers away for the kubelet alone', async () => {
  let drained = 0
  const ask = await open({ drain: { token: 't', run: () => Promise.resolve(void drained++) } })
  expect((await ask('/drain'))[0]).toBe(403)
  expect((await ask('/drain', { 'biplane-drain': 'x' }))[0]).toBe(403)
  expect(drained).toBe(0)
  expect(await ask('/drain', { 'biplane-drain': 't' })).toEqual([200, 'drained\n'])
  expect(drained).toBe(1)
})
