import { describe, expect, it } from 'vitest'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import fc from 'fast-check'
import protobuf from 'protobufjs'
import {
  decodeDeltaRequest,
  decodeDeltaResponse,
  decodeDiscoveryRequest,
  deltaEntry,
  deltaResponse,
  encodeDeltaRequest,
  encodeDiscoveryRequest,
  sotwEntry,
  sotwResponse,
} from './index.ts'

const deps = join(dirname(createRequire(import.meta.url).resolve('@grpc/grpc-js-xds/package.json')), 'deps')
const root = new protobuf.Root()
root.resolvePath = (_origin, target) => {
  if (target.startsWith('google/protobuf/')) return join(dirname(createRequire(import.meta.url).resolve('protobufjs/package.json')), target)
  const [first] = target.split('/')
  const folder = first === 'envoy' ? 'envoy-api' : first === 'google' ? 'googleapis' : first === 'validate' ? 'protoc-gen-validate' : 'xds'
  return join(deps, folder, target)
}
root.loadSync('envoy/service/discovery/v3/discovery.proto', { keepCase: true })
const oracle = (name: string): protobuf.Type => root.lookupType(`envoy.service.discovery.v3.${name}`)

const text = fc.string({ maxLength: 20, unit: 'grapheme' })
const node = fc.record({ id: text, cluster: text, userAgent: text })
const errorDetail = fc.record({ code: fc.integer({ min: 0, max: 16 }), message: text })
const optional = { requiredKeys: ['versionInfo', 'typeUrl', 'responseNonce', 'resourceNames'] as const }

describe('discovery messages', () => {
  it('requests of both protocols come back as they went', () => {
    fc.assert(
      fc.property(
        fc.record(
          { versionInfo: text, typeUrl: text, responseNonce: text, resourceNames: fc.array(text), node, errorDetail },
          { ...optional, requiredKeys: [...optional.requiredKeys] },
        ),
        (request) => {
          const bytes = encodeDiscoveryRequest(request)
          expect(decodeDiscoveryRequest(bytes)).toEqual(request)
          const seen = oracle('DiscoveryRequest').toObject(oracle('DiscoveryRequest').decode(bytes), { defaults: true })
          expect(seen).toMatchObject({
            version_info: request.versionInfo,
            resource_names: request.resourceNames,
            type_url: request.typeUrl,
          })
        },
      ),
    )
  })

  it('delta requests are what protobufjs reads and writes', () => {
    const versions = fc
      .array(
        fc.tuple(
          text.filter((name) => name !== '__proto__'),
          text,
        ),
      )
      .map((list) => new Map(list))
    fc.assert(
      fc.property(
        fc.record({
          typeUrl: text,
          subscribe: fc.array(text),
          unsubscribe: fc.array(text),
          initialVersions: versions,
          responseNonce: text,
          node,
          errorDetail,
        }),
        (request) => {
          const type = oracle('DeltaDiscoveryRequest')
          expect(decodeDeltaRequest(encodeDeltaRequest(request))).toEqual(request)
          const theirs = type.encode(type.decode(encodeDeltaRequest(request))).finish()
          expect(decodeDeltaRequest(theirs)).toEqual(request)
        },
      ),
    )
  })

  it('responses are what protobufjs reads', () => {
    const resource = fc.record({ name: text, version: text, typeUrl: text, value: fc.uint8Array().map((bytes) => Buffer.from(bytes)) })
    fc.assert(
      fc.property(fc.array(resource), fc.array(text), text, text, (resources, removed, typeUrl, nonce) => {
        const bytes = deltaResponse({ typeUrl, nonce, removed, entries: resources.map(deltaEntry) })
        expect(decodeDeltaResponse(bytes)).toEqual({ systemVersion: '', typeUrl, nonce, removed, resources })
        const seen = oracle('DeltaDiscoveryResponse').toObject(oracle('DeltaDiscoveryResponse').decode(bytes), { defaults: true })
        expect(seen['removed_resources']).toEqual(removed)
        expect((seen['resources'] as { name: string }[]).map(({ name }) => name)).toEqual(resources.map(({ name }) => name))
        const world = sotwResponse({ versionInfo: 'v', typeUrl, nonce, entries: resources.map((one) => sotwEntry(one.typeUrl, one.value)) })
        const all = oracle('DiscoveryResponse').toObject(oracle('DiscoveryResponse').decode(world), { defaults: true })
        expect((all['resources'] as unknown[]).length).toBe(resources.length)
      }),
    )
  })
})
