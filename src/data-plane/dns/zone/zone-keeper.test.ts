import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { EndpointSlice, Service } from '../../../api/generated/types.ts'
import { keyOf } from '../../../api/meta/object.ts'
import { TYPE } from '../wire/codes.ts'
import { nameText, wireName } from '../wire/name.ts'
import { service, slice, ZONE } from './fixture.ts'
import { leanService, leanSlice } from './live-zone.ts'
import { ZoneKeeper } from './zone-keeper.ts'
import { compileZone, type ZoneSnapshot } from './zone.ts'

const NAMES = ['a', 'b']
const serviceOf = fc.tuple(fc.constantFrom(...NAMES), fc.nat(3)).map(([name, kind]): Service => {
  if (kind === 0) return service(name, { clusterIP: 'None', ports: [{ name: 'sql', port: 1 }] })
  if (kind === 1) return service(name, { type: 'ExternalName', externalName: 'x.y' })
  return service(name, { clusterIP: `10.96.0.${kind}`, ports: [{ name: 'http', port: 80 }] })
})
const sliceOf = fc
  .tuple(fc.constantFrom(...NAMES), fc.constantFrom('x', 'y'), fc.array(fc.tuple(fc.nat(3), fc.boolean()), { maxLength: 3 }))
  .map(([owner, id, endpoints]): EndpointSlice => ({
    ...slice(
      owner,
      endpoints.map(([last, ready]) => ({ addresses: [`10.244.0.${last}`], conditions: { ready } })),
    ),
    metadata: { name: id, namespace: 'shop', labels: { 'kubernetes.io/service-name': owner } },
  }))
const step = fc.oneof(
  serviceOf.map((object) => ({ do: 'service' as const, object })),
  sliceOf.map((object) => ({ do: 'slice' as const, object })),
  fc.constantFrom(...NAMES).map((name) => ({ do: 'no service' as const, key: `shop/${name}` })),
  fc.constantFrom('x', 'y').map((name) => ({ do: 'no slice' as const, key: `shop/${name}` })),
  fc.constant({ do: 'look' as const }),
)

/** Everything that can be seen of a zone at names that may exist. */
function view(zone: ZoneSnapshot): unknown {
  const names = [
    '',
    ...NAMES.flatMap((name) =>
      ['', '_sql._tcp.', '_http._tcp.', '_tcp.', ...[0, 1, 2, 3].map((n) => `10-244-0-${n}.`)].map((front) => `${front}${name}.shop.`),
    ),
  ]
  const found = names.map((name) => [name, [...(zone.find(wireName(`${name}svc.cluster.local`)) ?? ['none'])]])
  const reverse = [0, 1, 2, 3].flatMap((n) => [`${n}.0.244.10.in-addr.arpa`, `${n}.0.96.10.in-addr.arpa`])
  return [found, reverse.map((name) => zone.pointersOf(wireName(name)).map(nameText).sort())]
}

test('a zone that was changed step by step is the zone made from nothing', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), (steps) => {
      const keeper = new ZoneKeeper(ZONE)
      const services = new Map<string, Service>()
      const slices = new Map<string, EndpointSlice>()
      for (const each of steps) {
        if (each.do === 'service') {
          services.set(keyOf(each.object), each.object)
          keeper.setService(each.object)
        } else if (each.do === 'slice') {
          slices.set(keyOf(each.object), each.object)
          keeper.setSlice(each.object)
        } else if (each.do === 'no service') {
          services.delete(each.key)
          keeper.deleteService(each.key)
        } else if (each.do === 'no slice') {
          slices.delete(each.key)
          keeper.deleteSlice(each.key)
        } else keeper.snapshot()
      }
      const sorted = [...slices.values()].sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
      expect(view(keeper.snapshot())).toEqual(view(compileZone([...services.values()], sorted, ZONE)))
    }),
  )
})

test('what a whole list does not have is forgotten', () => {
  const keeper = new ZoneKeeper(ZONE)
  keeper.setService(service('a', { clusterIP: 'None' }))
  keeper.setService(service('b', { clusterIP: '10.96.0.2' }))
  keeper.setSlice(slice('a', [{ addresses: ['10.244.0.1'] }]))
  keeper.retainServices(new Set(['shop/a']))
  expect(keeper.snapshot().find(wireName('b.shop.svc.cluster.local'))).toBeUndefined()
  expect(keeper.snapshot().find(wireName('a.shop.svc.cluster.local'))?.get(TYPE.A)).toHaveLength(1)
  keeper.retainSlices(new Set())
  expect(keeper.snapshot().find(wireName('a.shop.svc.cluster.local'))).toBeUndefined()
})

test('endpoints of a service with an address change nothing', () => {
  const keeper = new ZoneKeeper(ZONE)
  keeper.setService(service('b', { clusterIP: '10.96.0.2' }))
  const before = keeper.snapshot().serial
  keeper.setSlice(slice('b', [{ addresses: ['10.244.0.1'] }]))
  expect(keeper.snapshot().serial).toBe(before)
})

test('lean objects make the same zone', () => {
  const objects = [
    service('a', { clusterIP: 'None', publishNotReadyAddresses: true }),
    service('b', { clusterIP: '10.96.0.2', ports: [{ name: 'p', port: 1 }] }),
  ]
  const parts = [slice('a', [{ addresses: ['10.244.0.1'], hostname: 'h', conditions: { ready: false } }])]
  const lean = compileZone(objects.map(leanService) as Service[], parts.map(leanSlice) as EndpointSlice[], ZONE)
  expect(view(lean)).toEqual(view(compileZone(objects, parts, ZONE)))
})
