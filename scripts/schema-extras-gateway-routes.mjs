// Schemas of the routes of gateway.networking.k8s.io; facts from the CRDs of release 1.7 of sigs.k8s.io/gateway-api, in our own words.

import { ATOMIC, byKeys, group, GATEWAY as G, kindSchemas, META, object, port, SET } from './schema-extras-gateway-support.mjs'

const parentRefs = [`[${G}.ParentReference`, 'What the route attaches to.', ATOMIC]
const useDefaultGateways = ['string', 'The route attaches to default gateways.', { enum: ['All', 'None'] }]
const ruleName = ['string', 'Unique in the route.']
const weight = ['int32', 'Share of the traffic against the other backends of the rule; 0: none. Default 1.']
const backend = {
  group,
  kind: ['string', 'Default Service.'],
  name: ['!string', 'Name of the backend.'],
  namespace: ['string', 'Default: the namespace of the route. Another one needs a ReferenceGrant there.'],
  port,
}
const backendDefaults = { group: '', kind: 'Service' }
const MATCH_TYPES = { enum: ['Exact', 'RegularExpression'] }
const headers = (name) => [`[${G}.${name}`, 'Headers that must all match.', byKeys('name')]
const filterTypes = (...values) => ['!string', 'Which of the fields is meant.', { enum: values }]

const named = (doc, what) =>
  object(
    doc,
    {
      name: ['!string', `Name of the ${what}.`],
      type: ['string', 'How the value is compared. Default Exact.', MATCH_TYPES],
      value: ['!string', 'Value to compare with.'],
    },
    { type: 'Exact' },
  )
const opaque = (kind, doc, hostnames) => ({
  [`${G}.${kind}Spec`]: object(`${kind}Spec is ${doc}`, {
    ...(hostnames ? { hostnames: ['![string', 'Server names that are asked for; `*.` matches one or more labels.', ATOMIC] } : {}),
    parentRefs,
    rules: [`![${G}.${kind}Rule`, 'Exactly one.', ATOMIC],
    useDefaultGateways,
  }),
  [`${G}.${kind}Rule`]: object(`${kind}Rule is where connections go.`, {
    backendRefs: [`![${G}.BackendRef`, 'Drawn by weight for each connection.', ATOMIC],
    name: ruleName,
  }),
})

export const GATEWAY_ROUTE_EXTRAS = {
  ...kindSchemas('HTTPRoute', ['v1', 'v1beta1'], 'HTTPRoute says where HTTP requests go.', 'HTTPRouteSpec', 'RouteStatus'),
  [`${G}.HTTPRouteSpec`]: object(
    'HTTPRouteSpec is hosts, and rules for their requests.',
    {
      hostnames: ['[string', 'Hosts; `*.` matches one or more labels. Absent: all that the parent has.', ATOMIC],
      parentRefs,
      rules: [`[${G}.HTTPRouteRule`, 'The most specific match of all routes wins. Default: everything.', ATOMIC],
      useDefaultGateways,
    },
    { rules: [{ matches: [{ path: { type: 'PathPrefix', value: '/' } }] }] },
  ),
  [`${G}.HTTPRouteRule`]: object(
    'HTTPRouteRule is what happens to requests that match.',
    {
      backendRefs: [`[${G}.HTTPBackendRef`, 'Drawn by weight for each request. None, and no redirect: 500.', ATOMIC],
      filters: [`[${G}.HTTPRouteFilter`, 'What is done with requests and responses.', ATOMIC],
      matches: [`[${G}.HTTPRouteMatch`, 'One must match. Default: paths from / on.', ATOMIC],
      name: ruleName,
      retry: [`${G}.HTTPRouteRetry`, 'When and how often a request is tried again.'],
      sessionPersistence: [`${G}.SessionPersistence`, 'Requests of a session go to the same endpoint.'],
      timeouts: [`${G}.HTTPRouteTimeouts`, 'How long requests may take.'],
    },
    { matches: [{ path: { type: 'PathPrefix', value: '/' } }] },
  ),
  [`${G}.HTTPRouteMatch`]: object(
    'HTTPRouteMatch is conditions of which all must hold.',
    {
      headers: headers('HTTPHeaderMatch'),
      method: [
        'string',
        'Method of the request.',
        { enum: ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE', 'PATCH'] },
      ],
      path: [`${G}.HTTPPathMatch`, 'Path of the request. Default: the prefix /.'],
      queryParams: [`[${G}.HTTPQueryParamMatch`, 'Query parameters that must all match.', byKeys('name')],
    },
    { path: { type: 'PathPrefix', value: '/' } },
  ),
  [`${G}.HTTPPathMatch`]: object(
    'HTTPPathMatch is a condition on the path.',
    {
      type: ['string', 'PathPrefix compares whole segments. Default PathPrefix.', { enum: ['Exact', 'PathPrefix', 'RegularExpression'] }],
      value: ['string', 'Path to compare with. Default /.'],
    },
    { type: 'PathPrefix', value: '/' },
  ),
  [`${G}.HTTPHeaderMatch`]: named('HTTPHeaderMatch is a condition on a header.', 'header, in any case'),
  [`${G}.HTTPQueryParamMatch`]: named('HTTPQueryParamMatch is a condition on a query parameter.', 'parameter'),
  [`${G}.HTTPBackendRef`]: object(
    'HTTPBackendRef names a backend.',
    { ...backend, filters: [`[${G}.HTTPRouteFilter`, 'For the requests that this backend gets.', ATOMIC], weight },
    { ...backendDefaults, weight: 1 },
  ),
  [`${G}.HTTPRouteFilter`]: object('HTTPRouteFilter is one thing that is done with a request or its response.', {
    cors: [`${G}.HTTPCORSFilter`, 'Which pages of other origins may read responses.'],
    extensionRef: [`${G}.LocalObjectReference`, 'A filter of the implementation.'],
    externalAuth: [`${G}.HTTPExternalAuthFilter`, 'Another server is asked whether the request may pass.'],
    requestHeaderModifier: [`${G}.HTTPHeaderFilter`, 'Headers of the request.'],
    requestMirror: [`${G}.HTTPRequestMirrorFilter`, 'Another backend gets a copy; its answer is dropped.'],
    requestRedirect: [`${G}.HTTPRequestRedirectFilter`, 'The client is sent elsewhere.'],
    responseHeaderModifier: [`${G}.HTTPHeaderFilter`, 'Headers of the response.'],
    type: filterTypes(
      'RequestHeaderModifier',
      'ResponseHeaderModifier',
      'RequestMirror',
      'RequestRedirect',
      'URLRewrite',
      'ExtensionRef',
      'CORS',
      'ExternalAuth',
    ),
    urlRewrite: [`${G}.HTTPURLRewriteFilter`, 'Host and path that the backend sees.'],
  }),
  [`${G}.HTTPHeaderFilter`]: object('HTTPHeaderFilter changes headers.', {
    add: [`[${G}.HTTPHeader`, 'Added beside what is there.', byKeys('name')],
    remove: ['[string', 'Names of headers that are taken away.', SET],
    set: [`[${G}.HTTPHeader`, 'Put in place of what is there.', byKeys('name')],
  }),
  [`${G}.HTTPHeader`]: object('HTTPHeader is a header.', { name: ['!string', 'Name, in any case.'], value: ['!string', 'Value.'] }),
  [`${G}.HTTPRequestMirrorFilter`]: object('HTTPRequestMirrorFilter sends a copy of requests.', {
    backendRef: [`!${G}.BackendObjectReference`, 'Who gets the copy.'],
    fraction: [`${G}.Fraction`, 'Share of the requests that is copied. Default: all.'],
    percent: ['int32', 'Share of the requests that is copied, 0 to 100. This or fraction.'],
  }),
  [`${G}.BackendObjectReference`]: object('BackendObjectReference names a backend.', backend, backendDefaults),
  [`${G}.BackendRef`]: object('BackendRef names a backend with its share.', { ...backend, weight }, { ...backendDefaults, weight: 1 }),
  [`${G}.Fraction`]: object(
    'Fraction is a share.',
    { denominator: ['int32', 'At least 1. Default 100.'], numerator: ['!int32', '0 up to the denominator.'] },
    { denominator: 100 },
  ),
  [`${G}.HTTPRequestRedirectFilter`]: object(
    'HTTPRequestRedirectFilter sends the client elsewhere.',
    {
      hostname: ['string', 'Host of the new location. Default: that of the request.'],
      path: [`${G}.HTTPPathModifier`, 'Path of the new location. Default: that of the request.'],
      port: ['int32', 'Port of the new location. Default: that of the scheme, or else of the listener.'],
      scheme: ['string', 'Scheme of the new location. Default: that of the request.', { enum: ['http', 'https'] }],
      statusCode: ['int32', '301, 302, 303, 307 or 308. Default 302.'],
    },
    { statusCode: 302 },
  ),
  [`${G}.HTTPPathModifier`]: object('HTTPPathModifier changes a path.', {
    replaceFullPath: ['string', 'Instead of the whole path.'],
    replacePrefixMatch: ['string', 'Instead of what the prefix of the match has matched.'],
    type: ['!string', 'Which of the fields is meant.', { enum: ['ReplaceFullPath', 'ReplacePrefixMatch'] }],
  }),
  [`${G}.HTTPURLRewriteFilter`]: object('HTTPURLRewriteFilter changes what the backend sees.', {
    hostname: ['string', 'Host that the backend sees.'],
    path: [`${G}.HTTPPathModifier`, 'Path that the backend sees.'],
  }),
  [`${G}.HTTPCORSFilter`]: object(
    'HTTPCORSFilter answers preflight requests and marks responses (Fetch standard).',
    {
      allowCredentials: ['boolean', 'Requests may carry cookies and the like. Default false.'],
      allowHeaders: ['[string', 'Headers that requests may have; * for all.', SET],
      allowMethods: ['[string', 'Methods that requests may have; * for all.', SET],
      allowOrigins: ['[string', 'Origins such as https://example.com, https://*.example.com or *.', SET],
      exposeHeaders: ['[string', 'Headers of responses that pages may read.', SET],
      maxAge: ['int32', 'Seconds for which a preflight may be remembered. Default 5.'],
    },
    { maxAge: 5 },
  ),
  [`${G}.HTTPExternalAuthFilter`]: object('HTTPExternalAuthFilter asks another server whether a request may pass.', {
    backendRef: [`!${G}.BackendObjectReference`, 'Who is asked.'],
    forwardBody: [`${G}.ForwardBodyConfig`, 'How much of the body the server sees. Absent: nothing.'],
    grpc: [`${G}.GRPCAuthConfig`, 'With protocol GRPC.'],
    http: [`${G}.HTTPAuthConfig`, 'With protocol HTTP.'],
    protocol: ['!string', 'What the server speaks: ext_authz of Envoy, or plain HTTP.', { enum: ['HTTP', 'GRPC'] }],
  }),
  [`${G}.ForwardBodyConfig`]: object('ForwardBodyConfig is how much of a body is shown.', {
    maxSize: ['int32', 'Bytes; larger bodies are refused.'],
  }),
  [`${G}.GRPCAuthConfig`]: object('GRPCAuthConfig is what the server is shown.', {
    allowedHeaders: ['[string', 'Headers of the request. Absent: all.', SET],
  }),
  [`${G}.HTTPAuthConfig`]: object('HTTPAuthConfig is what the server is shown.', {
    allowedHeaders: ['[string', 'Headers of the request beyond host, method, path, content-length and authorization.', SET],
    allowedResponseHeaders: ['[string', 'Headers of the answer that are put on the request.', SET],
    path: ['string', 'Put before the path of the request.'],
  }),
  [`${G}.HTTPRouteTimeouts`]: object('HTTPRouteTimeouts are how long requests may take, such as 10s; 0s: no limit.', {
    backendRequest: ['string', 'One try. At most request.'],
    request: ['string', 'The whole request, with all tries.'],
  }),
  [`${G}.HTTPRouteRetry`]: object(
    'HTTPRouteRetry is when and how often a request is tried again.',
    {
      attempts: ['int32', 'Tries after the first. Default 1.'],
      backoff: ['string', 'Shortest wait before a try, such as 100ms.'],
      codes: ['[int32', 'Statuses after which it is tried again, 400 to 599. Failed connections always are.', SET],
    },
    { attempts: 1 },
  ),
  [`${G}.SessionPersistence`]: object(
    'SessionPersistence keeps the requests of a session together.',
    {
      absoluteTimeout: ['string', 'How long a session lives, such as 1h.'],
      cookie: [`${G}.CookieConfig`, 'With type Cookie.'],
      header: [`${G}.HeaderConfig`, 'With type Header.'],
      type: ['string', 'Default Cookie.', { enum: ['Cookie', 'Header'] }],
    },
    { type: 'Cookie' },
  ),
  [`${G}.CookieConfig`]: object(
    'CookieConfig is the cookie that names a session.',
    {
      lifetimeType: ['string', 'Permanent cookies live for the absolute timeout. Default Session.', { enum: ['Permanent', 'Session'] }],
      name: ['string', 'Name of the cookie.'],
      path: ['string', 'Path of the cookie. Default /.'],
    },
    { lifetimeType: 'Session', path: '/' },
  ),
  [`${G}.HeaderConfig`]: object('HeaderConfig is the header that names a session.', { name: ['!string', 'Name of the header.'] }),

  ...kindSchemas('GRPCRoute', ['v1'], 'GRPCRoute says where calls of gRPC go.', 'GRPCRouteSpec', 'RouteStatus'),
  [`${G}.GRPCRouteSpec`]: object('GRPCRouteSpec is hosts, and rules for their calls.', {
    hostnames: ['[string', 'Hosts; `*.` matches one or more labels. Absent: all that the parent has.', ATOMIC],
    parentRefs,
    rules: [`[${G}.GRPCRouteRule`, 'The most specific match of all routes wins.', ATOMIC],
    useDefaultGateways,
  }),
  [`${G}.GRPCRouteRule`]: object('GRPCRouteRule is what happens to calls that match.', {
    backendRefs: [`[${G}.GRPCBackendRef`, 'Drawn by weight for each call. None: UNAVAILABLE.', ATOMIC],
    filters: [`[${G}.GRPCRouteFilter`, 'What is done with calls and responses.', ATOMIC],
    matches: [`[${G}.GRPCRouteMatch`, 'One must match. Absent: every call.', ATOMIC],
    name: ruleName,
    sessionPersistence: [`${G}.SessionPersistence`, 'Calls of a session go to the same endpoint.'],
  }),
  [`${G}.GRPCRouteMatch`]: object('GRPCRouteMatch is conditions of which all must hold.', {
    headers: headers('GRPCHeaderMatch'),
    method: [`${G}.GRPCMethodMatch`, 'Service and method of the call.'],
  }),
  [`${G}.GRPCMethodMatch`]: object(
    'GRPCMethodMatch is a condition on service and method; at least one of them.',
    {
      method: ['string', 'Method to compare with. Absent: all.'],
      service: ['string', 'Service to compare with, such as shop.Cart. Absent: all.'],
      type: ['string', 'How they are compared. Default Exact.', MATCH_TYPES],
    },
    { type: 'Exact' },
  ),
  [`${G}.GRPCHeaderMatch`]: named('GRPCHeaderMatch is a condition on metadata of the call.', 'key, in any case'),
  [`${G}.GRPCBackendRef`]: object(
    'GRPCBackendRef names a backend.',
    { ...backend, filters: [`[${G}.GRPCRouteFilter`, 'For the calls that this backend gets.', ATOMIC], weight },
    { ...backendDefaults, weight: 1 },
  ),
  [`${G}.GRPCRouteFilter`]: object('GRPCRouteFilter is one thing that is done with a call or its response.', {
    extensionRef: [`${G}.LocalObjectReference`, 'A filter of the implementation.'],
    requestHeaderModifier: [`${G}.HTTPHeaderFilter`, 'Metadata of the call.'],
    requestMirror: [`${G}.HTTPRequestMirrorFilter`, 'Another backend gets a copy; its answer is dropped.'],
    responseHeaderModifier: [`${G}.HTTPHeaderFilter`, 'Metadata of the response.'],
    type: filterTypes('ResponseHeaderModifier', 'RequestHeaderModifier', 'RequestMirror', 'ExtensionRef'),
  }),

  ...kindSchemas('TCPRoute', ['v1', 'v1alpha2'], 'TCPRoute says where connections go.', 'TCPRouteSpec', 'RouteStatus'),
  ...opaque('TCPRoute', 'where connections of a port go.', false),
  ...kindSchemas(
    'TLSRoute',
    ['v1', 'v1alpha3', 'v1alpha2'],
    'TLSRoute says where TLS connections go, by the server name that clients ask for.',
    'TLSRouteSpec',
    'RouteStatus',
  ),
  ...opaque('TLSRoute', 'server names, and where their connections go.', true),

  [`${G}.RouteStatus`]: object('RouteStatus is what controllers say about a route.', {
    parents: [`![${G}.RouteParentStatus`, 'By parent.', ATOMIC],
  }),
  [`${G}.RouteParentStatus`]: object('RouteParentStatus is what a controller says about a route at one parent.', {
    conditions: [`![${META}.Condition`, '`Accepted`, `ResolvedRefs` and, where it is known, `Programmed`.', byKeys('type')],
    controllerName: ['!string', 'Who says so.'],
    parentRef: [`!${G}.ParentReference`, 'The parent as the route names it.'],
  }),
}
