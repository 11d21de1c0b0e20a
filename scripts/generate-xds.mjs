// Writes src/protocols/xds/generated/*.ts: field numbers and types of Envoy's v3 messages that we send and read, so that xDS is spoken without generated classes.
//
// They come out of the .proto files that the devDependency @grpc/grpc-js-xds carries (Apache-2.0, see NOTICE): everything reachable from ROOTS, except
// what PRUNED names. Usage: node scripts/generate-xds.mjs [--check]
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, isAbsolute, join } from 'node:path'
import protobuf from 'protobufjs'

const require = createRequire(import.meta.url)
const deps = join(dirname(require.resolve('@grpc/grpc-js-xds/package.json')), 'deps')
const bundled = dirname(require.resolve('protobufjs/package.json'))
const target = new URL('../src/protocols/xds/generated/', import.meta.url)

/** Messages that are named by nothing but a type URL or a method, by folder. */
const ROOTS = {
  'envoy/config/listener/v3': ['Listener'],
  'envoy/config/route/v3': ['RouteConfiguration', 'FilterConfig'],
  'envoy/config/cluster/v3': ['Cluster'],
  'envoy/config/endpoint/v3': ['ClusterLoadAssignment'],
  'envoy/config/core/v3': ['TypedExtensionConfig'],
  'envoy/config/bootstrap/v3': ['Bootstrap'],
  'envoy/config/trace/v3': ['OpenTelemetryConfig', 'ZipkinConfig', 'DatadogConfig'],
  'envoy/config/rbac/v3': ['RBAC'],
  'envoy/extensions/transport_sockets/tls/v3': ['Secret', 'UpstreamTlsContext', 'DownstreamTlsContext', 'SPIFFECertValidatorConfig'],
  'envoy/extensions/filters/network/http_connection_manager/v3': ['HttpConnectionManager'],
  'envoy/extensions/filters/network/tcp_proxy/v3': ['TcpProxy'],
  'envoy/extensions/filters/network/rbac/v3': ['RBAC'],
  'envoy/extensions/filters/network/local_ratelimit/v3': ['LocalRateLimit'],
  'envoy/extensions/filters/network/direct_response/v3': ['Config'],
  'envoy/extensions/filters/network/connection_limit/v3': ['ConnectionLimit'],
  'envoy/extensions/filters/listener/tls_inspector/v3': ['TlsInspector'],
  'envoy/extensions/filters/listener/http_inspector/v3': ['HttpInspector'],
  'envoy/extensions/filters/listener/original_dst/v3': ['OriginalDst'],
  'envoy/extensions/filters/http/router/v3': ['Router'],
  'envoy/extensions/filters/http/rbac/v3': ['RBAC', 'RBACPerRoute'],
  'envoy/extensions/filters/http/jwt_authn/v3': ['JwtAuthentication', 'PerRouteConfig'],
  'envoy/extensions/filters/http/ext_authz/v3': ['ExtAuthz', 'ExtAuthzPerRoute'],
  'envoy/extensions/filters/http/local_ratelimit/v3': ['LocalRateLimit'],
  'envoy/extensions/filters/http/fault/v3': ['HTTPFault'],
  'envoy/extensions/filters/http/cors/v3': ['Cors', 'CorsPolicy'],
  'envoy/extensions/filters/http/grpc_json_transcoder/v3': ['GrpcJsonTranscoder'],
  'envoy/extensions/filters/http/stateful_session/v3': ['StatefulSession', 'StatefulSessionPerRoute'],
  'envoy/extensions/filters/http/lua/v3': ['Lua', 'LuaPerRoute'],
  'envoy/extensions/filters/http/buffer/v3': ['Buffer', 'BufferPerRoute'],
  'envoy/extensions/filters/http/compressor/v3': ['Compressor'],
  'envoy/extensions/filters/http/grpc_stats/v3': ['FilterConfig'],
  'envoy/extensions/filters/http/health_check/v3': ['HealthCheck'],
  'envoy/extensions/compression/gzip/compressor/v3': ['Gzip'],
  'envoy/extensions/http/stateful_session/cookie/v3': ['CookieBasedSessionState'],
  'envoy/extensions/http/stateful_session/header/v3': ['HeaderBasedSessionState'],
  'envoy/extensions/upstreams/http/v3': ['HttpProtocolOptions'],
  'envoy/extensions/access_loggers/file/v3': ['FileAccessLog'],
  'envoy/extensions/access_loggers/stream/v3': ['StdoutAccessLog', 'StderrAccessLog'],
  'envoy/extensions/access_loggers/open_telemetry/v3': ['OpenTelemetryAccessLogConfig'],
  'envoy/extensions/access_loggers/grpc/v3': ['HttpGrpcAccessLogConfig', 'TcpGrpcAccessLogConfig'],
  'envoy/extensions/retry/host/previous_hosts/v3': ['PreviousHostsPredicate'],
  'envoy/extensions/load_balancing_policies/round_robin/v3': ['RoundRobin'],
  'envoy/extensions/load_balancing_policies/least_request/v3': ['LeastRequest'],
  'envoy/extensions/load_balancing_policies/ring_hash/v3': ['RingHash'],
  'envoy/extensions/load_balancing_policies/wrr_locality/v3': ['WrrLocality'],
  'envoy/service/auth/v3': ['CheckRequest', 'CheckResponse'],
  'envoy/service/discovery/v3': ['DiscoveryRequest', 'DiscoveryResponse', 'DeltaDiscoveryRequest', 'DeltaDiscoveryResponse'],
  'envoy/service/load_stats/v3': ['LoadStatsRequest', 'LoadStatsResponse'],
  'envoy/service/status/v3': ['ClientStatusRequest', 'ClientStatusResponse'],
}

/** Reachable, but of no use to a mesh: UDP and QUIC, hot restart of the process, matcher trees, annotations. Fields of these types are left out. */
const PRUNED =
  /^(xds\.type\.matcher|xds\.annotations|udpa\.annotations|validate|envoy\.config\.(overload|metrics|ratelimit|grpc_credential)|envoy\.data|envoy\.annotations)\.|\.(UdpListenerConfig|QuicProtocolOptions|Http3ProtocolOptions|QuicKeepAliveSettings|ScopedRoutes|ScopedRouteConfiguration|ScopedRouteConfigurationsList|LegacyFieldMask)$/

/** Types with a form of their own in JSON: the codec knows them. */
const WELL_KNOWN = /^google\.protobuf\./

const root = new protobuf.Root()
// the one file that the package lacks and we need. Source: opentelemetry-proto, common/v1/common.proto
protobuf.parse(
  `syntax = "proto3"; package opentelemetry.proto.common.v1;
   message AnyValue {
     oneof value {
       string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
       ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
     }
   }
   message ArrayValue { repeated AnyValue values = 1; }
   message KeyValueList { repeated KeyValue values = 1; }
   message KeyValue { string key = 1; AnyValue value = 2; }`,
  root,
  { keepCase: true },
)
root.resolvePath = (_origin, file) => {
  if (file.startsWith('opentelemetry/')) return null
  if (isAbsolute(file)) return file
  const found = ['envoy-api', 'xds', 'googleapis', 'protoc-gen-validate']
    .map((folder) => join(deps, folder, file))
    .find((path) => existsSync(path))
  return found ?? join(bundled, file)
}
const files = Object.entries(ROOTS).flatMap(([folder, messages]) =>
  readdirSync(join(deps, 'envoy-api', folder))
    .toSorted()
    .map((name) => `${folder}/${name}`)
    // only what is needed: not all that the others import is in the package
    .filter((file) => {
      const text = readFileSync(join(deps, 'envoy-api', file), 'utf8')
      return messages.some((message) => text.includes(`message ${message} {`))
    }),
)
root.loadSync(files, { keepCase: true })
root.resolveAll()

/** Without the leading dot of protobufjs. */
const nameOf = (type) => type.fullName.slice(1)

const types = new Map()
const queue = Object.entries(ROOTS).flatMap(([folder, names]) => names.map((name) => root.lookup(`${folder.replaceAll('/', '.')}.${name}`)))
while (queue.length > 0) {
  const type = queue.pop()
  const name = nameOf(type)
  if (types.has(name) || WELL_KNOWN.test(name)) continue
  types.set(name, type)
  if (type instanceof protobuf.Type) queue.push(...fieldsOf(type).flatMap(({ resolvedType }) => (resolvedType ? [resolvedType] : [])))
}

function fieldsOf(type) {
  return type.fieldsArray.filter(
    ({ name, resolvedType }) => !name.startsWith('hidden_envoy') && !(resolvedType && PRUNED.test(nameOf(resolvedType))),
  )
}

/** The package is what is written in lower case: `envoy.config.core.v3`. */
const packageOf = (name) => /^(?:[a-z0-9_]+\.)*/.exec(name)[0].slice(0, -1)

const SCALARS = {
  double: 'd',
  float: 'f',
  int32: 'i',
  int64: 'l',
  uint32: 'u',
  uint64: 'q',
  sint32: 'z',
  fixed32: 'x',
  fixed64: 'X',
  bool: 'b',
  string: 's',
  bytes: 'y',
}
function typeOf(field, from) {
  if (!field.resolvedType) {
    if (!(field.type in SCALARS)) throw new Error(`${field.fullName}: nothing is known of ${field.type}`)
    return SCALARS[field.type]
  }
  const name = nameOf(field.resolvedType)
  const home = packageOf(name)
  const mark = field.resolvedType instanceof protobuf.Enum ? '%' : '.'
  if (home === 'google.protobuf') return `${mark}google/${name.slice(home.length + 1)}`
  return `${mark}${home === from ? '' : `${home}/`}${name.slice(home.length + 1)}`
}
function describe(name, type) {
  const home = packageOf(name)
  const local = name.slice(home.length + 1)
  if (type instanceof protobuf.Enum) {
    return `%${local} ${Object.entries(type.values)
      .filter(([value]) => !value.startsWith('hidden_envoy'))
      .map(([value, number]) => `${value}=${number}`)
      .join(' ')}`
  }
  const choices = type.oneofsArray.filter((oneof) => oneof.oneof.length > 1 || !oneof.name.startsWith('_'))
  const fields = fieldsOf(type)
    .toSorted((a, b) => a.id - b.id)
    .map((field) => {
      const map = field.map ? `${SCALARS[field.keyType]}~` : ''
      const choice = choices.indexOf(field.partOf)
      const presence = field.options?.proto3_optional ? '?' : choice === -1 ? '' : `@${choice}`
      return `${field.name}=${field.id}:${map}${typeOf(field, home)}${field.repeated ? '*' : ''}${presence}`
    })
  return `${local} ${fields.join(' ')}`.trimEnd()
}

const GROUPS = [
  ['service', /^envoy\.(service|admin)\./],
  ['config-cluster', /^envoy\.config\.(cluster|endpoint|bootstrap|trace|accesslog)\./],
  ['config-listener', /^envoy\.config\.(listener|route|rbac|common)\./],
  ['config-core', /^envoy\.config\./],
  ['filters', /^envoy\.extensions\.filters\./],
  ['extensions', /^envoy\.extensions\./],
  ['values', /./],
]
const groups = new Map(GROUPS.map(([group]) => [group, new Map()]))
for (const name of [...types.keys()].toSorted((a, b) => (a < b ? -1 : 1))) {
  const packages = groups.get(GROUPS.find(([, pattern]) => pattern.test(name))[0])
  const home = packageOf(name)
  packages.set(home, [...(packages.get(home) ?? []), describe(name, types.get(name))])
}

const outputs = new Map()
const identifier = (group) => group.toUpperCase().replaceAll('-', '_')
for (const [group, packages] of groups) {
  const lines = [...packages].flatMap(([home, messages]) => [`@${home}`, ...messages])
  outputs.set(
    `${group}.ts`,
    `// Generated by scripts/generate-xds.mjs from the Envoy API in @grpc/grpc-js-xds (Apache-2.0, see NOTICE). Do not edit.

export const ${identifier(group)} = \`
${lines.join('\n')}
\`
`,
  )
}
outputs.set(
  'index.ts',
  `// Generated by scripts/generate-xds.mjs. Do not edit.
${GROUPS.map(([group]) => `import { ${identifier(group)} } from './${group}.ts'`)
  .toSorted()
  .join('\n')}

/**
 * Messages and enums by package. A line of its own: \`@package\`; \`Message field=number:type ...\`; \`%Enum NAME=number ...\`. Types: a letter for a scalar, \`.\`
 * a message, \`%\` an enum, each with \`package/\` where it is another's; \`k~\` before it a map. After it: \`*\` repeated, \`?\` optional, \`@n\` of the n-th oneof.
 */
export const XDS_TYPES: readonly string[] = [${GROUPS.map(([group]) => identifier(group)).join(', ')}]
`,
)

if (process.argv.includes('--check')) {
  for (const [name, text] of outputs) {
    const file = new URL(name, target)
    if (!existsSync(file) || readFileSync(file, 'utf8') !== text) {
      console.error(`src/protocols/xds/generated/${name} is not what scripts/generate-xds.mjs writes`)
      process.exit(1)
    }
  }
} else {
  for (const name of readdirSync(target)) if (!outputs.has(name)) rmSync(new URL(name, target))
  for (const [name, text] of outputs) writeFileSync(new URL(name, target), text)
}
