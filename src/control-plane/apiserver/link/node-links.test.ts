import { Duplex } from 'node:stream'
import { expect, test } from 'vitest'
import { FakeClock } from '../../../base/fake-clock.ts'
import { silentLogger } from '../../../base/log.ts'
import { createMetrics } from '../../../base/metrics.ts'
import { NODE_LINK_PING_MS } from '../../../protocols/node-link.ts'
import { createNodeLinks } from './node-links.ts'

test('a link that answers no pings is dropped after two periods', async () => {
  const clock = new FakeClock()
  const links = createNodeLinks({ clock, log: silentLogger, metrics: createMetrics() })
  const silent = new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() })
  links.attach('n1', silent)
  await clock.advance(NODE_LINK_PING_MS)
  expect(links.connected('n1')).toBe(true)
  await clock.advance(NODE_LINK_PING_MS)
  await clock.advance(0)
  expect(links.connected('n1')).toBe(false)
  expect(clock.timers).toBe(0)
  await expect(links.request('n1', { method: 'GET', path: '/x' })).rejects.toMatchObject({ reason: 'ServiceUnavailable' })
})

test('closing ends what waits', async () => {
  const clock = new FakeClock()
  const links = createNodeLinks({ clock, log: silentLogger, metrics: createMetrics() })
  links.attach('n1', new Duplex({ read() {}, write: (_chunk, _encoding, done) => done() }))
  const request = links.request('n1', { method: 'GET', path: '/x' })
  links.close()
  await expect(request).rejects.toMatchObject({ reason: 'ServiceUnavailable' })
})
