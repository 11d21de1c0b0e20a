import { createServer, get, type IncomingMessage } from 'node:http'
import { once } from 'node:events'
import { connect, type AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { formatPrefix } from '../../../base/ip.ts'
import { changedItems } from './changed-items.ts'
import { chainOfClass, classNumber, classOfNumber } from './frontend-class.ts'
import { HealthChecks } from './health-checks.ts'
import { ProxyHealth } from './proxy-health.ts'
import { afterRepair, decideRepair, type RepairHistory } from './repair-pace.ts'
import { serviceRangeRoutes } from './service-range-routes.ts'

describe('changedItems', () => {
  test('finds what any edit added and removed', () => {
    const universe = Array.from({ length: 12 }, (_, id) => ({ id }))
    const list = fc.shuffledSubarray(universe)
    fc.assert(
      fc.property(list, list, (before, after) => {
        const { added, removed } = changedItems(before, after)
        expect(new Set(added)).toEqual(new Set(after.filter((item) => !before.includes(item))))
        expect(new Set(removed)).toEqual(new Set(before.filter((item) => !after.includes(item))))
      }),
    )
  })
})

describe('frontend classes', () => {
  test('a number says all', () => {
    const drawn = fc.record({
      count: fc.integer({ min: 1, max: 4095 }),
      inside: fc.boolean(),
      rewritesSource: fc.boolean(),
      affinitySeconds: fc.integer({ min: 0, max: 86_400 }),
    })
    fc.assert(
      fc.property(drawn, (one) => {
        expect(classOfNumber(classNumber(one))).toEqual(one)
      }),
    )
  })

  test('names of chains', () => {
    const name = (more: object): string =>
      chainOfClass(classNumber({ count: 3, inside: false, rewritesSource: true, affinitySeconds: 0, ...more }))
    expect([name({}), name({ rewritesSource: false }), name({ inside: true, rewritesSource: false, affinitySeconds: 9 })]).toEqual([
      'pick-3',
      'pick-3-local',
      'pick-3-inside-local-keep-9',
    ])
  })
})

describe('repairs', () => {
  test('at once, then ever less often, then as if nothing had been', () => {
    let history: RepairHistory | undefined
    let now = 0
    const waits: string[] = []
    for (let i = 0; i < 9; i++) {
      const { inMs, isContested } = decideRepair(history, now)
      waits.push(`${inMs}${isContested ? '!' : ''}`)
      now += inMs
      history = afterRepair(history, now)
    }
    expect(waits).toEqual(['0', '5000', '10000', '20000', '40000!', '80000!', '160000!', '300000!', '300000!'])
    expect(decideRepair(history, now + 600_001)).toEqual({ inMs: 0, isContested: false })
  })
})

describe('health', () => {
  test('unhealthy while a change waits for more than a minute', async () => {
    const clock = new FakeClock()
    const health = new ProxyHealth(clock)
    expect(health.answer().code).toBe(200)
    health.queued()
    await clock.advance(59_000)
    expect(health.answer().code).toBe(200)
    await clock.advance(2_000)
    expect(health.answer().code).toBe(503)
    expect(JSON.parse(health.answer().body)).toEqual({
      lastUpdated: '2026-01-01T00:00:00.000Z',
      currentTime: '2026-01-01T00:01:01.000Z',
      nodeEligible: true,
    })
    health.updated()
    expect([health.answer().code, health.answer(false).code]).toEqual([200, 503])
  })

  test('health-check node port: 200 with local endpoints, 503 without, gone with the service', async () => {
    const port = await freePort()
    let isHealthy = true
    const checks = new HealthChecks({ addresses: ['127.0.0.1', '127.0.0.2'], isHealthy: () => isHealthy, log: silentLogger })
    const with_ = (localEndpoints: number) => new Map([['d/web', { namespace: 'd', name: 'web', port, localEndpoints }]])
    await checks.update(with_(2))
    expect(await ask('127.0.0.2', port)).toEqual([
      200,
      '2',
      { service: { namespace: 'd', name: 'web' }, localEndpoints: 2, serviceProxyHealthy: true },
    ])
    await checks.update(with_(0))
    expect((await ask('127.0.0.1', port))[0]).toBe(503)
    await checks.update(with_(1))
    isHealthy = false
    expect(await ask('127.0.0.1', port)).toEqual([
      503,
      '1',
      { service: { namespace: 'd', name: 'web' }, localEndpoints: 1, serviceProxyHealthy: false },
    ])
    // whoever holds connections does not get ever more of them
    const idle = Array.from({ length: 100 }, () => connect(port, '127.0.0.1'))
    await Promise.all(idle.map((socket) => once(socket, 'connect')))
    await expect(ask('127.0.0.1', port)).rejects.toThrow(/ECONNRESET|socket hang up/)
    for (const socket of idle) socket.on('error', () => {})
    await checks.update(new Map())
    await expect(ask('127.0.0.1', port)).rejects.toThrow('ECONNREFUSED')
    await checks.close()
  })
})

test('routes to service ranges have the source of their family', () => {
  const routes = serviceRangeRoutes(['10.96.0.0/16', 'fd00:10:96::/112', 'rubbish'], ['2001:db8::1', '192.0.2.1'], 'eth0')
  expect(routes.map(({ prefix, source, nextHops }) => [formatPrefix(prefix), source?.length, nextHops])).toEqual([
    ['10.96.0.0/16', 4, [{ device: 'eth0' }]],
    ['fd00:10:96::/112', 16, [{ device: 'eth0' }]],
  ])
})

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}

async function ask(host: string, port: number): Promise<[number | undefined, unknown, unknown]> {
  const request = get({ host, port, agent: false })
  const [response] = (await once(request, 'response')) as [IncomingMessage]
  let body = ''
  for await (const chunk of response) body += String(chunk)
  return [response.statusCode, response.headers['x-load-balancing-endpoint-weight'], JSON.parse(body)]
}
