import fc from 'fast-check'
import protobuf from 'protobufjs'
import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { enumShape, messageShape, type FieldShape, type TypeRef } from './descriptor.ts'
import { decode, encode, fromProtoJson, XdsError } from './index.ts'

const require = createRequire(import.meta.url)

/** protobufjs with the .proto files themselves. */
function oracle(): protobuf.Root {
  const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps')
  const root = new protobuf.Root()
  root.resolvePath = (_origin, file) => {
    if (isAbsolute(file)) return file
    const found = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate']
      .map((folder) => join(deps, folder, file))
      .find((path) => existsSync(path))
    return found ?? join(dirname(require.resolve('protobufjs/package.json')), file)
  }
  root.loadSync(
    [
      'envoy/config/listener/v3/listener.proto',
      'envoy/config/route/v3/route.proto',
      'envoy/config/cluster/v3/cluster.proto',
      'envoy/config/endpoint/v3/endpoint.proto',
      'envoy/service/auth/v3/external_auth.proto',
      'envoy/service/discovery/v3/discovery.proto',
      'envoy/service/status/v3/csds.proto',
      'envoy/service/load_stats/v3/lrs.proto',
      'envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.proto',
      'envoy/extensions/filters/http/fault/v3/fault.proto',
      'envoy/extensions/filters/http/jwt_authn/v3/config.proto',
      'envoy/extensions/transport_sockets/tls/v3/secret.proto',
    ],
    { keepCase: true },
  )
  root.resolveAll()
  return root
}

const ROOTS = [
  'envoy.service.auth.v3.CheckRequest',
  'envoy.service.auth.v3.CheckResponse',
  'envoy.config.listener.v3.Listener',
  'envoy.config.route.v3.RouteConfiguration',
  'envoy.config.cluster.v3.Cluster',
  'envoy.config.endpoint.v3.ClusterLoadAssignment',
  'envoy.service.discovery.v3.DeltaDiscoveryRequest',
  'envoy.service.discovery.v3.DeltaDiscoveryResponse',
  'envoy.service.discovery.v3.DiscoveryRequest',
  'envoy.service.status.v3.ClientStatusResponse',
  'envoy.service.load_stats.v3.LoadStatsRequest',
  'envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager',
  'envoy.extensions.filters.http.fault.v3.HTTPFault',
  'envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication',
  'envoy.extensions.transport_sockets.tls.v3.Secret',
]

const INTEGERS = {
  i: [-2_147_483_648, 2_147_483_647],
  z: [-2_147_483_648, 2_147_483_647],
  u: [0, 4_294_967_295],
  x: [0, 4_294_967_295],
} as const
const long = (min: bigint, max: bigint): fc.Arbitrary<unknown> =>
  fc.bigInt({ min, max }).map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value))
const duration = fc
  .record({ seconds: fc.integer({ min: 0, max: 1_000_000 }), nanos: fc.integer({ min: 0, max: 999_999_999 }) })
  .map(({ seconds, nanos }) => `${seconds}${nanos === 0 ? '' : `.${String(nanos).padStart(9, '0').replace(/0+$/, '')}`}s`)
const json = fc
  .jsonValue({ maxDepth: 2 })
  .map((value) => JSON.parse(JSON.stringify(value, (_key, member) => (Object.is(member, -0) ? 0 : member))) as unknown)

/** protobufjs loses this one; ours keeps it, see below. */
const KEY = fc.string().filter((key) => key !== '__proto__')

/** A value in the form that decoding gives. */
function valueOf(type: TypeRef, depth: number): fc.Arbitrary<unknown> {
  switch (type.kind) {
    case 's':
      return fc.string({ unit: 'grapheme', maxLength: 200 })
    case 'b':
      return fc.boolean()
    case 'y':
      return fc.uint8Array({ maxLength: 50 })
    case 'd':
      return fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0)
    case 'f':
      return fc.float({ noNaN: true, noDefaultInfinity: true }).map((value) => value || 0)
    case 'l':
      return long(-(2n ** 63n), 2n ** 63n - 1n)
    case 'q':
    case 'X':
      return long(0n, 2n ** 64n - 1n)
    case 'enum':
      return fc.constantFrom(...enumShape(type.typeName).names.values())
    case 'any':
      return fc.record({ '@type': fc.constant('type.example.com/some.Unknown'), '@value': fc.uint8Array({ minLength: 1, maxLength: 20 }) })
    case 'duration':
      return duration
    case 'timestamp':
      return fc
        .date({ min: new Date(0), max: new Date('2100-01-01'), noInvalidDate: true })
        .map((date) => date.toISOString().replace(/\.?0*Z$/, 'Z'))
    case 'wrapper':
      return valueOf({ kind: type.wrapped ?? 's', typeName: '' }, depth)
    case 'empty':
      return fc.constant({})
    case 'struct':
      return fc.dictionary(KEY, json, { noNullPrototype: true })
    case 'list':
      return fc.array(json)
    case 'value':
      return json
    case 'message':
      return messageOf(type.typeName, depth + 1)
    default:
      return fc.integer({ min: INTEGERS[type.kind][0], max: INTEGERS[type.kind][1] })
  }
}

function memberOf(field: FieldShape, depth: number): fc.Arbitrary<unknown> {
  const value = valueOf(field, depth)
  if (field.mapKey === 's') return fc.dictionary(KEY, value, { minKeys: 1, maxKeys: 3, noNullPrototype: true })
  if (field.mapKey) return fc.integer({ min: 1, max: 1000 }).chain((key) => value.map((member) => ({ [key]: member })))
  if (field.repeated) return fc.array(value, { minLength: 1, maxLength: 3 })
  const zeros = new Set<unknown>([0, false, '', field.kind === 'enum' ? enumShape(field.typeName).names.get(0) : undefined])
  return field.presence ? value : value.filter((one) => !zeros.has(one) && !(field.kind === 'y' && (one as Uint8Array).length === 0))
}

function messageOf(typeName: string, depth: number): fc.Arbitrary<unknown> {
  const fields = [...messageShape(typeName).byName.values()].filter(({ kind }) => depth < 4 || kind !== 'message')
  if (fields.length === 0) return fc.constant({})
  return fc.subarray(fields, { maxLength: Math.min(fields.length, depth === 0 ? 8 : 3) }).chain((chosen) => {
    const distinct = chosen.filter(({ oneof }, index) => oneof === -1 || chosen.findIndex((other) => other.oneof === oneof) === index)
    return fc
      .tuple(...distinct.map((field) => memberOf(field, depth)))
      .map((values) => Object.fromEntries(distinct.map(({ name }, index) => [name, values[index]])))
  })
}

describe('messages and protobufjs', () => {
  let root: protobuf.Root
  beforeAll(() => {
    root = oracle()
  })

  test.each(ROOTS)('%s comes back as it was, also through protobufjs', (typeName) => {
    const type = root.lookupType(typeName)
    fc.assert(
      fc.property(messageOf(typeName, 0), (message) => {
        const bytes = encode(typeName, message)
        expect(decode(typeName, bytes)).toEqual(message)
        const theirs = type.encode(type.decode(bytes)).finish()
        expect(decode(typeName, theirs)).toEqual(message)
      }),
      { numRuns: 60 },
    )
  })

  test('bytes that are no message are refused with an error of ours, or read', () => {
    fc.assert(
      fc.property(fc.constantFrom(...ROOTS), fc.uint8Array({ maxLength: 300 }), (typeName, bytes) => {
        try {
          decode(typeName, bytes)
        } catch (error) {
          expect(error).toBeInstanceOf(XdsError)
        }
      }),
      { numRuns: 2000 },
    )
  })

  test('bytes with one of them changed are refused with an error of ours, or read', () => {
    const bytes = encode('envoy.config.cluster.v3.Cluster', CLUSTER)
    fc.assert(
      fc.property(fc.nat(bytes.length - 1), fc.integer({ min: 0, max: 255 }), (at, byte) => {
        const changed = Uint8Array.from(bytes)
        changed[at] = byte
        try {
          decode('envoy.config.cluster.v3.Cluster', changed)
        } catch (error) {
          expect(error).toBeInstanceOf(XdsError)
        }
      }),
      { numRuns: 2000 },
    )
  })
})

const OPTIONS = 'envoy.extensions.upstreams.http.v3.HttpProtocolOptions'
const CLUSTER = {
  name: 'reviews',
  type: 'EDS',
  connect_timeout: '5s',
  eds_cluster_config: { eds_config: { ads: {}, resource_api_version: 'V3' } },
  circuit_breakers: { thresholds: [{ max_connections: 0, retry_budget: { budget_percent: { value: 20 }, min_retry_concurrency: 3 } }] },
  typed_extension_protocol_options: {
    [OPTIONS]: { '@type': `type.googleapis.com/${OPTIONS}`, explicit_http_config: { http2_protocol_options: {} } },
  },
}

describe('the JSON form', () => {
  test('an Any of a known type is read as its fields', () => {
    expect(decode('envoy.config.cluster.v3.Cluster', encode('envoy.config.cluster.v3.Cluster', CLUSTER))).toEqual(CLUSTER)
  })

  test('an empty Any has no type', () => {
    const filter = { config: {}, disabled: true }
    expect(decode('envoy.config.route.v3.FilterConfig', encode('envoy.config.route.v3.FilterConfig', filter))).toEqual(filter)
  })

  test('a key of a map may be called __proto__', () => {
    const locator = JSON.parse('{"dynamic_parameters":{"__proto__":"x"}}') as object
    const back = decode('envoy.service.discovery.v3.ResourceLocator', encode('envoy.service.discovery.v3.ResourceLocator', locator))
    expect(JSON.stringify(back)).toBe('{"dynamic_parameters":{"__proto__":"x"}}')
  })

  test('the order of keys changes nothing', () => {
    const turned = Object.fromEntries(Object.entries(CLUSTER).toReversed())
    expect(encode('envoy.config.cluster.v3.Cluster', turned)).toEqual(encode('envoy.config.cluster.v3.Cluster', CLUSTER))
  })

  test.each([
    [1500, '1.5s'],
    [0, '0s'],
    [0.25, '0.000250s'.replace(/0+s/, 's')],
    ['-1.5s', '-1.5s'],
    ['3s', '3s'],
  ])('a duration of %s is %s', (given, shown) => {
    expect(decode('envoy.config.cluster.v3.Cluster', encode('envoy.config.cluster.v3.Cluster', { connect_timeout: given }))).toEqual({
      connect_timeout: shown,
    })
  })

  const LISTENER = 'envoy.config.listener.v3.Listener'
  test.each([
    [{ nam: 'x' }, 'nam: envoy.config.listener.v3.Listener has no such field'],
    [{ filter_chains: [{}, { filters: [{ name: 1 }] }] }, 'filter_chains[1].filters[0].name: is text, not 1'],
    [{ filter_chains: {} }, 'filter_chains: is a list, not {}'],
    [
      { address: { socket_address: { port_value: -1 } } },
      'address.socket_address.port_value: is a whole number from 0 to 4294967295, not -1',
    ],
    [{ address: { socket_address: {}, pipe: {} } }, 'address.pipe: envoy.config.core.v3.Address may have only one of socket_address, pipe'],
    [
      { traffic_direction: 'UP' },
      'traffic_direction: "UP" is none of envoy.config.core.v3.TrafficDirection: UNSPECIFIED, INBOUND, OUTBOUND',
    ],
    [
      { listener_filters_timeout: 'soon' },
      'listener_filters_timeout: a duration is a number of milliseconds or text such as "1.5s", not "soon"',
    ],
    [
      { filter_chains: [{ filters: [{ typed_config: { '@type': 'type.googleapis.com/no.Such' } }] }] },
      'filter_chains[0].filters[0].typed_config: nothing is known of the type no.Such; give its bytes in "@value"',
    ],
  ])('%j is refused, and where', (value, message) => {
    expect(() => encode(LISTENER, value)).toThrow(message)
    // the writer is as good as new
    expect(decode(LISTENER, encode(LISTENER, { name: 'x' }))).toEqual({ name: 'x' })
  })

  test('deep nesting is refused in both directions', () => {
    let value: Record<string, unknown> = { any: true }
    for (let depth = 0; depth < 200; depth += 1) value = { not_rule: value }
    expect(() => encode('envoy.config.rbac.v3.Permission', value)).toThrow('deeper than 100')
    let bytes = encode('envoy.config.rbac.v3.Permission', { any: true })
    for (let depth = 0; depth < 200; depth += 1) bytes = Uint8Array.from([0x42, ...encode('google.protobuf.BytesValue', bytes).subarray(1)])
    expect(() => decode('envoy.config.rbac.v3.Permission', bytes)).toThrow('deeper than 100')
  })

  test('both spellings of names are read, inside of Any and lists too', () => {
    expect(
      fromProtoJson('envoy.config.cluster.v3.Cluster', {
        connectTimeout: '1s',
        healthChecks: [{ httpHealthCheck: { path: '/' } }],
        typedExtensionProtocolOptions: { aB: { '@type': `type.googleapis.com/${OPTIONS}`, explicitHttpConfig: {} } },
      }),
    ).toEqual({
      connect_timeout: '1s',
      health_checks: [{ http_health_check: { path: '/' } }],
      typed_extension_protocol_options: { aB: { '@type': `type.googleapis.com/${OPTIONS}`, explicit_http_config: {} } },
    })
    expect(() => fromProtoJson('envoy.config.cluster.v3.Cluster', { healthChecks: [{ nope: 1 }] })).toThrow('health_checks[0].nope')
    expect(() => fromProtoJson('envoy.config.cluster.v3.Cluster', { connect_timeout: 1, connectTimeout: 2 })).toThrow('given twice')
  })
})
