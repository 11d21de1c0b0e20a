import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import type { Listener } from '../../../policy/traffic/model/index.ts'
import { GatewayPorts } from './gateway-ports.ts'

const listener = (name: string, port: number, host = '127.0.3.1'): Listener => ({
  name,
  direction: 'gateway',
  address: { address: host, port },
  protocol: 'http',
  chains: [],
})

function start() {
  const clock = new FakeClock()
  const bound = new Set<string>()
  const taken = new Set<string>()
  const ports = new GatewayPorts({
    async listen(_key, { host, port }) {
      await Promise.resolve()
      if (taken.has(`${host} ${port}`)) throw new Error('in use')
      bound.add(`${host} ${port}`)
    },
    async close(key) {
      bound.delete(key.split(' ').slice(2).join(' '))
    },
    clock,
    log: silentLogger,
  })
  return { clock, bound, taken, ports }
}

test('what is bound follows the listeners, whatever comes in between', async () => {
  const { ports, bound, clock } = start()
  await Promise.all([
    ports.bind([listener('g', 10_080), listener('h', 10_443)]),
    ports.bind([listener('g', 10_080)]),
    ports.bind([listener('g', 8_080)]),
  ])
  expect([...bound]).toEqual(['127.0.3.1 8080'])
  await ports.bind([listener('g', 8_080, '::')])
  expect([...bound]).toEqual([':: 8080'])
  expect(clock.timers).toBe(0)
})

test('a port that is taken keeps no other from being bound, is told of, and is had once it is free', async () => {
  const { ports, bound, taken, clock } = start()
  taken.add('127.0.3.1 10080')
  await ports.bind([listener('g', 10_080), listener('h', 10_443)])
  expect([...bound]).toEqual(['127.0.3.1 10443'])
  expect(ports.problem).toBe('port 10080 of 127.0.3.1 cannot be listened on: in use')
  await clock.advance(5_000)
  expect(ports.problem).toBeDefined()
  taken.clear()
  await clock.advance(1_000)
  expect(ports.problem).toBeUndefined()
  expect([...bound].toSorted()).toEqual(['127.0.3.1 10080', '127.0.3.1 10443'])
  expect(clock.timers).toBe(0)
})

test('what is not wanted any more is not tried again, nor anything after the end', async () => {
  const { ports, bound, taken, clock } = start()
  taken.add('127.0.3.1 10080')
  await ports.bind([listener('g', 10_080)])
  await ports.bind([])
  expect([ports.problem, clock.timers]).toEqual([undefined, 0])
  await ports.bind([listener('g', 10_080)])
  ports.stop()
  taken.clear()
  await clock.advance(5_000)
  await ports.bind([listener('g', 10_080)])
  expect([bound.size, clock.timers]).toEqual([0, 0])
})
