/** Bounds of one field. `min` and `max`: of a number, of the characters of a text, of the entries of a list or map. */
export interface Bound {
  readonly min?: number
  readonly max?: number
  readonly pattern?: RegExp
  /** Completes `must be ...` for the pattern. */
  readonly hint?: string
  readonly each?: Bound
  /** Of the keys of a map. */
  readonly key?: Bound
}

// Facts: patterns and lengths of the CRDs of release 1.7 of sigs.k8s.io/gateway-api. All patterns are linear on what fits the lengths.
const LABEL = String.raw`[a-z0-9]([-a-z0-9]*[a-z0-9])?`
const SUBDOMAIN = String.raw`${LABEL}(\.${LABEL})*`
const WORD = String.raw`[A-Za-z0-9\/\-._~%!$&'()*+,;=:]+`
const list = (max: number, each?: Bound, min = 0): Bound => ({ min, max, ...(each ? { each } : {}) })
const text = (max: number, min = 1): Bound => ({ min, max })
const shaped = (pattern: string, hint: string, max: number, min = 1): Bound => ({ min, max, pattern: new RegExp(`^(?:${pattern})$`), hint })

const hostname = shaped(String.raw`(\*\.)?${SUBDOMAIN}`, 'a host name in lower case such as example.com or *.example.com', 253)
const preciseHostname = shaped(SUBDOMAIN, 'a host name in lower case such as example.com', 253)
const group = shaped(`(${SUBDOMAIN})?`, 'empty or a DNS subdomain', 253, 0)
const kind = shaped('[a-zA-Z]([-a-zA-Z0-9]*[a-zA-Z0-9])?', 'a kind such as Service', 63)
const name = text(253)
const namespace = shaped(LABEL, 'a DNS label', 63)
const sectionName = shaped(SUBDOMAIN, 'a DNS subdomain', 253)
const controllerName = shaped(`${SUBDOMAIN}\\/${WORD}`, 'a domain and a path such as example.com/controller', 253)
const port: Bound = { min: 1, max: 65_535 }
const headerName = shaped(String.raw`[A-Za-z0-9!#$%&'*+\-.^_\x60|~]+`, 'the name of a header', 256)
const headerValue = text(4096)
const plainHeaderValue = shaped(String.raw`[!-~]+([\t ][!-~]+)*`, 'visible ASCII with single spaces between', 4096)
const duration = shaped('([0-9]{1,5}(h|m|s|ms)){1,4}', 'a duration such as 10s or 1m30s', 64)
const options: Bound = { max: 16, each: text(4096, 0) }
const qualifiedName = shaped(
  String.raw`(${SUBDOMAIN}\/)?([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]`,
  'a qualified name such as example.com/name',
  317,
)
const labelValue = shaped('(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?', 'a label value', 63, 0)
const weight: Bound = { min: 0, max: 1_000_000 }
const reference = { group, kind, name, namespace, port, sectionName }
const route = { parentRefs: list(32), hostnames: list(16, hostname) }
const rule = { name: sectionName, backendRefs: list(16), filters: list(16), matches: list(64) }
const opaqueRule = { name: sectionName, backendRefs: list(16, undefined, 1) }
const tokens = list(64, headerName)

/** Schema (its last word) -> field -> bounds. */
export const BOUNDS: Readonly<Record<string, Readonly<Record<string, Bound>>>> = {
  GatewayClassSpec: { controllerName, description: text(64, 0) },
  GatewayClassStatus: { conditions: list(8), supportedFeatures: list(64) },
  ParametersReference: reference,
  LocalParametersReference: reference,
  GatewaySpec: { addresses: list(16), gatewayClassName: name, listeners: list(64, undefined, 1) },
  GatewaySpecAddress: { type: text(253), value: text(253, 0), routability: text(253, 0) },
  GatewayStatusAddress: { type: text(253), value: text(253), routability: text(253, 0) },
  GatewayInfrastructure: {
    annotations: { max: 16, key: qualifiedName, each: text(4096, 0) },
    labels: { max: 8, key: qualifiedName, each: labelValue },
  },
  Listener: {
    hostname,
    name: sectionName,
    port,
    protocol: shaped(
      String.raw`[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?|${SUBDOMAIN}\/[A-Za-z0-9]+`,
      'HTTP, HTTPS, TLS, TCP, UDP or a prefixed word',
      255,
    ),
  },
  AllowedRoutes: { kinds: list(8) },
  RouteGroupKind: { group, kind },
  ListenerTLSConfig: { certificateRefs: list(64), options },
  SecretObjectReference: reference,
  ObjectReference: reference,
  FrontendTLSConfig: { perPort: list(64) },
  TLSPortConfig: { port },
  FrontendTLSValidation: { caCertificateRefs: list(16, undefined, 1) },
  GatewayStatus: { addresses: list(16), conditions: list(8), listeners: list(64) },
  ListenerStatus: { conditions: list(8), name: sectionName, supportedKinds: list(8) },
  ListenerSetSpec: { listeners: list(64, undefined, 1) },
  ListenerSetStatus: { conditions: list(8), listeners: list(64) },
  ParentGatewayReference: reference,
  ReferenceGrantSpec: { from: list(16, undefined, 1), to: list(16, undefined, 1) },
  ReferenceGrantFrom: reference,
  ReferenceGrantTo: reference,
  BackendTLSPolicySpec: { options, targetRefs: list(16, undefined, 1) },
  PolicyTargetReference: reference,
  BackendTLSPolicyValidation: {
    caCertificateRefs: list(8),
    hostname: preciseHostname,
    subjectAltNames: list(5),
    wellKnownCACertificates: shaped(
      `System|${SUBDOMAIN}\\/([A-Za-z0-9][-A-Za-z0-9_.]{0,61})?[A-Za-z0-9]`,
      'System or a prefixed word such as example.com/own',
      253,
    ),
  },
  LocalObjectReference: reference,
  SubjectAltName: {
    hostname,
    uri: shaped(String.raw`[^:\/?#]+:\/\/[^\/?#]*[^?#]*(\?[^#]*)?(#.*)?`, 'a URI such as spiffe://domain/path', 253),
  },
  PolicyStatus: { ancestors: list(16) },
  PolicyAncestorStatus: { conditions: list(8, undefined, 1), controllerName },
  ParentReference: reference,
  RouteStatus: { parents: list(32) },
  RouteParentStatus: { conditions: list(8, undefined, 1), controllerName },
  HTTPRouteSpec: { ...route, rules: list(16, undefined, 1) },
  HTTPRouteRule: rule,
  HTTPRouteMatch: { headers: list(16), queryParams: list(16) },
  HTTPPathMatch: { value: text(1024, 0) },
  HTTPHeaderMatch: { name: headerName, value: plainHeaderValue },
  HTTPQueryParamMatch: { name: headerName, value: text(1024) },
  HTTPBackendRef: { ...reference, filters: list(16), weight },
  HTTPHeaderFilter: { add: list(16), remove: list(16), set: list(16) },
  // upstream lets line ends pass in GRPCRoutes: they would end the header
  HTTPHeader: { name: headerName, value: plainHeaderValue },
  HTTPRequestMirrorFilter: { percent: { min: 0, max: 100 } },
  BackendObjectReference: reference,
  BackendRef: { ...reference, weight },
  Fraction: { numerator: { min: 0 }, denominator: { min: 1 } },
  HTTPRequestRedirectFilter: { hostname: preciseHostname, port },
  HTTPPathModifier: { replaceFullPath: text(1024, 0), replacePrefixMatch: text(1024, 0) },
  HTTPURLRewriteFilter: { hostname: preciseHostname },
  HTTPCORSFilter: {
    allowHeaders: tokens,
    allowMethods: list(9, shaped(String.raw`GET|HEAD|POST|PUT|DELETE|CONNECT|OPTIONS|TRACE|PATCH|\*`, 'a method or *', 16)),
    allowOrigins: list(
      64,
      shaped(
        String.raw`\*|https?:\/\/((\*\.)?([a-zA-Z0-9-]+\.)*[a-zA-Z0-9-]+|\*)(:[0-9]{1,5})?`,
        'an origin such as https://example.com, or *',
        253,
      ),
    ),
    exposeHeaders: tokens,
    maxAge: { min: 1 },
  },
  ForwardBodyConfig: { maxSize: { min: 0 } },
  GRPCAuthConfig: { allowedHeaders: list(64) },
  HTTPAuthConfig: { allowedHeaders: list(64), allowedResponseHeaders: list(64), path: text(1024) },
  HTTPRouteTimeouts: { backendRequest: duration, request: duration },
  HTTPRouteRetry: { attempts: { min: 0 }, backoff: duration, codes: list(200, { min: 400, max: 599 }) },
  SessionPersistence: { absoluteTimeout: duration },
  CookieConfig: { name: headerName, path: text(1024) },
  HeaderConfig: { name: headerName },
  GRPCRouteSpec: { ...route, rules: list(16) },
  GRPCRouteRule: rule,
  GRPCRouteMatch: { headers: list(16) },
  GRPCMethodMatch: { method: text(1024, 0), service: text(1024, 0) },
  GRPCHeaderMatch: { name: headerName, value: headerValue },
  GRPCBackendRef: { ...reference, filters: list(16), weight },
  TCPRouteSpec: { parentRefs: list(32), rules: { min: 1, max: 1 } },
  TCPRouteRule: opaqueRule,
  TLSRouteSpec: { parentRefs: list(32), hostnames: list(1024, hostname, 1), rules: { min: 1, max: 1 } },
  TLSRouteRule: opaqueRule,
}
