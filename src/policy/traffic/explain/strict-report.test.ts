import { describe, expect, test } from 'vitest'
import { endpoint, service, worldOf } from '../compile/test-world.ts'
import type { Endpoint } from '../model/index.ts'
import { strictReport } from './index.ts'

describe('strictReport', () => {
  const meshed: Endpoint = { ...endpoint('10.0.0.5'), identity: 'spiffe://default.mesh.local/ns/shop/sa/cart' }
  const world = worldOf([
    service('cart', { endpoints: [meshed, endpoint('10.0.0.6')] }),
    service('old', { endpoints: [endpoint('10.0.0.7')] }),
  ])
  const seen = (from: string, to: string, count: number, lastSeenMs = 1_767_225_600_000) => ({ from, to, count, lastSeenMs })

  test.each([
    ['nobody', [], true, []],
    ['a caller', [seen('shop/old-1', 'shop/cart:80', 3)], false, ['shop/old-1 shop/cart:80 3 2026-01-01T00:00:00.000Z']],
    ['calls to services outside of the mesh', [seen('shop/x', 'shop/old:80', 3)], true, []],
    ['calls to what is no service', [seen('10.9.9.9', 'shop/cart-1', 1)], false, ['10.9.9.9 shop/cart-1 1 2026-01-01T00:00:00.000Z']],
    [
      'several, most calls first',
      [
        seen('b', 'shop/cart:80', 1),
        seen('a', 'shop/cart:80', 1),
        seen('c', 'shop/cart:80', 2),
        seen('b', 'shop/cart:80', 4, 1_767_225_601_000),
      ],
      false,
      [
        'b shop/cart:80 5 2026-01-01T00:00:01.000Z',
        'c shop/cart:80 2 2026-01-01T00:00:00.000Z',
        'a shop/cart:80 1 2026-01-01T00:00:00.000Z',
      ],
    ],
  ])('%s', (_, observed, safe, lines) => {
    const report = strictReport(observed, world)
    expect(report.safe).toBe(safe)
    expect(report.plaintext.map(({ from, to, count, lastSeen }) => `${from} ${to} ${count} ${lastSeen}`)).toEqual(lines)
  })

  test('what was seen long ago counts no more, and without mutual TLS nothing is safe', () => {
    expect(strictReport([seen('a', 'shop/cart:80', 1, 5)], world, 6).safe).toBe(true)
    expect(strictReport([seen('a', 'shop/cart:80', 1, 6)], world, 6).safe).toBe(false)
    expect(strictReport([], { ...world, mesh: { ...world.mesh, mtls: false } }).safe).toBe(false)
  })
})
