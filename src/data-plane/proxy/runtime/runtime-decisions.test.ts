import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { FilterChain, Listener } from '../../../policy/traffic/model/index.ts'
import { chooseChain, transportOf, type SeenConnection } from './choose-chain.ts'
import { ListenerTable, plainAddress } from './listener-table.ts'
import { sniffProtocol } from './sniff-protocol.ts'

describe('what plain bytes speak', () => {
  it.each([
    ['GET / HTTP/1.1\r\n', 'http1'],
    ['POST /a?b HTTP/1.0\r\nHost', 'http1'],
    ['M-SEARCH * HTTP/1.1\r\n', 'http1'],
    ['GET / HTTP/1.1\n', 'http1'],
    ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0', 'http2'],
    ['PRI * HT', 'unknown'],
    ['', 'unknown'],
    ['GE', 'unknown'],
    ['GET /lo', 'unknown'],
    ['GET / HTTP/1.1\r', 'unknown'],
    ['PING\r\n', 'opaque'],
    ['SET key value\r\n', 'opaque'],
    ['EHLO example.com\r\n', 'opaque'],
    ['*1\r\n$4\r\nPING\r\n', 'opaque'],
    ['\x16\x03\x01\x02', 'opaque'],
    ['GET \0', 'opaque'],
    ['get / HTTP/1.1\r\n', 'opaque'],
    [`GET /${'x'.repeat(9000)}`, 'opaque'],
  ])('%j', (text, expected) => expect(sniffProtocol(Buffer.from(text, 'latin1'))).toBe(expected))

  it('is the same however the bytes arrive, and never takes back what it said', () => {
    const words = fc.oneof(
      fc.constantFrom('GET / HTTP/1.1\r\n', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'PING\r\n', 'SET a b\r\n'),
      fc.string({ maxLength: 40 }),
    )
    fc.assert(
      fc.property(words, (text) => {
        const bytes = Buffer.from(text, 'latin1')
        let said = 'unknown'
        for (let end = 0; end <= bytes.length; end++) {
          const now = sniffProtocol(bytes, 0, end)
          if (said !== 'unknown') expect(now).toBe(said)
          said = now
        }
      }),
    )
  })
})

describe('the chain of a connection', () => {
  const chain = (name: string, match: FilterChain['match']): FilterChain => ({ name, match })
  const listener = {
    chains: [
      chain('exact', { serverNames: ['a.example.com'], transport: ['tls'] }),
      chain('wildcard', { serverNames: ['*.example.com'], transport: ['tls'] }),
      chain('mesh', { transport: ['mesh'] }),
      chain('plain', { transport: ['plaintext'] }),
    ],
  }
  it.each<[SeenConnection, string | undefined]>([
    [{ transport: 'tls', serverName: 'a.example.com' }, 'exact'],
    [{ transport: 'tls', serverName: 'b.example.com' }, 'wildcard'],
    [{ transport: 'tls', serverName: 'c.b.example.com' }, 'wildcard'],
    [{ transport: 'tls', serverName: 'example.com' }, undefined],
    [{ transport: 'tls', serverName: 'evil-example.com' }, undefined],
    [{ transport: 'tls' }, undefined],
    [{ transport: 'mesh', serverName: 'p80.mesh.biplane' }, 'mesh'],
    [{ transport: 'plaintext' }, 'plain'],
  ])('%j', (seen, name) => expect(chooseChain(listener, seen)?.name).toBe(name))

  it('takes TLS of HTTP/2 for the mesh where gRPC inside of applications may call, by its ALPN alone', () => {
    const chains: FilterChain[] = [
      { name: 'mesh', match: { transport: ['mesh'] }, tls: { mode: 'mesh', proxyless: true } },
      { name: 'own', match: { transport: ['tls'] } },
    ]
    const chosen = (alpn: readonly string[]): string | undefined => chooseChain({ chains }, { transport: 'tls', alpn })?.name
    expect([chosen(['h2']), chosen(['http/1.1']), chosen([])]).toEqual(['mesh', 'own', 'own'])
    const strict = chains.map((one): FilterChain => (one.tls ? { ...one, tls: { mode: 'mesh' } } : one))
    expect(chooseChain({ chains: strict }, { transport: 'tls', alpn: ['h2'] })?.name).toBe('own')
  })

  it('tells the mesh from other TLS by ALPN alone', () => {
    expect([transportOf(undefined), transportOf({ alpn: ['h2'] }), transportOf({ alpn: ['biplane-h2', 'h2'] })]).toEqual([
      'plaintext',
      'tls',
      'mesh',
    ])
  })
})

describe('listeners by destination', () => {
  const listener = (name: string, direction: Listener['direction']): [string, Listener] => [
    name,
    { name, direction, address: { address: '10.0.0.1', port: 80 }, protocol: 'http', chains: [] },
  ]
  const table = new ListenerTable(
    new Map([
      listener('outbound|10.96.0.1|80', 'outbound'),
      listener('outbound|fd00::1|80', 'outbound'),
      listener('outbound|*', 'outbound'),
      listener('inbound|8080', 'inbound'),
      listener('gateway|x', 'gateway'),
    ]),
  )
  it.each([
    ['10.96.0.1', 80, 'outbound|10.96.0.1|80'],
    ['::ffff:10.96.0.1', 80, 'outbound|10.96.0.1|80'],
    ['FD00:0:0::0001', 80, 'outbound|fd00::1|80'],
    ['fd00::1%eth0', 80, 'outbound|fd00::1|80'],
    ['10.96.0.1', 81, undefined],
  ])('%s %i', (address, port, name) => expect(table.outbound(address, port)?.name).toBe(name))
  it('knows its others', () => {
    expect([table.passthrough?.name, table.inbound(8080)?.name, table.inbound(1)?.name]).toEqual(['outbound|*', 'inbound|8080', undefined])
    expect(table.gateways.map(({ name }) => name)).toEqual(['gateway|x'])
  })
  it('leaves what is no address as it is', () => expect(plainAddress('web')).toBe('web'))
})
