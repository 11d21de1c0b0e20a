import { expect, test } from 'vitest'
import { AddressPool } from './address-pool.ts'

test('gives each address once, never network or broadcast, and freed ones last', () => {
  const pool = new AddressPool('127.64.1.4/30')
  expect([pool.take(), pool.take()]).toEqual(['127.64.1.5', '127.64.1.6'])
  expect(() => pool.take()).toThrow(/all 2 addresses/)
  pool.release('127.64.1.5')
  expect(pool.take()).toBe('127.64.1.5')

  const wide = new AddressPool('127.64.1.77/24')
  const first = wide.take()
  expect(first).toBe('127.64.1.1')
  wide.release(first)
  expect(wide.take()).toBe('127.64.1.2')
})

test('skips what is already in use', () => {
  const pool = new AddressPool('10.0.0.0/29')
  expect(pool.claim('10.0.0.1')).toBe(true)
  expect(pool.claim('10.0.0.1')).toBe(false)
  expect(pool.take()).toBe('10.0.0.2')
})

test.each(['', '10.0.0.0', '10.0.0.300/24', '10.0.0.0/31', '10.0.0.0/4', 'fd00::/64'])('refuses %j', (cidr) => {
  expect(() => new AddressPool(cidr)).toThrow(/pod CIDR/)
})
