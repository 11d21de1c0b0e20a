// Schemas of Kuma's routes. Facts from Kuma's API, in our own words.
import { KUMA as G, kind } from './schema-extras-kuma-support.mjs'

const PATH = { enum: ['Exact', 'PathPrefix', 'RegularExpression'] }
const METHODS = { enum: ['CONNECT', 'DELETE', 'GET', 'HEAD', 'OPTIONS', 'PATCH', 'POST', 'PUT', 'TRACE'] }
const backend = {
  group: ['string', 'API group of the object, where it is none of kuma.io.'],
  kind: [
    '!string',
    'Kind of the backend.',
    { enum: ['MeshService', 'MeshExternalService', 'MeshMultiZoneService', 'MeshServiceSubset', 'Service'] },
  ],
  labels: ['{string', 'Labels of the backend; not together with name.'],
  name: ['string', 'Name of the backend.'],
  namespace: ['string', 'Its namespace. Default: that of the route.'],
  port: ['int32', '1 to 65535. Default: the port that was called.'],
  sectionName: ['string', 'Name of the port; instead of port.'],
  tags: ['{string', 'Deprecated.'],
  weight: ['int32', 'Share of the traffic. Default 1.'],
}
const backendRefs = ['[', 'Where to, by weight.', { of: backend }]
const path = [
  '',
  'Another path.',
  {
    of: {
      replaceFullPath: ['string', 'Instead of the whole.'],
      replacePrefixMatch: ['string', 'Instead of the prefix that matched.'],
      type: ['!string', 'Kind of change.', { enum: ['ReplaceFullPath', 'ReplacePrefixMatch'] }],
    },
  },
]
const filters = [
  '[',
  'Changes, in order.',
  {
    of: {
      requestHeaderModifier: ['@HeaderModifier', 'Of type RequestHeaderModifier.'],
      requestMirror: [
        '',
        'Of type RequestMirror.',
        {
          of: {
            backendRef: ['!', 'Who gets a copy.', { of: backend }],
            percentage: ['int-or-string', 'Of the requests. 0 to 100. Default 100.'],
          },
        },
      ],
      requestRedirect: [
        '',
        'Of type RequestRedirect.',
        {
          of: {
            hostname: ['string', 'Another host.'],
            path,
            port: ['int32', 'Another port.'],
            scheme: ['string', 'Another scheme.', { enum: ['http', 'https'] }],
            statusCode: ['int32', '301, 302 (default), 303, 307 or 308.'],
          },
        },
      ],
      responseHeaderModifier: ['@HeaderModifier', 'Of type ResponseHeaderModifier.'],
      type: [
        '!string',
        'Kind of change.',
        { enum: ['RequestHeaderModifier', 'ResponseHeaderModifier', 'RequestRedirect', 'URLRewrite', 'RequestMirror'] },
      ],
      urlRewrite: [
        '',
        'Of type URLRewrite.',
        { of: { hostname: ['string', 'Another host.'], hostToBackendHostname: ['boolean', 'The host of the backend.'], path } },
      ],
    },
  },
]
const target = { targetRef: ['!@TargetRef', 'The destination that clients call.'] }
const top = { targetRef: ['@TargetRef', 'Whose proxies: Mesh (default), Dataplane with labels or MeshGateway.'] }

export function addRoutes(out) {
  kind(out, G, 'MeshHTTPRoute', 'MeshHTTPRoute says where requests to a service go.', {
    ...top,
    to: [
      '[',
      'Routes, by destination.',
      {
        of: {
          ...target,
          hostnames: ['[string', 'Hosts, for gateways alone.'],
          rules: [
            '[',
            'Rules; the most specific match counts.',
            {
              of: {
                default: ['!', 'What becomes of requests that match.', { of: { backendRefs, filters } }],
                matches: [
                  '![',
                  'One must match.',
                  {
                    of: {
                      headers: ['[@ValueMatch', 'All must match.'],
                      method: ['string', 'The method.', METHODS],
                      path: ['', 'The path.', { of: { type: ['!string', 'How.', PATH], value: ['!string', 'What it is compared with.'] } }],
                      queryParams: ['[@ValueMatch', 'All must match.'],
                    },
                  },
                ],
              },
            },
          ],
        },
      },
    ],
  })
  kind(out, G, 'MeshTCPRoute', 'MeshTCPRoute says where connections to a service go.', {
    ...top,
    to: [
      '[',
      'Routes, by destination.',
      { of: { ...target, rules: ['[', 'One rule.', { of: { default: ['!', 'What becomes of connections.', { of: { backendRefs } }] } }] } },
    ],
  })
}
