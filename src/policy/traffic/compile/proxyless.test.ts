import { describe, expect, test } from 'vitest'
import { inboundName, type Listener, type Protocol } from '../model/index.ts'
import { POLICY_PLUGINS } from '../policies/index.ts'
import { Compiler } from './index.ts'
import { MESH, proxy, worldOf } from './test-world.ts'

function listen(protocol: Protocol, proxyless: boolean): Listener | undefined {
  const ports = [{ port: 9000, name: 'x', protocol, services: [] }]
  const world = worldOf([], { mesh: { ...MESH, proxyless } })
  const { resources } = new Compiler(world, POLICY_PLUGINS).compile(proxy('cart', { ports }))
  return resources.find(({ type, value }) => type === 'listener' && value.name === inboundName(9000))?.value as Listener | undefined
}

describe('gRPC inside of applications among the callers', () => {
  const taken = (protocol: Protocol, proxyless: boolean): unknown =>
    listen(protocol, proxyless)?.chains.flatMap(({ tls }) => (tls?.mode === 'mesh' ? [tls.proxyless ?? false] : []))

  test('is let in at ports that say they speak HTTP/2 in plain text, and at no others', () => {
    expect(taken('grpc', true)).toEqual([true])
    expect(taken('http2', true)).toEqual([true])
    for (const protocol of ['http', 'tcp', 'tls', 'auto'] as const) expect(taken(protocol, true), protocol).toEqual([false])
  })

  test('leaves applications that end TLS themselves alone where there is none', () => {
    expect(taken('grpc', false)).toEqual([false])
  })
})
