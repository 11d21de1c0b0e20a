import { describe, expect, test } from 'vitest'
import fc from 'fast-check'
import { formatIp, parsePrefix, type IpPrefix } from '../../../../base/ip.ts'
import { NodeAddressPool, type PoolPositions } from './pod-addresses.ts'
import { PrefixPool, tunnelAddress } from './prefix-pool.ts'

const prefix = (text: string): IpPrefix => parsePrefix(text) as IpPrefix

describe('a pool of one range', () => {
  test.each([
    ['10.244.1.0/24', '10.244.1.2', 253n],
    ['10.244.1.128/29', '10.244.1.130', 5n],
    ['10.0.0.0/31', undefined, 0n],
    ['10.0.0.0/32', undefined, 0n],
    ['fd00:10:244:1::/64', 'fd00:10:244:1::2', (1n << 64n) - 2n],
    ['fd00::/127', undefined, 0n],
  ])('%s begins with %s', (text, first, capacity) => {
    const pool = new PrefixPool(prefix(text), { used: new Set() })
    expect(pool.next()).toBe(first)
    expect(pool.capacity).toBe(capacity)
  })

  test.each([
    ['10.244.1.0/24', '10.244.1.1'],
    ['fd00:10:244:1::/64', 'fd00:10:244:1::1'],
  ])('the tunnel end of %s is %s', (text, address) => expect(formatIp(tunnelAddress(prefix(text)))).toBe(address))

  test('goes on behind the last address of an earlier pool, and around', () => {
    const pool = new PrefixPool(prefix('10.0.0.0/29'), { used: new Set(), last: '10.0.0.5' })
    expect([pool.next(), pool.next(), pool.next()]).toEqual(['10.0.0.6', '10.0.0.2', '10.0.0.3'])
  })

  test.each(['10.0.1.9', 'fd00::1', 'nonsense', '10.0.0.0'])('starts anew after the position %s, which is none', (last) => {
    expect(new PrefixPool(prefix('10.0.0.0/29'), { used: new Set(), last }).next()).toBe('10.0.0.2')
  })
})

describe('the pool of a node', () => {
  const pool = (...ranges: string[]): NodeAddressPool => {
    const made = new NodeAddressPool()
    made.setRanges(ranges.map(prefix))
    return made
  }

  test('gives one address of each family', () => {
    expect(pool('10.244.1.0/24', 'fd00:10:244:1::/64').take()).toEqual(['10.244.1.2', 'fd00:10:244:1::2'])
  })

  test('says what to do while the node has no range', () => {
    expect(() => pool().take()).toThrow('no pod CIDR yet')
  })

  test('names the range that is used up, and gives nothing of the other', () => {
    const small = pool('10.0.0.0/30', 'fd00::/64')
    expect(small.take()).toEqual(['10.0.0.2', 'fd00::2'])
    expect(() => small.take()).toThrow('all addresses of pod CIDR 10.0.0.0/30 (1) are in use')
    small.release(['10.0.0.2', 'fd00::2'])
    expect(small.take()[0]).toBe('10.0.0.2')
  })

  test('claims all or nothing, also before there are ranges', () => {
    const late = new NodeAddressPool()
    expect(late.claim(['10.0.0.2', 'fd00::2'])).toBe(true)
    expect(late.claim(['10.0.0.3', 'fd00::2'])).toBe(false)
    late.setRanges([prefix('10.0.0.0/24'), prefix('fd00::/64')])
    expect(late.take()).toEqual(['10.0.0.3', 'fd00::3'])
  })

  test('a restart goes on where the last process had come to', () => {
    let saved: PoolPositions = {}
    const first = new NodeAddressPool({ save: (positions) => (saved = positions) })
    first.setRanges([prefix('10.0.0.0/24')])
    first.release(first.take())
    const second = new NodeAddressPool({ positions: saved })
    second.setRanges([prefix('10.0.0.0/24')])
    expect(second.take()).toEqual(['10.0.0.3'])
  })

  test('loses none when its place cannot be written down', () => {
    let isFull = true
    const node = new NodeAddressPool({
      save: () => {
        if (isFull) throw new Error('ENOSPC')
      },
    })
    node.setRanges([prefix('10.0.0.0/29')])
    for (let i = 0; i < 10; i++) expect(() => node.take()).toThrow('ENOSPC')
    isFull = false
    expect(Array.from({ length: 5 }, () => node.take()).length).toBe(5)
  })

  test('never gives an address twice, and freed ones last', () => {
    fc.assert(
      fc.property(fc.array(fc.option(fc.nat(20), { nil: undefined }), { maxLength: 80 }), (steps) => {
        const node = pool('10.0.0.0/28', 'fd00::/64')
        const held: (readonly string[])[] = []
        for (const step of steps) {
          if (step !== undefined && held.length > 0) node.release(held.splice(step % held.length, 1)[0] as readonly string[])
          else if (held.length < 13) held.push(node.take())
        }
        const all = held.flat()
        expect(new Set(all).size).toBe(all.length)
        if (held.length === 13) return
        const freed = node.take()
        node.release(freed)
        const others = Array.from({ length: 12 - held.length }, () => node.take()[0])
        expect(others).not.toContain(freed[0])
        expect(node.take()[0]).toBe(freed[0])
      }),
    )
  })
})
