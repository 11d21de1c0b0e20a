import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { ProxyView } from '../../../policy/traffic/input/index.ts'
import type { SeenConnections } from '../../../protocols/mesh-link.ts'
import { CallLedger, readCallReport } from './call-ledger.ts'

const proxy: ProxyView = {
  name: 'cart-1.shop',
  kind: 'sidecar',
  dataPlane: 'biplane',
  namespace: 'shop',
  pod: 'cart-1',
  labels: {},
  serviceAccount: 'cart',
  node: 'n',
  ips: [],
  ports: [
    { port: 8080, name: 'http', protocol: 'http', services: [{ namespace: 'shop', name: 'cart', port: 80 }] },
    { port: 9, name: 'tcp', protocol: 'tcp', services: [] },
  ],
  draining: false,
}
const seen = (more: Partial<SeenConnections> = {}): SeenConnections => ({
  address: '10.0.0.9',
  port: 8080,
  transport: 'plaintext',
  count: 1,
  ...more,
})
const told = (ledger: CallLedger): string[] =>
  [...ledger.calls].map(
    ({ caller, from, to, transport, count, lastSeenMs }) => `${caller ?? from} -> ${to} ${transport} ${count} at ${lastSeenMs}`,
  )
const podAt = (address: string): string | undefined => (address === '10.0.0.9' ? 'shop/old-1' : undefined)

describe('who was seen to call whom', () => {
  it('is counted by caller and service, whichever pods they are', () => {
    const ledger = new CallLedger()
    ledger.take(
      proxy,
      { connections: [seen(), seen({ address: '192.0.2.1' }), seen({ caller: 'spiffe://d/a', transport: 'mesh' })] },
      1,
      podAt,
    )
    ledger.take({ ...proxy, name: 'cart-2.shop', pod: 'cart-2' }, { connections: [seen({ count: 2 })] }, 2, podAt)
    ledger.take(proxy, { connections: [seen({ port: 9 }), seen({ port: 7 })] }, 3, podAt)
    expect(told(ledger)).toEqual([
      '192.0.2.1 -> shop/cart:80 plaintext 1 at 1',
      'spiffe://d/a -> shop/cart:80 mesh 1 at 1',
      'shop/old-1 -> shop/cart:80 plaintext 3 at 2',
      'shop/old-1 -> shop/cart-1:9 plaintext 1 at 3',
      'shop/old-1 -> shop/cart-1:7 plaintext 1 at 3',
    ])
    expect([...ledger.calls].map(({ isHttp }) => isHttp)).toEqual([true, true, true, false, false])
  })

  it('is known of those that tell, and forgotten where it is longest ago', () => {
    const ledger = new CallLedger(2)
    expect(ledger.tells('cart-1.shop')).toBe(false)
    for (const address of ['1', '2', '1', '3']) ledger.take(proxy, { connections: [seen({ address })] }, 1, podAt)
    expect(told(ledger)).toEqual(['1 -> shop/cart:80 plaintext 2 at 1', '3 -> shop/cart:80 plaintext 1 at 1'])
    expect(ledger.tells('cart-1.shop')).toBe(true)
    ledger.forget('cart-1.shop')
    expect([ledger.tells('cart-1.shop'), told(ledger).length]).toEqual([false, 2])
  })
})

describe('a report', () => {
  it('is read as it was written', () => {
    const report = { epoch: 'x', connections: [seen(), seen({ caller: 'spiffe://d/a', transport: 'mesh', count: 0 })] }
    expect(readCallReport(JSON.stringify(report))).toEqual(report)
    expect(readCallReport('{"connections":[],"more":1}')).toEqual({ connections: [] })
  })

  it.each([
    ['{}', 'connections: must be a list'],
    [JSON.stringify({ connections: Array.from({ length: 1_001 }, () => seen()) }), 'connections: must be a list of 1000 at most'],
    [JSON.stringify({ epoch: 1, connections: [] }), 'epoch'],
    [JSON.stringify({ connections: [seen(), { ...seen(), caller: 'me' }] }), 'connections[1].caller'],
    [JSON.stringify({ connections: [{ ...seen(), address: 'x'.repeat(513) }] }), 'connections[0].address'],
    [JSON.stringify({ connections: [{ ...seen(), port: 65_536 }] }), 'connections[0].port'],
    [JSON.stringify({ connections: [{ ...seen(), transport: 'air' }] }), 'connections[0].transport'],
    [JSON.stringify({ connections: [{ ...seen(), count: -1 }] }), 'connections[0].count'],
    [JSON.stringify({ connections: [{ ...seen(), count: 1e300 }] }), 'connections[0].count'],
    ['{"connections":[null]}', 'connections[0].address'],
    ['null', 'null'],
    ['[', 'JSON'],
  ])('that is none is refused: %.60s', (text, message) => {
    expect(() => readCallReport(text)).toThrow(message)
  })

  it('of any JSON is read or refused, and what is read can be taken', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        try {
          new CallLedger().take(proxy, readCallReport(text), 0, podAt)
        } catch (error) {
          expect(error).toBeInstanceOf(Error)
        }
      }),
    )
  })
})
